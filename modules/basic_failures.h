/*
 * basic_failures.h - how often has this user, or this address, been wrong lately?
 *
 * A window begins with its first failure; when it is over, all in it is forgotten.  Names that
 * nobody has are counted like others, or the limit would tell who exists.  A check that is under
 * way counts against its user until it turns out to be right: guesses made at the same time are
 * no more than those made one after the other.  One thread at a time, but for
 * gw_basic_failures_none().
 */
#ifndef GW_MODULES_BASIC_FAILURES_H
#define GW_MODULES_BASIC_FAILURES_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct gw_basic_failures;

struct gw_basic_failures *gw_basic_failures_new(void);
void gw_basic_failures_free(struct gw_basic_failures *f); /* NULL is fine */

/* Who is counted.  Kept as a keyed hash, never as text. */
enum gw_basic_whose {
    GW_BASIC_OF_USER,
    GW_BASIC_OF_ADDRESS,
};
uint64_t gw_basic_failures_key(enum gw_basic_whose whose, struct gw_str text);

struct gw_basic_window {
    uint64_t now_ms, window_ms; /* mono */
    size_t tracked;             /* so many at most; the oldest goes first */
};

/* Is the limit reached?  0: no (a limit of 0 never is); else in how many ms it will no longer be.
 * 1: as soon as a check under way turns out to be right. */
uint64_t gw_basic_failures_wait(struct gw_basic_failures *f, uint64_t key, long long limit,
                                const struct gw_basic_window *w);

/* Any thread: surely nothing is kept of the key. */
bool gw_basic_failures_none(const struct gw_basic_failures *f, uint64_t key);

/* A check begins. */
void gw_basic_failures_begin(struct gw_basic_failures *f, uint64_t key,
                             const struct gw_basic_window *w);
/* It has ended, without a failure. */
void gw_basic_failures_end(struct gw_basic_failures *f, uint64_t key);
void gw_basic_failures_add(struct gw_basic_failures *f, uint64_t key,
                           const struct gw_basic_window *w);

size_t gw_basic_failures_count(const struct gw_basic_failures *f);

#endif
