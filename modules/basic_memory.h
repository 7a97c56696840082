/*
 * basic_memory.h - which passwords were right a moment ago (one worker's).
 *
 * By a digest of name, stored hash and password, keyed with a secret of the process: so a changed
 * password is another entry, and nobody learns one from this memory.
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

bool gw_basic_memory_has(const struct gw_basic_memory *m,
                         const unsigned char digest[GW_BASIC_DIGEST], uint64_t now_ms);

/* Takes the place of one that is forgotten, or will be next, of the few that it could stand at. */
void gw_basic_memory_put(struct gw_basic_memory *m, const unsigned char digest[GW_BASIC_DIGEST],
                         uint64_t now_ms, uint64_t until_ms);

#endif
