#include "modules/basic_memory.h"

#include <pthread.h>
#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/map.h"
#include "base/mem.h"

#define WAYS      4
#define KEY_BYTES 32

struct entry {
    unsigned char digest[GW_BASIC_DIGEST];
    uint64_t whose;
    uint64_t until_ms;            /* 0: free */
    uint64_t since_ms, window_ms; /* of the guesses */
    unsigned guesses;
    bool closed; /* too many: there is no digest, and will be none */
};

struct gw_basic_memory {
    EVP_MAC_CTX *mac; /* keyed; NULL: OpenSSL can't */
    size_t rows;
    struct entry entries[];
};

/* Of the process, so that the same words have the same digest in all workers. */
static unsigned char key[KEY_BYTES];
static bool has_key;

static void
make_key(void)
{
    has_key = RAND_bytes(key, sizeof(key)) == 1;
}

static EVP_MAC_CTX *
open_mac(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    static char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };

    (void)pthread_once(&once, make_key);
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *ctx = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);
    EVP_MAC_free(mac);
    if (ctx != NULL && (!has_key || EVP_MAC_init(ctx, key, sizeof(key), params) != 1)) {
        ERR_clear_error();
        EVP_MAC_CTX_free(ctx);
        ctx = NULL;
    }
    return ctx;
}

struct gw_basic_memory *
gw_basic_memory_new(size_t entries)
{
    size_t rows = (entries + WAYS - 1) / WAYS;
    struct gw_basic_memory *m = gw_mem_alloc(sizeof(*m) + rows * WAYS * sizeof(struct entry));

    m->rows = rows;
    m->mac = open_mac();
    return m;
}

void
gw_basic_memory_free(struct gw_basic_memory *m)
{
    if (m != NULL) {
        EVP_MAC_CTX_free(m->mac);
        free(m);
    }
}

/* With its length in front, so that no two lists of texts are the same bytes. */
static bool
add(EVP_MAC_CTX *mac, struct gw_str s)
{
    return EVP_MAC_update(mac, (const unsigned char *)&s.n, sizeof(s.n)) == 1 &&
           (s.n == 0 || EVP_MAC_update(mac, (const unsigned char *)s.p, s.n) == 1);
}

static bool
digest_of(struct gw_basic_memory *m, const struct gw_str *texts, size_t n_texts,
          unsigned char digest[GW_BASIC_DIGEST])
{
    size_t n = 0;
    /* a NULL key: the same again */
    bool good = m->mac != NULL && EVP_MAC_init(m->mac, NULL, 0, NULL) == 1;

    for (size_t i = 0; good && i < n_texts; i++) {
        good = add(m->mac, texts[i]);
    }
    good = good && EVP_MAC_final(m->mac, digest, &n, GW_BASIC_DIGEST) == 1 && n == GW_BASIC_DIGEST;
    if (!good) {
        ERR_clear_error();
    }
    return good;
}

bool
gw_basic_memory_digest(struct gw_basic_memory *m, struct gw_str name, struct gw_str hash,
                       struct gw_str password, unsigned char digest[GW_BASIC_DIGEST])
{
    return digest_of(m, (const struct gw_str[]){name, hash, password}, 3, digest);
}

bool
gw_basic_memory_proof(struct gw_basic_memory *m, struct gw_str name, struct gw_str hash,
                      struct gw_str password, struct gw_str network, struct gw_basic_proof *out)
{
    uint64_t parts[] = {gw_hash(name), gw_hash(hash), gw_hash(network)};

    out->whose = gw_hash((struct gw_str){(const char *)parts, sizeof(parts)});
    return digest_of(m, (const struct gw_str[]){name, hash, password, network}, 4, out->digest);
}

/* The first of the WAYS places where it may stand. */
static struct entry *
row_of(struct gw_basic_memory *m, const struct gw_basic_proof *p)
{
    return m->entries + p->whose % m->rows * WAYS;
}

static struct entry *
find(struct entry *row, uint64_t whose)
{
    for (size_t i = 0; i < WAYS; i++) {
        if (row[i].until_ms != 0 && row[i].whose == whose) {
            return &row[i];
        }
    }
    return NULL;
}

static void
count_guess(struct entry *e, uint64_t now_ms, const struct gw_basic_guesses *g)
{
    if (e->guesses == 0 || now_ms - e->since_ms >= g->window_ms) {
        e->since_ms = now_ms;
        e->guesses = 0;
    }
    e->window_ms = g->window_ms;
    e->guesses++;
    if (g->limit > 0 && e->guesses >= g->limit) {
        memset(e->digest, 0, sizeof(e->digest));
        e->until_ms = now_ms + g->window_ms;
        e->closed = true;
    }
}

bool
gw_basic_memory_has(struct gw_basic_memory *m, const struct gw_basic_proof *p, uint64_t now_ms,
                    const struct gw_basic_guesses *g)
{
    struct entry *e = find(row_of(m, p), p->whose);

    if (e == NULL || e->closed || e->until_ms <= now_ms) {
        return false;
    }
    if (CRYPTO_memcmp(e->digest, p->digest, GW_BASIC_DIGEST) == 0) {
        return true;
    }
    count_guess(e, now_ms, g);
    return false;
}

void
gw_basic_memory_put(struct gw_basic_memory *m, const struct gw_basic_proof *p, uint64_t now_ms,
                    uint64_t until_ms)
{
    struct entry *row = row_of(m, p);
    struct entry *to = find(row, p->whose);

    if (until_ms <= now_ms || (to != NULL && to->closed && to->until_ms > now_ms)) {
        return;
    }
    if (to == NULL) {
        to = row;
        for (size_t i = 1; i < WAYS; i++) {
            to = row[i].until_ms < to->until_ms ? &row[i] : to;
        }
        *to = (struct entry){.whose = p->whose};
    }
    if (to->closed || now_ms - to->since_ms >= to->window_ms) {
        to->guesses = 0;
        to->closed = false;
    }
    memcpy(to->digest, p->digest, GW_BASIC_DIGEST);
    to->until_ms = until_ms;
}
