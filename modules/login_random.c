#include "modules/login_random.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "base/base64.h"

static struct gw_str
text_of(struct gw_arena *a, const unsigned char *bytes, size_t n)
{
    struct gw_buf text = {0};

    gw_base64url_add(&text, bytes, n);
    struct gw_str kept = gw_arena_str(a, gw_buf_text(&text));
    gw_buf_fini(&text);
    return kept;
}

struct gw_str
gw_login_random(struct gw_arena *a)
{
    unsigned char bytes[GW_LOGIN_RANDOM_BYTES];

    return RAND_bytes(bytes, sizeof(bytes)) == 1 ? text_of(a, bytes, sizeof(bytes)) : GW_STR_NONE;
}

bool
gw_login_random_id(uint64_t *id)
{
    *id = 0;
    while (*id == 0) {
        if (RAND_bytes((unsigned char *)id, sizeof(*id)) != 1) {
            return false;
        }
    }
    return true;
}

struct gw_str
gw_login_challenge(struct gw_arena *a, struct gw_str verifier)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];

    SHA256((const unsigned char *)verifier.p, verifier.n, digest);
    return text_of(a, digest, sizeof(digest));
}

bool
gw_login_same(struct gw_str a, struct gw_str b)
{
    return a.n == b.n && a.n > 0 && CRYPTO_memcmp(a.p, b.p, a.n) == 0;
}
