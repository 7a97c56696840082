#include "modules/login_seal.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/base64.h"
#include "modules/jwt_token.h"

#define VERSION 1
#define NONCE   12
#define TAG     16
#define FRONT   (1 + GW_LOGIN_KEY_ID + NONCE)

/* Its version, purpose and name: what the text was sealed for. */
static bool
add_context(EVP_CIPHER_CTX *c, enum gw_login_purpose purpose, struct gw_str name)
{
    const unsigned char what[2] = {VERSION, (unsigned char)purpose};
    int n = 0;

    return EVP_CipherUpdate(c, NULL, &n, what, sizeof(what)) == 1 &&
           EVP_CipherUpdate(c, NULL, &n, (const unsigned char *)name.p, (int)name.n) == 1;
}

/* out has room for in.n bytes, tag for TAG. */
static bool
run(bool seal, const struct gw_login_key *key, const unsigned char *nonce,
    enum gw_login_purpose purpose, struct gw_str name, struct gw_str in, unsigned char *out,
    unsigned char *tag)
{
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int n = 0;
    bool good =
        c != NULL &&
        EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, key->bytes, nonce, seal ? 1 : 0) == 1 &&
        add_context(c, purpose, name) &&
        EVP_CipherUpdate(c, out, &n, (const unsigned char *)in.p, (int)in.n) == 1 &&
        (size_t)n == in.n &&
        (seal || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, TAG, tag) == 1) &&
        EVP_CipherFinal_ex(c, out + n, &n) == 1 &&
        (!seal || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, TAG, tag) == 1);

    EVP_CIPHER_CTX_free(c);
    ERR_clear_error();
    return good;
}

size_t
gw_login_sealed_length(size_t n)
{
    return ((FRONT + n + TAG) * 4 + 2) / 3;
}

struct gw_str
gw_login_seal(struct gw_arena *a, const struct gw_login_keys *keys, enum gw_login_purpose purpose,
              struct gw_str name, struct gw_str bytes)
{
    unsigned char *all = gw_arena_raw(a, FRONT + bytes.n + TAG);
    unsigned char *nonce = all + 1 + GW_LOGIN_KEY_ID;
    struct gw_buf text = {0};

    all[0] = VERSION;
    memcpy(all + 1, keys->list[0].id, GW_LOGIN_KEY_ID);
    if (RAND_bytes(nonce, NONCE) != 1 || !run(true, &keys->list[0], nonce, purpose, name, bytes,
                                              all + FRONT, all + FRONT + bytes.n)) {
        return GW_STR_NONE;
    }
    gw_base64url_add(&text, all, FRONT + bytes.n + TAG);
    struct gw_str kept = gw_arena_str(a, gw_buf_text(&text));
    gw_buf_fini(&text);
    return kept;
}

bool
gw_login_open(struct gw_arena *a, const struct gw_login_keys *keys, enum gw_login_purpose purpose,
              struct gw_str name, struct gw_str text, struct gw_str *bytes)
{
    struct gw_str all;

    if (!gw_jwt_base64url(a, text, &all) || all.n < FRONT + TAG || all.p[0] != VERSION) {
        return false;
    }
    const unsigned char *front = (const unsigned char *)all.p;
    struct gw_str in = {all.p + FRONT, all.n - FRONT - TAG};
    unsigned char *out = gw_arena_raw(a, in.n + 1);
    unsigned char tag[TAG];

    memcpy(tag, all.p + all.n - TAG, TAG);
    for (size_t i = 0; i < keys->n; i++) {
        if (memcmp(front + 1, keys->list[i].id, GW_LOGIN_KEY_ID) == 0 &&
            run(false, &keys->list[i], front + 1 + GW_LOGIN_KEY_ID, purpose, name, in, out, tag)) {
            *bytes = (struct gw_str){(const char *)out, in.n};
            return true;
        }
    }
    return false;
}
