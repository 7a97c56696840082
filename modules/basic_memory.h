/*
 * basic_memory.h - which passwords were right a moment ago (one worker's).
 *
 * By a digest of name, stored hash, password and the client's network, keyed with a secret of the
 * process: so a changed password is another entry, what one host has proved is of no use to
 * another, and nobody learns a password from this memory.
 *
 * Nor may it be asked until it says yes: an entry that other words have met as often as anybody
 * may guess is forgotten, and none is made in its place until the window of those guesses is over.
 */
#ifndef GW_MODULES_BASIC_MEMORY_H
#define GW_MODULES_BASIC_MEMORY_H

#include "base/str.h"

#define GW_BASIC_DIGEST 32 /* bytes */

struct gw_basic_memory;

struct gw_basic_memory *gw_basic_memory_new(size_t entries);
void gw_basic_memory_free(struct gw_basic_memory *m); /* NULL is fine */

/* False: no digest can be made; then nothing may be believed. */
bool gw_basic_memory_digest(struct gw_basic_memory *m, struct gw_str name, struct gw_str hash,
                            struct gw_str password, unsigned char digest[GW_BASIC_DIGEST]);

/* Words that came from somewhere. */
struct gw_basic_proof {
    uint64_t whose; /* name, stored hash and network: what an entry is found by */
    unsigned char digest[GW_BASIC_DIGEST];
};

/* The same with the client's network. */
bool gw_basic_memory_proof(struct gw_basic_memory *m, struct gw_str name, struct gw_str hash,
                           struct gw_str password, struct gw_str network,
                           struct gw_basic_proof *out);

/* How often an entry may be met by other words. */
struct gw_basic_guesses {
    long long limit; /* 0: as often as may be */
    uint64_t window_ms;
};

/* Other words where these could stand count as a guess. */
bool gw_basic_memory_has(struct gw_basic_memory *m, const struct gw_basic_proof *p, uint64_t now_ms,
                         const struct gw_basic_guesses *g);

/* Takes the place of one that is forgotten, or will be next, of the few that it could stand at. */
void gw_basic_memory_put(struct gw_basic_memory *m, const struct gw_basic_proof *p, uint64_t now_ms,
                         uint64_t until_ms);

#endif
