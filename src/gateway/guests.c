#include "gateway/guests.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"

#define SHARDS 64

struct guest {
    unsigned n;
};

static struct shard {
    pthread_mutex_t lock;
    struct gw_map *guests; /* made at first use */
} shards[SHARDS];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
open_shards(void)
{
    for (size_t i = 0; i < SHARDS; i++) {
        pthread_mutex_init(&shards[i].lock, NULL);
    }
}

/* The part of the address that counts. */
static struct gw_str
key_of(const unsigned char address[16], char key[16])
{
    static const unsigned char v4_mapped[12] = {[10] = 0xff, [11] = 0xff};

    memcpy(key, address, 16);
    if (memcmp(address, v4_mapped, sizeof(v4_mapped)) != 0) {
        memset(key + 8, 0, 8);
    }
    return (struct gw_str){key, 16};
}

unsigned
gw_guests_enter(const unsigned char address[16])
{
    char text[16];
    struct gw_str key = key_of(address, text);
    struct shard *s = &shards[gw_hash(key) % SHARDS];

    pthread_once(&once, open_shards);
    pthread_mutex_lock(&s->lock);
    if (s->guests == NULL) {
        s->guests = gw_map_new();
    }
    struct guest *g = gw_map_get(s->guests, key);
    if (g == NULL) {
        g = gw_mem_alloc(sizeof(*g));
        gw_map_put(s->guests, key, g);
    }
    unsigned n = ++g->n;
    pthread_mutex_unlock(&s->lock);
    return n;
}

void
gw_guests_leave(const unsigned char address[16])
{
    char text[16];
    struct gw_str key = key_of(address, text);
    struct shard *s = &shards[gw_hash(key) % SHARDS];

    pthread_mutex_lock(&s->lock);
    struct guest *g = gw_map_get(s->guests, key);
    assert(g != NULL && g->n > 0);
    if (--g->n == 0) {
        gw_map_take(s->guests, key);
        free(g);
    }
    if (gw_map_count(s->guests) == 0) {
        gw_map_free(s->guests, NULL);
        s->guests = NULL;
    }
    pthread_mutex_unlock(&s->lock);
}
