/*
 * digest.h - a short text in place of a long one, that nobody can make a second text for.
 *
 * NH, the hash inside UMAC (RFC 4418, 5.2), with words of 64 bits and twice over (Toeplitz): two
 * texts that were chosen without knowing the key have the same digest with a chance of 2^-128,
 * whatever anybody can compute.  That needs no assumption, but a key that is drawn at random, is at
 * least as long as the text, and is kept; and so is each digest: whoever has seen some can work out
 * the key.  They stay in this process's memory.  (docs/adr/0016-token-digests.md)
 */
#ifndef GW_BASE_DIGEST_H
#define GW_BASE_DIGEST_H

#include "base/str.h"

struct gw_digest {
    uint64_t sums[4];
    uint64_t n; /* bytes of the text: those of another length are other texts */
};

struct gw_digest_key {
    size_t text_max; /* bytes; a multiple of 16 */
    uint64_t words[];
};

/* For texts of so many bytes at most.  Takes about as much memory; heap. */
struct gw_digest_key *gw_digest_key_new(size_t text_max);
void gw_digest_key_free(struct gw_digest_key *k); /* wiped; NULL is fine */
size_t gw_digest_key_bytes(const struct gw_digest_key *k);

/* text.n <= text_max.  0.1 ns a byte. */
struct gw_digest gw_digest_of(const struct gw_digest_key *k, struct gw_str text);

/* Takes the same time for any two. */
static inline bool
gw_digest_eq(const struct gw_digest *a, const struct gw_digest *b)
{
    return ((a->sums[0] ^ b->sums[0]) | (a->sums[1] ^ b->sums[1]) | (a->sums[2] ^ b->sums[2]) |
            (a->sums[3] ^ b->sums[3]) | (a->n ^ b->n)) == 0;
}

#endif
