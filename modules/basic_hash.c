#include "modules/basic_hash.h"

#include <crypt.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/crypto.h>

#include "base/mem.h"

#define PREFIX_CHARS 4  /* "$2a$" */
#define SALT_END     29 /* "$2a$10$" and 22 characters */

struct gw_bcrypt {
    struct crypt_data data;
};

static bool
is_digit_of_bcrypt(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '/';
}

unsigned
gw_bcrypt_cost(struct gw_str h)
{
    if (h.n != GW_BCRYPT_CHARS || h.p[0] != '$' || h.p[1] != '2' ||
        (h.p[2] != 'a' && h.p[2] != 'b' && h.p[2] != 'y') || h.p[3] != '$' || h.p[4] < '0' ||
        h.p[4] > '3' || h.p[5] < '0' || h.p[5] > '9' || h.p[6] != '$') {
        return 0;
    }
    for (size_t i = 7; i < h.n; i++) {
        if (!is_digit_of_bcrypt(h.p[i])) {
            return 0;
        }
    }
    unsigned cost = (unsigned)(h.p[4] - '0') * 10 + (unsigned)(h.p[5] - '0');
    return cost >= 4 && cost <= 31 ? cost : 0;
}

void
gw_bcrypt_nobody(char hash[GW_BCRYPT_CHARS + 1], unsigned cost)
{
    (void)snprintf(hash, GW_BCRYPT_CHARS + 1, "$2a$%02u$%s", cost % 100,
                   "ksgate.ksgate.ksgate.Onobody.nobody.nobody.nobody.nob");
}

struct gw_bcrypt *
gw_bcrypt_new(void)
{
    return gw_mem_alloc(sizeof(struct gw_bcrypt));
}

void
gw_bcrypt_free(struct gw_bcrypt *b)
{
    if (b != NULL) {
        OPENSSL_cleanse(b, sizeof(*b));
        free(b);
    }
}

/* libcrypt changes what a few odd passwords hash to under 2a, against an old mistake that ks-core
 * does not make: by 2b they are hashed as ks-core does it. */
bool
gw_bcrypt_check(struct gw_bcrypt *b, const char *password, const char *hash)
{
    char setting[SALT_END + 1];

    if (gw_bcrypt_cost(gw_str_of(hash)) == 0) {
        return false;
    }
    memcpy(setting, hash, SALT_END);
    setting[SALT_END] = '\0';
    setting[2] = 'b';
    const char *made = crypt_r(password, setting, &b->data);
    bool right = made != NULL && strlen(made) == GW_BCRYPT_CHARS &&
                 CRYPTO_memcmp(made + PREFIX_CHARS, hash + PREFIX_CHARS,
                               GW_BCRYPT_CHARS - PREFIX_CHARS) == 0;
    OPENSSL_cleanse(&b->data, sizeof(b->data));
    return right;
}
