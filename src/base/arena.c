#include "base/arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/asan.h"
#include "base/mem.h"

/* Under AddressSanitizer nothing is cached, so that a use after gw_arena_free() is found,
 * and a gap is left after each piece, so that an overrun into the next one is. */
#if GW_ASAN
#define CACHE_BLOCKS 0
#define GAP          16
void __asan_poison_memory_region(void const volatile *at, size_t n);
void __asan_unpoison_memory_region(void const volatile *at, size_t n);
#else
#define CACHE_BLOCKS                         1
#define GAP                                  0
#define __asan_poison_memory_region(at, n)   ((void)0)
#define __asan_unpoison_memory_region(at, n) ((void)0)
#endif

#define CLASSES       3
#define CLASS_SIZE(c) ((size_t)8192 << (c)) /* 8, 16 and 32 KiB, the header included */

struct block {
    struct block *next;
    size_t used, size; /* of bytes[] */
    int class;         /* CLASSES: larger than all, its own malloc() */
    bool cached;       /* goes to the thread's cache at its end */
    alignas(max_align_t) unsigned char bytes[];
};

struct defer {
    struct defer *next;
    void (*fn)(void *);
    void *arg;
};

/* Lives at the start of its first block. */
struct gw_arena {
    struct block *blocks; /* the one in use first */
    struct defer *defers; /* newest first, stored in the blocks themselves */
    size_t bytes;         /* of all blocks */
    bool lasting;
};

/* What this thread keeps for its next requests: 2 MiB at most. */
static _Thread_local struct {
    struct block *blocks;
    unsigned n;
} cache[CLASSES];

static const unsigned cache_most[CLASSES] = {128, 32, 16};

static struct block *
block_take(size_t at_least, bool lasting)
{
    int class = 0;
    struct block *b = NULL;

    while (class < CLASSES && CLASS_SIZE(class) - sizeof(*b) < at_least) {
        class ++;
    }
    size_t whole = class < CLASSES ? CLASS_SIZE(class) : sizeof(*b) + at_least;
    if (!lasting && class < CLASSES && cache[class].blocks != NULL) {
        b = cache[class].blocks;
        cache[class].blocks = b->next;
        cache[class].n--;
    } else {
        b = gw_mem_resize(NULL, whole);
    }
    *b = (struct block){.size = whole - sizeof(*b),
                        .class = class,
                        .cached = CACHE_BLOCKS && !lasting && class < CLASSES};
    __asan_poison_memory_region(b->bytes, b->size);
    return b;
}

static void
block_give(struct block *b)
{
    if (!b->cached || cache[b->class].n == cache_most[b->class]) {
        free(b);
        return;
    }
    b->next = cache[b->class].blocks;
    cache[b->class].blocks = b;
    cache[b->class].n++;
}

static size_t
round_up(size_t n)
{
    const size_t align = alignof(max_align_t);

    assert(n < SIZE_MAX / 2); /* a length that went below zero */
    return (n + (n == 0) + GAP + align - 1) & ~(align - 1);
}

/* n bytes of the block, which has room for them. */
static void *
carve(struct block *b, size_t n)
{
    void *p = b->bytes + b->used;

    b->used += round_up(n);
    __asan_unpoison_memory_region(p, n + (n == 0));
    return p;
}

static struct gw_arena *
arena_new(bool lasting)
{
    struct block *b = block_take(round_up(sizeof(struct gw_arena)), lasting);
    struct gw_arena *a = carve(b, sizeof(*a));

    *a = (struct gw_arena){.blocks = b, .bytes = sizeof(*b) + b->size, .lasting = lasting};
    return a;
}

struct gw_arena *
gw_arena_new(void)
{
    return arena_new(false);
}

struct gw_arena *
gw_arena_new_lasting(void)
{
    return arena_new(true);
}

void
gw_arena_free(struct gw_arena *a)
{
    if (a == NULL) {
        return;
    }
    while (a->defers != NULL) { /* a deferred call may defer another */
        struct defer *d = a->defers;

        a->defers = d->next;
        d->fn(d->arg);
    }
    for (struct block *b = a->blocks; b != NULL;) { /* one of them holds the arena itself */
        struct block *next = b->next;

        block_give(b);
        b = next;
    }
}

/* A new block with room for n bytes: as large as all before it together, up to the largest class (a
 * usual request needs one of the smallest, which is what a tunnel keeps).  A piece that is large
 * itself gets a block of its own, and the rest of the block in use is not lost. */
static struct block *
add_block(struct gw_arena *a, size_t n)
{
    const size_t largest = CLASS_SIZE(CLASSES - 1) - sizeof(struct block);
    struct block *in_use = a->blocks;
    size_t wish = a->bytes - sizeof(*in_use); /* the block has a header, too */

    if (wish > largest) {
        wish = largest;
    }
    struct block *b = block_take(n > wish ? n : wish, a->lasting);
    a->bytes += sizeof(*b) + b->size;
    if (b->class == CLASSES || in_use->size - in_use->used > b->size - n) {
        b->next = in_use->next;
        in_use->next = b;
    } else {
        b->next = in_use;
        a->blocks = b;
    }
    return b;
}

void *
gw_arena_raw(struct gw_arena *a, size_t n)
{
    struct block *b = a->blocks;
    size_t whole = round_up(n);

    if (b->size - b->used < whole) {
        b = add_block(a, whole);
    }
    return carve(b, n);
}

void *
gw_arena_alloc(struct gw_arena *a, size_t n)
{
    return memset(gw_arena_raw(a, n), 0, n);
}

char *
gw_arena_strndup(struct gw_arena *a, const char *s, size_t n)
{
    char *copy = gw_arena_raw(a, n + 1);

    if (n > 0) {
        memcpy(copy, s, n);
    }
    copy[n] = '\0';
    return copy;
}

struct gw_str
gw_arena_str(struct gw_arena *a, struct gw_str s)
{
    return (struct gw_str){gw_arena_strndup(a, s.p, s.n), s.n};
}

char *
gw_arena_printf(struct gw_arena *a, const char *fmt, ...)
{
    va_list ap;
    va_list again;
    char text[256]; /* most fit: then nothing is formatted twice */

    assert(fmt != NULL);
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    char *copy = NULL;

    if (n < (int)sizeof(text)) {
        copy = gw_arena_strndup(a, text, n > 0 ? (size_t)n : 0);
    } else {
        copy = gw_arena_raw(a, (size_t)n + 1);
        (void)vsnprintf(copy, (size_t)n + 1, fmt, again);
    }
    va_end(again);
    va_end(ap);
    return copy;
}

void
gw_arena_defer(struct gw_arena *a, void (*fn)(void *), void *arg)
{
    struct defer *d = gw_arena_raw(a, sizeof(*d));

    *d = (struct defer){.next = a->defers, .fn = fn, .arg = arg};
    a->defers = d;
}

size_t
gw_arena_size(const struct gw_arena *a)
{
    return a->bytes;
}

void
gw_arena_trim(void)
{
    for (int class = 0; class < CLASSES; class ++) {
        while (cache[class].blocks != NULL) {
            struct block *b = cache[class].blocks;

            cache[class].blocks = b->next;
            free(b);
        }
        cache[class].n = 0;
    }
}
