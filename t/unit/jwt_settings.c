/* jwt_settings.c - issuers and their keys: which are taken, and what is said of the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "t/lib/jwt_tokens.h"

/* "@1" to "@5" are files. */
static const char *
fill_in(const char *row, const char *const *files)
{
    struct gw_buf b = {0};

    for (; *row != '\0'; row++) {
        if (*row == '@') {
            gw_buf_puts(&b, files[*++row - '1']);
        } else {
            gw_buf_add(&b, row, 1);
        }
    }
    const char *text = gw_arena_strndup(arena, b.p, b.n);
    gw_buf_fini(&b);
    return text;
}

static void
test_settings(void **state)
{
    char *private = pem_of(rsa, true);
    char *small = pem_of(rsa_small, false);
    const char *files[] = {
        file_of("rsa", rsa_pem),
        file_of("short", "0123456789abcdef0123456789abcdef\n"),
        file_of("empty", "\n"),
        file_of("small", small),
        file_of("private", private),
        file_of("set", SET),
        file_of("short-set", "{\"kty\":\"oct\",\"k\":\"AQAB\"}"),
        file_of("private-set", "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"d\":\"AQAB\"}"),
    };
    const struct {
        const char *row, *error; /* NULL: taken */
    } cases[] = {
        {"secret_file: '@2'", NULL},
        {"public_key_file: '@1'", NULL},
        {"secret_file: '@2', algorithms: [HS384]", "the secret is shorter than the hash"},
        {"secret_file: '@2', algorithms: [HS384], allow_weak_secret: true", NULL},
        {"secret_file: '@2', algorithms: [RS256]", "RS256 needs a public key"},
        {"secret_file: '@2', algorithms: [HS257]", "did you mean \"HS256\"?"},
        {"secret_file: '@2', algorithms: [none]", "unknown algorithm \"none\""},
        {"secret_file: '@2', public_key_file: '@1'", "exactly one of"},
        {"algorithms: [HS256]", "exactly one of"},
        {"secret_file: '@3'", "is empty"},
        {"secret_file: '/nowhere/secret'", "can't be read: No such file"},
        {"secret_file: '@1'", "holds a PEM key"},
        {"public_key_file: '@1', algorithms: [HS256]", "HS256 needs a secret"},
        {"public_key_file: '@1', algorithms: [ES256]", "ES256 needs a key on its own curve"},
        {"public_key_file: '@2'", "holds no PEM public key"},
        {"public_key_file: '@4'", "fewer than 2048 bits"},
        {"public_key_file: '@5'", "holds a private key"},
        {"jwks_file: '@6'", NULL},
        {"jwks_file: '@6', algorithms: [HS512]", NULL},
        {"jwks_file: '@6', algorithms: [HS256, ES256]", NULL},
        {"jwks_file: '@6', algorithms: [ES256, EdDSA]", "none of the keys in"},
        {"jwks_file: '@6', secret_file: '@2'", "exactly one of"},
        {"jwks_file: '@7'", "has no key that tokens could be verified by"},
        {"jwks_file: '@7', allow_weak_secret: true", NULL},
        {"jwks_file: '@8'", "key 1 holds \"d\""},
        {"jwks_file: '@1'", "is no JSON"},
        {"jwks_file: '/nowhere/set'", "can't be read: No such file"},
        {"secret_file: '@2', secretfile: x", "unknown setting \"secretfile\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *row = fill_in(cases[i].row, files);
        bool good =
            load(gw_arena_printf(arena, "authentication: {issuers: [{issuer: i, %s}]}", row));
        if (good != (cases[i].error == NULL) ||
            (!good && strstr(gw_diag_first(&diag), cases[i].error) == NULL)) {
            fail_msg("%s: %s", row, good ? "was taken" : gw_diag_first(&diag));
        }
        if (!good && diag.findings[0].place.line != 1) {
            fail_msg("%s: no place", row);
        }
        if (good) {
            gw_jwt_issuers_close(&settings);
        }
    }
    free(private);
    free(small);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings),
    };

    return cmocka_run_group_tests_name("jwt_settings", tests, tokens_set_up, tokens_tear_down);
}
