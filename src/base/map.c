#include "base/map.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/mem.h"

#define FEWEST_SLOTS 16

struct slot {
    uint64_t hash;
    char *key; /* owned */
    size_t key_n;
    void *value; /* NULL: the slot is free */
};

/* Open addressing, linear probing, a power of two of slots, at most three quarters full. */
struct gw_map {
    struct slot *slots;
    size_t mask; /* slots - 1 */
    size_t n;
};

static unsigned char secret[XXH3_SECRET_DEFAULT_SIZE];
static pthread_once_t secret_once = PTHREAD_ONCE_INIT;

static void
draw_secret(void)
{
    /* up to 256 bytes are given whole, and are never interrupted */
    if (getrandom(secret, sizeof(secret), 0) != (ssize_t)sizeof(secret)) {
        perror("ksgate: getrandom");
        abort();
    }
}

uint64_t
gw_hash(struct gw_str s)
{
    (void)pthread_once(&secret_once, draw_secret);
    return XXH3_64bits_withSecret(s.n == 0 ? "" : s.p, s.n, secret, sizeof(secret));
}

static struct slot *
new_slots(size_t n)
{
    return gw_mem_alloc(n * sizeof(struct slot));
}

struct gw_map *
gw_map_new(void)
{
    struct gw_map *m = gw_mem_alloc(sizeof(*m));

    m->slots = new_slots(FEWEST_SLOTS);
    m->mask = FEWEST_SLOTS - 1;
    return m;
}

void
gw_map_free(struct gw_map *m, void (*free_value)(void *))
{
    if (m == NULL) {
        return;
    }
    for (size_t i = 0; i <= m->mask; i++) {
        if (m->slots[i].value != NULL) {
            free(m->slots[i].key);
            if (free_value != NULL) {
                free_value(m->slots[i].value);
            }
        }
    }
    free(m->slots);
    free(m);
}

/* The slot that holds the key, or the free one where it would go. */
static struct slot *
find(const struct gw_map *m, struct gw_str key, uint64_t hash)
{
    size_t at = (size_t)hash & m->mask;

    while (m->slots[at].value != NULL) {
        struct slot *s = &m->slots[at];

        if (s->hash == hash && gw_str_eq((struct gw_str){s->key, s->key_n}, key)) {
            return s;
        }
        at = (at + 1) & m->mask;
    }
    return &m->slots[at];
}

static void
grow(struct gw_map *m)
{
    struct slot *old = m->slots;
    size_t n_old = m->mask + 1;

    m->slots = new_slots(n_old * 2);
    m->mask = n_old * 2 - 1;
    for (size_t i = 0; i < n_old; i++) {
        if (old[i].value != NULL) {
            *find(m, (struct gw_str){old[i].key, old[i].key_n}, old[i].hash) = old[i];
        }
    }
    free(old);
}

void *
gw_map_get(const struct gw_map *m, struct gw_str key)
{
    return find(m, key, gw_hash(key))->value;
}

void *
gw_map_put(struct gw_map *m, struct gw_str key, void *value)
{
    uint64_t hash = gw_hash(key);
    struct slot *s = find(m, key, hash);
    void *before = s->value;

    assert(value != NULL);
    if (before != NULL) {
        s->value = value;
        return before;
    }
    if ((m->n + 1) * 4 > (m->mask + 1) * 3) {
        grow(m);
        s = find(m, key, hash);
    }
    *s = (struct slot){.hash = hash, .key = gw_mem_strndup(key), .key_n = key.n, .value = value};
    m->n++;
    return NULL;
}

/* Closes the gap, so that no search ends too early: whatever follows and may stand at the
 * gap, because its own place is not behind it, moves there. */
static void
close_gap(struct gw_map *m, size_t gap)
{
    for (size_t at = (gap + 1) & m->mask; m->slots[at].value != NULL; at = (at + 1) & m->mask) {
        size_t home = (size_t)m->slots[at].hash & m->mask;

        if (((at - home) & m->mask) >= ((at - gap) & m->mask)) {
            m->slots[gap] = m->slots[at];
            gap = at;
        }
    }
    m->slots[gap] = (struct slot){0};
}

void *
gw_map_take(struct gw_map *m, struct gw_str key)
{
    struct slot *s = find(m, key, gw_hash(key));
    void *value = s->value;

    if (value == NULL) {
        return NULL;
    }
    free(s->key);
    close_gap(m, (size_t)(s - m->slots));
    m->n--;
    return value;
}

size_t
gw_map_count(const struct gw_map *m)
{
    return m->n;
}

bool
gw_map_next(const struct gw_map *m, size_t *at, struct gw_str *key, void **value)
{
    while (*at <= m->mask) {
        const struct slot *s = &m->slots[(*at)++];

        if (s->value == NULL) {
            continue;
        }
        if (key != NULL) {
            *key = (struct gw_str){s->key, s->key_n};
        }
        if (value != NULL) {
            *value = s->value;
        }
        return true;
    }
    return false;
}
