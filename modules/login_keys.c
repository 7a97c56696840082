#include "modules/login_keys.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "base/base64.h"

#define LINE_BYTES 44 /* 32 bytes in base64 */

static void
name_key(struct gw_login_key *key)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];

    SHA256(key->bytes, sizeof(key->bytes), digest);
    memcpy(key->id, digest, sizeof(key->id));
}

static const char *
add_line(struct gw_login_keys *k, struct gw_str text)
{
    unsigned char bytes[LINE_BYTES];
    size_t n = 0;

    if (text.n != LINE_BYTES || !gw_base64_read(text, bytes, &n) || n != GW_LOGIN_KEY_BYTES) {
        return "is not the base64 of 32 bytes (make one by: openssl rand -base64 32)";
    }
    if (k->n == GW_LOGIN_KEYS_MAX) {
        return "is one more than the 8 keys that there may be";
    }
    memcpy(k->list[k->n].bytes, bytes, n);
    name_key(&k->list[k->n++]);
    OPENSSL_cleanse(bytes, sizeof(bytes));
    return NULL;
}

bool
gw_login_keys_read(struct gw_login_keys *k, struct gw_str text, const char **why, unsigned *line)
{
    *k = (struct gw_login_keys){0};
    for (*line = 1; text.n > 0; ++*line) {
        struct gw_str one = gw_str_cut(&text, '\n');

        if (one.n > 0 && one.p[one.n - 1] == '\r') {
            one.n--;
        }
        one = gw_str_trim(one);
        if (one.n == 0 || one.p[0] == '#') {
            continue;
        }
        *why = add_line(k, one);
        if (*why != NULL) {
            gw_login_keys_forget(k);
            return false;
        }
    }
    *line = 0;
    *why = "has no key in it (make one by: openssl rand -base64 32)";
    return k->n > 0;
}

bool
gw_login_keys_own(struct gw_login_keys *k)
{
    static struct gw_login_key own; /* control's: configurations are opened by it alone */
    static bool drawn;

    drawn = drawn || RAND_bytes(own.bytes, sizeof(own.bytes)) == 1;
    name_key(&own);
    *k = (struct gw_login_keys){.list = {own}, .n = drawn ? 1 : 0};
    return drawn;
}

void
gw_login_keys_forget(struct gw_login_keys *k)
{
    OPENSSL_cleanse(k, sizeof(*k));
}
