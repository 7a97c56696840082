/* Any bytes as a token, and as the claims of a token that is signed well.  What is taken was made
 * with our secret, by its own count of the signature; a token that was changed is refused. */
#include <assert.h>
#include <stdlib.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/mem.h"
#include "modules/jwt_verify.h"

#define SECRET   "0123456789abcdef0123456789abcdef"
#define MAC_TEXT 43 /* 32 bytes in base64url */
#define NOW_MS   1700000000000ULL

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct gw_jwt_issuer issuers[2];
static const struct gw_jwt_settings settings = {.issuers = {.items = issuers, .n = 2}};

static const struct gw_jwt_settings *
open_settings(void)
{
    static const char *const names[] = {"groups", ""};
    const char *why = NULL;

    for (size_t i = 0; i < 2 && issuers[i].issuer == NULL; i++) {
        struct gw_jwt_key *key = gw_jwt_key_secret(GW_STR(SECRET), &why);

        assert(key != NULL);
        issuers[i].keys = gw_jwt_keyset_new(&key, 1);
        gw_jwt_key_unref(key);
        issuers[i].issuer = i == 0 ? "a" : "b";
        issuers[i].claims.username = "username";
        issuers[i].claims.groups = names[i];
        issuers[i].leeway_ms = 10000;
        issuers[i].algs = gw_jwt_alg_bit(gw_jwt_alg_find(GW_STR("HS256")));
    }
    return &settings;
}

static void
put_base64url(struct gw_buf *out, struct gw_str bytes)
{
    unsigned char *text = gw_mem_alloc(bytes.n / 3 * 4 + 8);
    int length = EVP_EncodeBlock(text, (const unsigned char *)bytes.p, (int)bytes.n);

    for (int i = 0; i < length && text[i] != '='; i++) {
        unsigned char c = text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i];
        gw_buf_add(out, &c, 1);
    }
    free(text);
}

static void
put_signature(struct gw_buf *out, struct gw_str text)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    HMAC(EVP_sha256(), SECRET, (int)sizeof(SECRET) - 1, (const unsigned char *)text.p, text.n, mac,
         &n);
    gw_buf_puts(out, ".");
    put_base64url(out, (struct gw_str){(const char *)mac, n});
}

static void
check_subject(const struct gw_subject *s)
{
    assert(s->name.n > 0 && s->name.n <= GW_JWT_NAME_MAX);
    assert(!gw_str_eq(s->name, GW_STR("system:anonymous")));
    for (size_t i = 0; i < s->name.n; i++) {
        assert((unsigned char)s->name.p[i] >= ' ' && s->name.p[i] != 0x7f);
    }
    for (unsigned i = 0; i < s->n_groups; i++) {
        assert(i == 0 || !gw_str_has_prefix(s->groups[i], GW_STR("system:")));
    }
}

static bool
is_taken(struct gw_str token)
{
    struct gw_jwt_verifiers *v = gw_jwt_verifiers_new(open_settings(), 0);
    struct gw_arena *a = gw_arena_new();
    struct gw_jwt_claims claims;
    const char *why = "";
    bool taken = gw_jwt_verify(v, a, token, NOW_MS, &claims, &why) == GW_ERR_OK;

    if (taken) {
        struct gw_buf made = {0};

        assert(token.n > MAC_TEXT + 1);
        put_signature(&made, (struct gw_str){token.p, token.n - MAC_TEXT - 1});
        assert(gw_str_eq(gw_buf_text(&made), gw_str_skip(token, token.n - MAC_TEXT - 1)));
        gw_buf_fini(&made);
        check_subject(&claims.subject);
    } else {
        assert(why != NULL && why[0] != '\0');
    }
    gw_arena_free(a);
    gw_jwt_verifiers_free(v);
    return taken;
}

/* at: which byte of the token is changed. */
static void
try_signed(struct gw_str claims, unsigned at)
{
    struct gw_buf token = {0};

    put_base64url(&token, GW_STR("{\"alg\":\"HS256\",\"typ\":\"JWT\"}"));
    gw_buf_puts(&token, ".");
    put_base64url(&token, claims);
    put_signature(&token, gw_buf_text(&token));
    (void)is_taken(gw_buf_text(&token));
    token.p[at % token.n] ^= 1;
    assert(!is_taken(gw_buf_text(&token)));
    gw_buf_fini(&token);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char *copy = malloc(n > 0 ? n : 1);
    struct gw_str text = {copy, n};

    assert(copy != NULL);
    if (n > 0) {
        memcpy(copy, data, n);
    }
    if (n > 2 && data[0] == '!') {
        try_signed(gw_str_skip(text, 3), (unsigned)data[1] << 8 | data[2]);
    } else {
        (void)is_taken(text);
    }
    free(copy);
    return 0;
}
