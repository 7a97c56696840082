#include "base/digest.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/mem.h"

#define BLOCK ((size_t)16) /* bytes: two words, multiplied with each other */
#define MORE  2            /* words of the key, by which the second time is ahead of the first */

__extension__ typedef unsigned __int128 wide;

static size_t
key_bytes(size_t text_max)
{
    return text_max + MORE * sizeof(uint64_t);
}

static void
draw(void *bytes, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t got = getrandom((char *)bytes + at, n - at, 0);

        if (got < 0 && errno != EINTR) {
            perror("ksgate: getrandom");
            abort();
        }
        at += got > 0 ? (size_t)got : 0;
    }
}

struct gw_digest_key *
gw_digest_key_new(size_t text_max)
{
    size_t rounded = (text_max + BLOCK - 1) & ~(BLOCK - 1);
    struct gw_digest_key *k = gw_mem_alloc(sizeof(*k) + key_bytes(rounded));

    k->text_max = rounded;
    draw(k->words, key_bytes(rounded));
    return k;
}

void
gw_digest_key_free(struct gw_digest_key *k)
{
    if (k != NULL) {
        explicit_bzero(k->words, key_bytes(k->text_max));
        free(k);
    }
}

size_t
gw_digest_key_bytes(const struct gw_digest_key *k)
{
    return sizeof(*k) + key_bytes(k->text_max);
}

/* Sums of products; by the key from k on, and from two words further on.  The two sums are
 * independent of each other although they share most of the key: that is what Toeplitz is good for
 * (Black, Halevi, Krawczyk, Krovetz, Rogaway: UMAC, 1999, theorem 4.3). */
static inline void
add_block(wide sums[2], const uint64_t *k, const char *block)
{
    uint64_t w[2];

    memcpy(w, block, sizeof(w));
    sums[0] += (wide)(w[0] + k[0]) * (w[1] + k[1]);
    sums[1] += (wide)(w[0] + k[MORE]) * (w[1] + k[MORE + 1]);
}

struct gw_digest
gw_digest_of(const struct gw_digest_key *k, struct gw_str text)
{
    wide sums[2] = {0};
    size_t whole = text.n & ~(BLOCK - 1);

    assert(text.n <= k->text_max);
    for (size_t at = 0; at < whole; at += BLOCK) {
        add_block(sums, &k->words[at / sizeof(uint64_t)], text.p + at);
    }
    if (whole < text.n) {
        char rest[BLOCK] = {0};

        memcpy(rest, text.p + whole, text.n - whole);
        add_block(sums, &k->words[whole / sizeof(uint64_t)], rest);
    }
    return (struct gw_digest){
        .sums = {(uint64_t)sums[0], (uint64_t)(sums[0] >> 64), (uint64_t)sums[1],
                 (uint64_t)(sums[1] >> 64)},
        .n = text.n,
    };
}
