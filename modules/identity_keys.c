#include "modules/identity_keys.h"

#include <limits.h>
#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/base64.h"

#define CURVE       "prime256v1"
#define COORDINATE  32
#define POINT_BYTES (1 + 2 * COORDINATE) /* uncompressed (SEC 1, 2.3.3) */

/* x and y as a JWK has them. */
struct point {
    struct gw_buf x, y;
};

static bool
get_point(const EVP_PKEY *key, struct point *p)
{
    unsigned char bytes[POINT_BYTES];
    char curve[64] = "";
    size_t n = 0;

    if (EVP_PKEY_is_a(key, "EC") != 1 ||
        EVP_PKEY_get_group_name(key, curve, sizeof(curve), NULL) != 1 ||
        strcmp(curve, CURVE) != 0 ||
        EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, bytes, sizeof(bytes), &n) !=
            1 ||
        n != POINT_BYTES) {
        return false;
    }
    gw_base64url_add(&p->x, bytes + 1, COORDINATE);
    gw_base64url_add(&p->y, bytes + 1 + COORDINATE, COORDINATE);
    return true;
}

static void
point_fini(struct point *p)
{
    gw_buf_fini(&p->x);
    gw_buf_fini(&p->y);
}

/* The hash of the members that make the key, in the order of their names (RFC 7638, 3). */
static void
put_thumbprint(struct gw_buf *out, const struct point *p)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    struct gw_buf text = {0};
    unsigned n = 0;

    gw_buf_printf(&text, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}", p->x.p,
                  p->y.p);
    if (EVP_Digest(text.p, text.n, hash, &n, EVP_sha256(), NULL) == 1) {
        gw_base64url_add(out, hash, n);
    }
    gw_buf_fini(&text);
}

/* Adds the public half to the list, unless it is in one already.  False: not of this curve. */
static bool
add_public(struct gw_identity_keys *k, struct gw_buf *list, const EVP_PKEY *key, struct gw_buf *kid)
{
    struct point p = {0};
    bool good = get_point(key, &p);

    if (good) {
        put_thumbprint(kid, &p);
        good = kid->n == GW_IDENTITY_KID;
    }
    if (good && (k->kids.p == NULL || strstr(k->kids.p, kid->p) == NULL)) {
        gw_buf_printf(&k->kids, "%s ", kid->p);
        gw_buf_printf(list,
                      "%s{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%s\",\"y\":\"%s\","
                      "\"use\":\"sig\",\"alg\":\"ES256\",\"kid\":\"%s\"}",
                      list->n == 0 ? "" : ",", p.x.p, p.y.p, kid->p);
    }
    point_fini(&p);
    return good;
}

/* Nobody is there to be asked for one. */
static char no_password[] = "";

static EVP_PKEY *
read_private(struct gw_str pem)
{
    BIO *bio = pem.n == 0 || pem.n > INT_MAX ? NULL : BIO_new_mem_buf(pem.p, (int)pem.n);
    EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, NULL, no_password);

    BIO_free(bio);
    ERR_clear_error();
    return key;
}

static EVP_PKEY *
read_public(struct gw_str pem)
{
    BIO *bio = pem.n == 0 || pem.n > INT_MAX ? NULL : BIO_new_mem_buf(pem.p, (int)pem.n);
    EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PUBKEY(bio, NULL, NULL, no_password);

    if (bio != NULL && key == NULL && BIO_reset(bio) == 1) {
        X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, no_password);

        key = cert == NULL ? NULL : X509_get_pubkey(cert);
        X509_free(cert);
    }
    BIO_free(bio);
    ERR_clear_error();
    return key;
}

bool
gw_identity_keys_sign(struct gw_identity_keys *k, struct gw_str pem, const char **why)
{
    EVP_PKEY *key = read_private(pem);
    struct gw_buf kid = {0};

    if (key == NULL) {
        *why = "holds no PEM private key (one with a password can't be used)";
        return false;
    }
    if (!add_public(k, &k->first, key, &kid)) {
        *why =
            "holds a key that is not on the curve P-256; `openssl genpkey -algorithm EC -pkeyopt "
            "ec_paramgen_curve:P-256` makes one";
        gw_buf_fini(&kid);
        EVP_PKEY_free(key);
        return false;
    }
    memcpy(k->kid, kid.p, sizeof(k->kid));
    gw_buf_fini(&kid);
    k->signing = key;
    return true;
}

bool
gw_identity_keys_publish(struct gw_identity_keys *k, struct gw_str pem, const char **why)
{
    EVP_PKEY *key = read_private(pem);
    struct gw_buf kid = {0};

    if (key == NULL) {
        key = read_public(pem);
    }
    bool good = key != NULL && add_public(k, &k->others, key, &kid);
    *why = key == NULL ? "holds no PEM key and no certificate"
                       : "holds a key that is not on the curve P-256";
    gw_buf_fini(&kid);
    EVP_PKEY_free(key);
    return good;
}

void
gw_identity_keys_write(const struct gw_identity_keys *k, struct gw_buf *jwks)
{
    gw_buf_puts(jwks, "{\"keys\":[");
    gw_buf_str(jwks, gw_buf_text(&k->first));
    gw_buf_puts(jwks, k->first.n > 0 && k->others.n > 0 ? "," : "");
    gw_buf_str(jwks, gw_buf_text(&k->others));
    gw_buf_puts(jwks, "]}\n");
}

void
gw_identity_keys_fini(struct gw_identity_keys *k)
{
    EVP_PKEY_free(k->signing); /* NULL is fine */
    gw_buf_fini(&k->kids);
    gw_buf_fini(&k->first);
    gw_buf_fini(&k->others);
    *k = (struct gw_identity_keys){0};
}
