#include "modules/identity_assertion.h"

#include <inttypes.h>
#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rand.h>

#include "base/base64.h"
#include "base/mem.h"

#define HALF_BYTES 32 /* r, and s, of P-256 */
#define DER_MAX    80 /* of both as OpenSSL gives them: 72 at most */
#define JTI_BYTES  16

struct gw_identity_signer {
    const struct gw_identity_settings *settings;
    EVP_PKEY_CTX *ctx; /* ready to sign; holds its key */
    EVP_MD *digest;
    struct gw_buf header; /* the token's first part and the dot: always the same */
    struct gw_buf claims; /* kept for its memory */
};

static void
write_header(struct gw_identity_signer *s)
{
    struct gw_buf json = {0};

    gw_buf_printf(&json, "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"%s\"}",
                  s->settings->keys.kid);
    gw_base64url_add(&s->header, json.p, json.n);
    gw_buf_puts(&s->header, ".");
    gw_buf_fini(&json);
}

struct gw_identity_signer *
gw_identity_signer_new(const struct gw_identity_settings *settings)
{
    struct gw_identity_signer *s = gw_mem_alloc(sizeof(*s));

    s->settings = settings;
    s->digest = EVP_MD_fetch(NULL, "SHA256", NULL);
    s->ctx = EVP_PKEY_CTX_new_from_pkey(NULL, settings->keys.signing, NULL);
    write_header(s);
    if (s->digest == NULL || s->ctx == NULL || EVP_PKEY_sign_init(s->ctx) != 1 ||
        EVP_PKEY_CTX_set_signature_md(s->ctx, s->digest) != 1) {
        ERR_clear_error();
        gw_identity_signer_free(s);
        return NULL;
    }
    return s;
}

void
gw_identity_signer_free(struct gw_identity_signer *s)
{
    if (s == NULL) {
        return;
    }
    EVP_PKEY_CTX_free(s->ctx);
    EVP_MD_free(s->digest);
    gw_buf_fini(&s->header);
    gw_buf_fini(&s->claims);
    free(s);
}

static bool
is_utf8(struct gw_str s)
{
    json_t *text = json_stringn(s.p == NULL ? "" : s.p, s.n);

    json_decref(text);
    return text != NULL;
}

/* Two names that are no UTF-8 would both be the same U+FFFD. */
static bool
can_be_told(const struct gw_subject *s)
{
    bool good = is_utf8(s->name) && is_utf8(s->uid);

    for (unsigned i = 0; good && i < s->n_groups; i++) {
        good = is_utf8(s->groups[i]);
    }
    for (unsigned i = 0; good && i < s->n_extra; i++) {
        good = is_utf8(s->extra[i].key) && is_utf8(s->extra[i].value);
    }
    return good;
}

static void
put_text(struct gw_buf *out, const char *name, struct gw_str value)
{
    gw_buf_printf(out, ",\"%s\":", name);
    gw_buf_json(out, value);
}

static void
put_groups(struct gw_buf *out, const struct gw_subject *s)
{
    gw_buf_puts(out, ",\"groups\":[");
    for (unsigned i = 0; i < s->n_groups; i++) {
        gw_buf_puts(out, i == 0 ? "" : ",");
        gw_buf_json(out, s->groups[i]);
    }
    gw_buf_puts(out, "]");
}

/* Has a pair before this one the same key? */
static bool
key_came(const struct gw_subject *s, unsigned at)
{
    for (unsigned i = 0; i < at; i++) {
        if (gw_str_eq(s->extra[i].key, s->extra[at].key)) {
            return true;
        }
    }
    return false;
}

/* {key: [value, ...]}: each key once, with all its values in their order. */
static void
put_extra(struct gw_buf *out, const struct gw_subject *s)
{
    const char *before = ",\"extra\":{";

    for (unsigned i = 0; i < s->n_extra; i++) {
        if (key_came(s, i)) {
            continue;
        }
        gw_buf_puts(out, before);
        gw_buf_json(out, s->extra[i].key);
        gw_buf_puts(out, ":[");
        gw_buf_json(out, s->extra[i].value);
        for (unsigned k = i + 1; k < s->n_extra; k++) {
            if (gw_str_eq(s->extra[k].key, s->extra[i].key)) {
                gw_buf_puts(out, ",");
                gw_buf_json(out, s->extra[k].value);
            }
        }
        gw_buf_puts(out, "]");
        before = ",";
    }
    gw_buf_puts(out, s->n_extra > 0 ? "}" : "");
}

/* False: no random numbers are to be had. */
static bool
put_claims(struct gw_buf *out, const struct gw_identity_settings *c, const struct gw_subject *s,
           struct gw_str audience, uint64_t now_ms)
{
    unsigned char jti[JTI_BYTES];
    uint64_t now_s = now_ms / 1000;

    if (RAND_bytes(jti, sizeof(jti)) != 1) {
        return false;
    }
    gw_buf_puts(out, "{\"iss\":");
    gw_buf_json(out, gw_str_of(c->issuer));
    put_text(out, "aud", audience);
    put_text(out, "sub", s->name);
    put_text(out, "username", s->name);
    put_groups(out, s);
    if (s->uid.n > 0) {
        put_text(out, "uid", s->uid);
    }
    put_extra(out, s);
    gw_buf_printf(out,
                  ",\"token_type\":\"assertion\",\"iat\":%" PRIu64 ",\"nbf\":%" PRIu64
                  ",\"exp\":%" PRIu64 ",\"jti\":\"",
                  now_s, now_s - (uint64_t)c->leeway_ms / 1000,
                  now_s + (uint64_t)c->lifetime_ms / 1000);
    gw_base64url_add(out, jti, sizeof(jti));
    gw_buf_puts(out, "\"}");
    return true;
}

/* r and s side by side, each as long as the curve (RFC 7518, 3.4). */
static bool
raw_of(unsigned char raw[2 * HALF_BYTES], const unsigned char *der, size_t n)
{
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)n);
    bool good = pair != NULL &&
                BN_bn2binpad(ECDSA_SIG_get0_r(pair), raw, HALF_BYTES) == HALF_BYTES &&
                BN_bn2binpad(ECDSA_SIG_get0_s(pair), raw + HALF_BYTES, HALF_BYTES) == HALF_BYTES;

    ECDSA_SIG_free(pair);
    return good;
}

/* Of what stands in `out` from `at` on; its signature goes behind it. */
static bool
put_signature(struct gw_identity_signer *s, struct gw_buf *out, size_t at)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned char der[DER_MAX];
    unsigned char raw[2 * HALF_BYTES];
    unsigned hash_n = 0;
    size_t der_n = sizeof(der);

    if (EVP_Digest(out->p + at, out->n - at, hash, &hash_n, s->digest, NULL) != 1 ||
        EVP_PKEY_sign(s->ctx, der, &der_n, hash, hash_n) != 1 || !raw_of(raw, der, der_n)) {
        ERR_clear_error();
        return false;
    }
    gw_buf_puts(out, ".");
    gw_base64url_add(out, raw, sizeof(raw));
    return true;
}

bool
gw_identity_sign(struct gw_identity_signer *s, const struct gw_subject *subject,
                 struct gw_str audience, uint64_t now_ms, struct gw_buf *out)
{
    size_t at = out->n;

    gw_buf_reset(&s->claims);
    if (!can_be_told(subject) || !put_claims(&s->claims, s->settings, subject, audience, now_ms)) {
        return false;
    }
    gw_buf_str(out, gw_buf_text(&s->header));
    gw_base64url_add(out, s->claims.p, s->claims.n);
    return put_signature(s, out, at);
}
