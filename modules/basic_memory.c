#include "modules/basic_memory.h"

#include <pthread.h>
#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/mem.h"

#define WAYS      4
#define KEY_BYTES 32

struct entry {
    unsigned char digest[GW_BASIC_DIGEST];
    uint64_t until_ms; /* 0: free */
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

bool
gw_basic_memory_digest(struct gw_basic_memory *m, struct gw_str name, struct gw_str hash,
                       struct gw_str password, unsigned char digest[GW_BASIC_DIGEST])
{
    size_t n = 0;
    /* a NULL key: the same again */
    bool good = m->mac != NULL && EVP_MAC_init(m->mac, NULL, 0, NULL) == 1 && add(m->mac, name) &&
                add(m->mac, hash) && add(m->mac, password) &&
                EVP_MAC_final(m->mac, digest, &n, GW_BASIC_DIGEST) == 1 && n == GW_BASIC_DIGEST;

    if (!good) {
        ERR_clear_error();
    }
    return good;
}

/* The first of the WAYS places where it may stand. */
static size_t
row_of(const struct gw_basic_memory *m, const unsigned char digest[GW_BASIC_DIGEST])
{
    uint64_t hash;

    memcpy(&hash, digest, sizeof(hash));
    return (size_t)(hash % m->rows) * WAYS;
}

bool
gw_basic_memory_has(const struct gw_basic_memory *m, const unsigned char digest[GW_BASIC_DIGEST],
                    uint64_t now_ms)
{
    const struct entry *e = m->entries + row_of(m, digest);

    for (size_t i = 0; i < WAYS; i++) {
        if (e[i].until_ms > now_ms && CRYPTO_memcmp(e[i].digest, digest, GW_BASIC_DIGEST) == 0) {
            return true;
        }
    }
    return false;
}

void
gw_basic_memory_put(struct gw_basic_memory *m, const unsigned char digest[GW_BASIC_DIGEST],
                    uint64_t now_ms, uint64_t until_ms)
{
    struct entry *e = m->entries + row_of(m, digest);
    struct entry *to = e;

    if (until_ms <= now_ms) {
        return;
    }
    for (size_t i = 0; i < WAYS; i++) {
        if (CRYPTO_memcmp(e[i].digest, digest, GW_BASIC_DIGEST) == 0) {
            to = &e[i];
            break;
        }
        to = e[i].until_ms < to->until_ms ? &e[i] : to;
    }
    memcpy(to->digest, digest, GW_BASIC_DIGEST);
    to->until_ms = until_ms;
}
