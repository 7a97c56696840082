#include "modules/jwt_hash.h"

#include <stdlib.h>

#include <openssl/evp.h>

#include "base/mem.h"

struct gw_jwt_hasher {
    EVP_MD *sha256; /* looked up by its name at each use, it would cost 0.2 us more, and a lock */
    EVP_MD_CTX *all, *part;
};

static void
need(bool good)
{
    if (!good) {
        abort(); /* no memory: SHA-256 itself does not fail */
    }
}

struct gw_jwt_hasher *
gw_jwt_hasher_new(void)
{
    struct gw_jwt_hasher *h = gw_mem_alloc(sizeof(*h));

    h->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    h->all = EVP_MD_CTX_new();
    h->part = EVP_MD_CTX_new();
    need(h->sha256 != NULL && h->all != NULL && h->part != NULL);
    return h;
}

void
gw_jwt_hasher_free(struct gw_jwt_hasher *h)
{
    if (h == NULL) {
        return;
    }
    EVP_MD_CTX_free(h->part);
    EVP_MD_CTX_free(h->all);
    EVP_MD_free(h->sha256);
    free(h);
}

static void
finish(EVP_MD_CTX *ctx, unsigned char digest[GW_JWT_HASH])
{
    unsigned n = 0;

    need(EVP_DigestFinal_ex(ctx, digest, &n) == 1 && n == GW_JWT_HASH);
}

void
gw_jwt_hash_begin(struct gw_jwt_hasher *h, struct gw_str part, unsigned char digest[GW_JWT_HASH])
{
    need(EVP_DigestInit_ex2(h->all, h->sha256, NULL) == 1 &&
         EVP_DigestUpdate(h->all, part.p, part.n) == 1 && EVP_MD_CTX_copy_ex(h->part, h->all) == 1);
    finish(h->part, digest);
}

void
gw_jwt_hash_end(struct gw_jwt_hasher *h, struct gw_str rest, unsigned char digest[GW_JWT_HASH])
{
    need(EVP_DigestUpdate(h->all, rest.p, rest.n) == 1);
    finish(h->all, digest);
}

/* Without the signature: of the two that ECDSA has for each text, (r, s) and (r, n - s), whoever
 * holds one can make the other. */
static size_t
signed_bytes(struct gw_str token)
{
    const char *dot = token.n == 0 ? NULL : memrchr(token.p, '.', token.n);

    return dot == NULL ? token.n : (size_t)(dot - token.p);
}

void
gw_jwt_hash_token(struct gw_str token, unsigned char digests[2][GW_JWT_HASH])
{
    struct gw_jwt_hasher *h = gw_jwt_hasher_new();
    size_t n = signed_bytes(token);

    gw_jwt_hash_begin(h, (struct gw_str){token.p, n}, digests[0]);
    gw_jwt_hash_end(h, gw_str_skip(token, n), digests[1]);
    gw_jwt_hasher_free(h);
}
