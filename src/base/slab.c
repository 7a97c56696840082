#include "base/slab.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/asan.h"
#include "base/pool.h"

/* Under AddressSanitizer each object is an allocation of its own, so that a use after
 * gw_slab_give() and an overrun are found. */
#define SHARES_CHUNKS !GW_ASAN

#define CHUNK         ((size_t)64 * 1024) /* and where it begins: at a multiple of that */

struct free_one {
    struct free_one *next;
};

struct gw_slab_chunk {
    struct gw_slab_chunk *next, **prev; /* prev: NULL when it is full, and in no list */
    struct free_one *free;              /* given back */
    unsigned used, made;                /* now; at least once, from the front */
};

static size_t
fits(const struct gw_slab *s)
{
    return (CHUNK - GW_SLAB_ALIGN) / s->size;
}

static void
link_chunk(struct gw_slab *s, struct gw_slab_chunk *c)
{
    c->next = s->open;
    c->prev = &s->open;
    if (c->next != NULL) {
        c->next->prev = &c->next;
    }
    s->open = c;
}

static void
unlink_chunk(struct gw_slab_chunk *c)
{
    *c->prev = c->next;
    if (c->next != NULL) {
        c->next->prev = c->prev;
    }
    c->prev = NULL;
}

/* mmap() knows no alignment above a page: what is too much is given back. */
static struct gw_slab_chunk *
map_chunk(void)
{
    char *p = mmap(NULL, 2 * CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED) {
        abort(); /* decision 8 */
    }
    size_t before = -(uintptr_t)p & (CHUNK - 1);
    if (before > 0) {
        munmap(p, before);
    }
    munmap(p + before + CHUNK, CHUNK - before);
    gw_pool_count(GW_POOL_connections, (long long)CHUNK);
    return (void *)(p + before);
}

static void
unmap_chunk(struct gw_slab_chunk *c)
{
    gw_pool_count(GW_POOL_connections, -(long long)CHUNK);
    munmap(c, CHUNK);
}

void
gw_slab_init(struct gw_slab *s, size_t size)
{
    static_assert(sizeof(struct gw_slab_chunk) <= GW_SLAB_ALIGN, "the head is one line");
    assert(size > 0 && size <= GW_SLAB_MAX);
    *s = (struct gw_slab){.size = (size + GW_SLAB_ALIGN - 1) & ~(GW_SLAB_ALIGN - 1)};
}

static void *
take_alone(const struct gw_slab *s)
{
    void *p = aligned_alloc(GW_SLAB_ALIGN, s->size);

    if (p == NULL) {
        abort(); /* decision 8 */
    }
    return memset(p, 0, s->size);
}

void *
gw_slab_take(struct gw_slab *s)
{
    struct gw_slab_chunk *c = s->open;

    if (!SHARES_CHUNKS) {
        return take_alone(s);
    }
    if (c == NULL) {
        c = map_chunk();
        link_chunk(s, c);
    }
    void *p = c->free;
    if (p != NULL) {
        c->free = c->free->next;
    } else {
        p = (char *)c + GW_SLAB_ALIGN + c->made++ * s->size;
    }
    if (++c->used == fits(s)) {
        unlink_chunk(c);
    }
    return memset(p, 0, s->size);
}

void
gw_slab_give(struct gw_slab *s, void *p)
{
    struct gw_slab_chunk *c = (void *)((char *)p - ((uintptr_t)p & (CHUNK - 1)));
    struct free_one *f = p;

    if (!SHARES_CHUNKS) {
        free(p);
        return;
    }
    assert(c->used > 0);
    f->next = c->free;
    c->free = f;
    if (c->used-- == fits(s)) {
        link_chunk(s, c);
    }
    if (c->used == 0 && (s->open != c || c->next != NULL)) {
        unlink_chunk(c);
        unmap_chunk(c);
    }
}

void
gw_slab_fini(struct gw_slab *s)
{
    if (s->open != NULL) {
        assert(s->open->used == 0 && s->open->next == NULL);
        unmap_chunk(s->open);
        s->open = NULL;
    }
}
