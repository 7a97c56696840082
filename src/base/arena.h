/*
 * arena.h - memory that dies together.
 *
 * Everything that lives as long as one request is taken from that request's arena and is
 * given back by one gw_arena_free().  Nothing in it is freed alone.  Blocks are kept in a
 * small cache of the thread, so that a request on a warm worker never calls malloc().
 */
#ifndef GW_BASE_ARENA_H
#define GW_BASE_ARENA_H

#include <stddef.h>

#include "base/str.h"

struct gw_arena;

/* Makes an empty arena.  Never NULL: a process without memory stops here. */
struct gw_arena *gw_arena_new(void);

/* The same, for what many requests see and another thread may free: its blocks neither come from
 * a cache nor go to one, where they would stay when they are many. */
struct gw_arena *gw_arena_new_lasting(void);

/* Runs the deferred calls, the newest first, then gives all memory back.  NULL is fine. */
void gw_arena_free(struct gw_arena *a);

/* n bytes, zeroed, aligned for any type.  Never NULL.  Owned by the arena. */
void *gw_arena_alloc(struct gw_arena *a, size_t n);

/* n bytes, aligned, not zeroed: for what is overwritten at once. */
void *gw_arena_raw(struct gw_arena *a, size_t n);

/* For what has outgrown its place: size bytes, the first n of them a copy of those at p (which
 * stay there).  n 0: p may be NULL. */
static inline void *
gw_arena_more(struct gw_arena *a, const void *p, size_t n, size_t size)
{
    void *more = gw_arena_raw(a, size);

    if (n > 0) {
        memcpy(more, p, n);
    }
    return more;
}

/* A NUL-terminated copy of the n bytes at s.  Owned by the arena. */
char *gw_arena_strndup(struct gw_arena *a, const char *s, size_t n);

/* The same, as a gw_str (NUL-terminated as well). */
struct gw_str gw_arena_str(struct gw_arena *a, struct gw_str s);

char *gw_arena_printf(struct gw_arena *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Calls fn(arg) when the arena is freed: for a file, a socket, a json_t. */
void gw_arena_defer(struct gw_arena *a, void (*fn)(void *), void *arg);

/* Bytes taken from the heap for it, for the memory metrics. */
size_t gw_arena_size(const struct gw_arena *a);

/* Gives this thread's cached blocks back; before a thread ends. */
void gw_arena_trim(void);

#endif
