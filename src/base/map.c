#include "base/map.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/mem.h"

#define FEWEST 16 /* places */
#define FREE   0

struct entry {
    const char *key;
    void *value;
    uint32_t key_n, hash;
};

/* The entries stand side by side; a table of their numbers finds them: open addressing, linear
 * probing, a power of two of places, at most three quarters full. */
struct gw_map {
    struct entry *entries;
    uint32_t *places; /* FREE, or an entry's number + 1 */
    size_t mask;      /* places - 1 */
    size_t n, size;   /* entries */
    bool owns_keys;
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

void
gw_hash128(struct gw_str s, uint64_t out[2])
{
    (void)pthread_once(&secret_once, draw_secret);
    XXH128_hash_t h = XXH3_128bits_withSecret(s.n == 0 ? "" : s.p, s.n, secret, sizeof(secret));
    out[0] = h.high64;
    out[1] = h.low64;
}

static struct gw_map *
map_new(bool owns_keys)
{
    struct gw_map *m = gw_mem_alloc(sizeof(*m));

    m->places = gw_mem_alloc(FEWEST * sizeof(*m->places));
    m->mask = FEWEST - 1;
    m->owns_keys = owns_keys;
    return m;
}

struct gw_map *
gw_map_new(void)
{
    return map_new(true);
}

struct gw_map *
gw_map_of_values(void)
{
    return map_new(false);
}

static void
free_key(const struct gw_map *m, struct entry *e)
{
    union {
        const char *given;
        char *own;
    } key = {e->key};

    if (m->owns_keys) {
        free(key.own);
    }
}

void
gw_map_free(struct gw_map *m, void (*free_value)(void *))
{
    if (m == NULL) {
        return;
    }
    for (size_t i = 0; i < m->n; i++) {
        free_key(m, &m->entries[i]);
        if (free_value != NULL) {
            free_value(m->entries[i].value);
        }
    }
    free(m->entries);
    free(m->places);
    free(m);
}

/* The place that holds the key's entry, or the free one where it would go. */
static uint32_t *
find(const struct gw_map *m, struct gw_str key, uint32_t hash)
{
    size_t at = hash & m->mask;

    while (m->places[at] != FREE) {
        const struct entry *e = &m->entries[m->places[at] - 1];

        if (e->hash == hash && gw_str_eq((struct gw_str){e->key, e->key_n}, key)) {
            break;
        }
        at = (at + 1) & m->mask;
    }
    return &m->places[at];
}

/* The place of the entry with this number, which is in the map. */
static uint32_t *
place_of(const struct gw_map *m, size_t number)
{
    size_t at = m->entries[number].hash & m->mask;

    while (m->places[at] != number + 1) {
        at = (at + 1) & m->mask;
    }
    return &m->places[at];
}

static void
grow_places(struct gw_map *m)
{
    m->mask = m->mask * 2 + 1;
    free(m->places);
    m->places = gw_mem_alloc((m->mask + 1) * sizeof(*m->places));
    for (size_t i = 0; i < m->n; i++) {
        size_t at = m->entries[i].hash & m->mask;

        while (m->places[at] != FREE) {
            at = (at + 1) & m->mask;
        }
        m->places[at] = (uint32_t)i + 1;
    }
}

/* By half: a table of 100 000 that is doubled would be half empty. */
static void
grow_entries(struct gw_map *m)
{
    m->size = m->size < FEWEST ? FEWEST : m->size + m->size / 2;
    assert(m->size < UINT32_MAX);
    m->entries = gw_mem_resize(m->entries, m->size * sizeof(*m->entries));
}

void *
gw_map_get(const struct gw_map *m, struct gw_str key)
{
    uint32_t place = *find(m, key, (uint32_t)gw_hash(key));

    return place == FREE ? NULL : m->entries[place - 1].value;
}

static void *
replace(struct gw_map *m, struct entry *e, struct gw_str key, void *value)
{
    void *before = e->value;

    e->value = value;
    if (!m->owns_keys) {
        e->key = key.p;
    }
    return before;
}

void *
gw_map_put(struct gw_map *m, struct gw_str key, void *value)
{
    uint32_t hash = (uint32_t)gw_hash(key);
    uint32_t *place = find(m, key, hash);

    assert(value != NULL && key.n <= UINT32_MAX);
    if (*place != FREE) {
        return replace(m, &m->entries[*place - 1], key, value);
    }
    if ((m->n + 1) * 4 > (m->mask + 1) * 3) {
        grow_places(m);
        place = find(m, key, hash);
    }
    if (m->n == m->size) {
        grow_entries(m);
    }
    m->entries[m->n] = (struct entry){.key = m->owns_keys ? gw_mem_strndup(key) : key.p,
                                      .value = value,
                                      .key_n = (uint32_t)key.n,
                                      .hash = hash};
    *place = (uint32_t)++m->n;
    return NULL;
}

/* Closes the gap, so that no search ends too early: whatever follows and may stand at the
 * gap, because its own place is not behind it, moves there. */
static void
close_gap(struct gw_map *m, size_t gap)
{
    for (size_t at = (gap + 1) & m->mask; m->places[at] != FREE; at = (at + 1) & m->mask) {
        size_t home = m->entries[m->places[at] - 1].hash & m->mask;

        if (((at - home) & m->mask) >= ((at - gap) & m->mask)) {
            m->places[gap] = m->places[at];
            gap = at;
        }
    }
    m->places[gap] = FREE;
}

void *
gw_map_take(struct gw_map *m, struct gw_str key)
{
    uint32_t *place = find(m, key, (uint32_t)gw_hash(key));

    if (*place == FREE) {
        return NULL;
    }
    size_t number = *place - 1;
    void *value = m->entries[number].value;
    free_key(m, &m->entries[number]);
    close_gap(m, (size_t)(place - m->places));
    if (number != m->n - 1) { /* the last one fills its room */
        *place_of(m, m->n - 1) = (uint32_t)number + 1;
        m->entries[number] = m->entries[m->n - 1];
    }
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
    if (*at >= m->n) {
        return false;
    }
    const struct entry *e = &m->entries[(*at)++];

    if (key != NULL) {
        *key = (struct gw_str){e->key, e->key_n};
    }
    if (value != NULL) {
        *value = e->value;
    }
    return true;
}
