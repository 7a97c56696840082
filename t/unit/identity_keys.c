/* identity_keys.c - the key that the gateway signs by: read, made, kept, published. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "gateway/module.h"
#include "modules/identity_settings.h"
#include "t/lib/identity_key.h"

#define N(list) (sizeof(list) / sizeof((list)[0]))

static char folder[] = "/tmp/ksgate-identity-XXXXXX";
static char path[64];

/* A private key in PEM, with a password if one is given; to be freed. */
static char *
pem_of(EVP_PKEY *key, const char *password)
{
    BIO *bio = BIO_new(BIO_s_mem());
    const EVP_CIPHER *cipher = password == NULL ? NULL : EVP_aes_128_cbc();
    char *text = NULL;
    char *copy = NULL;

    assert_non_null(key);
    assert_int_equal(
        PEM_write_bio_PrivateKey(bio, key, cipher, NULL, 0, NULL, (void *)(uintptr_t)password), 1);
    long n = BIO_get_mem_data(bio, &text);
    copy = strndup(text, (size_t)n);
    BIO_free(bio);
    EVP_PKEY_free(key);
    return copy;
}

static void
write_file(const char *file, const char *text, mode_t mode)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, mode);

    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static int
begin(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/identity.key", folder);
    return 0;
}

static int
end(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(folder); /* fails when a file was left behind */
}

/* ---- reading ------------------------------------------------------------------------------ */

static void
test_a_known_key(void **state)
{
    struct gw_identity_keys k = {0};
    struct gw_buf jwks = {0};
    const char *why = "";

    (void)state;
    gw_identity_keys_write(&k, &jwks);
    assert_string_equal(jwks.p, "{\"keys\":[]}\n");
    gw_buf_reset(&jwks);
    assert_true(gw_identity_keys_sign(&k, GW_STR(RFC_KEY), &why));
    assert_string_equal(k.kid, RFC_KID);
    assert_true(gw_identity_keys_publish(&k, GW_STR(RFC_PUBLIC), &why)); /* the same */
    gw_identity_keys_write(&k, &jwks);
    assert_string_equal(jwks.p, "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" RFC_X
                                "\",\"y\":\"" RFC_Y "\",\"use\":\"sig\",\"alg\":\"ES256\",\"kid\":"
                                "\"" RFC_KID "\"}]}\n");
    gw_buf_fini(&jwks);
    gw_identity_keys_fini(&k);
}

/* The signing one stands first, whenever it comes. */
static void
test_several_keys(void **state)
{
    struct gw_identity_keys k = {0};
    struct gw_buf jwks = {0};
    char *other = pem_of(EVP_EC_gen("P-256"), NULL);
    const char *why = "";

    (void)state;
    assert_true(gw_identity_keys_publish(&k, gw_str_of(other), &why));
    assert_true(gw_identity_keys_publish(&k, gw_str_of(other), &why));
    assert_null(k.signing);
    assert_true(gw_identity_keys_sign(&k, GW_STR(RFC_KEY), &why));
    gw_identity_keys_write(&k, &jwks);
    json_t *set = json_loads(jwks.p, 0, NULL);
    const json_t *keys = json_object_get(set, "keys");
    assert_int_equal(json_array_size(keys), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(keys, 0), "kid")),
                        RFC_KID);
    assert_null(strstr(jwks.p, "\"d\"")); /* nothing private */
    json_decref(set);
    free(other);
    gw_buf_fini(&jwks);
    gw_identity_keys_fini(&k);
}

static void
test_what_is_no_key(void **state)
{
    char *const texts[] = {
        strdup(""),
        strdup("hello"),
        strdup("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
        pem_of(EVP_EC_gen("P-384"), NULL),
        pem_of(EVP_EC_gen("secp256k1"), NULL),
        pem_of(EVP_RSA_gen(2048), NULL),
        pem_of(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), NULL),
        pem_of(EVP_EC_gen("P-256"), "secret"),
    };

    (void)state;
    for (size_t i = 0; i < N(texts); i++) {
        struct gw_identity_keys k = {0};
        const char *why = NULL;

        print_message("# %zu\n", i);
        assert_false(gw_identity_keys_sign(&k, gw_str_of(texts[i]), &why));
        assert_non_null(why);
        why = NULL;
        assert_false(gw_identity_keys_publish(&k, gw_str_of(texts[i]), &why));
        assert_non_null(why);
        assert_null(k.signing);
        gw_identity_keys_fini(&k);
        free(texts[i]);
    }
    struct gw_identity_keys k = {0};
    const char *why = NULL;
    assert_false(gw_identity_keys_sign(&k, GW_STR(RFC_PUBLIC), &why)); /* can't be signed by */
    gw_identity_keys_fini(&k);
}

/* ---- making ------------------------------------------------------------------------------- */

/* The name of the key in the file. */
static void
kid_of_file(char kid[GW_IDENTITY_KID + 1])
{
    struct gw_identity_keys k = {0};
    struct gw_str pem;
    const char *why = "";

    assert_true(gw_identity_key_read(path, &pem, &why));
    assert_true(gw_identity_keys_sign(&k, pem, &why));
    memcpy(kid, k.kid, sizeof(k.kid));
    gw_identity_key_forget(pem);
    gw_identity_keys_fini(&k);
}

static void
test_it_is_made_once(void **state)
{
    char first[GW_IDENTITY_KID + 1];
    char second[GW_IDENTITY_KID + 1];
    struct stat st;

    (void)state;
    (void)umask(0); /* its mode is no matter of the umask */
    assert_true(gw_identity_key_make(path));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    kid_of_file(first);
    assert_true(gw_identity_key_make(path));
    kid_of_file(second);
    assert_string_equal(first, second);
    (void)unlink(path);
    assert_true(gw_identity_key_make(path));
    kid_of_file(second);
    assert_string_not_equal(first, second);
    (void)unlink(path);
}

/* Nothing that is there is lost, be it good or not. */
static void
test_what_is_there_stays(void **state)
{
    struct gw_str text;
    const char *why = "";

    (void)state;
    write_file(path, "a disk went wrong here", 0600);
    assert_true(gw_identity_key_make(path));
    assert_true(gw_identity_key_read(path, &text, &why));
    assert_true(gw_str_eq(text, GW_STR("a disk went wrong here")));
    gw_identity_key_forget(text);
    (void)unlink(path);
}

static void
test_where_none_can_be_made(void **state)
{
    struct gw_str text;
    const char *why = NULL;

    (void)state;
    errno = 0;
    assert_false(gw_identity_key_make("/nonexistent/identity.key"));
    assert_int_equal(errno, ENOENT);
    assert_false(gw_identity_key_read("/nonexistent/identity.key", &text, &why));
    assert_non_null(why);
    assert_null(text.p);
}

/* Processes that make it at the same time all find the same one. */
static void
test_a_race(void **state)
{
    int results[2];
    char first[GW_IDENTITY_KID + 1] = "";

    (void)state;
    assert_int_equal(pipe(results), 0);
    for (int i = 0; i < 8; i++) {
        if (fork() == 0) {
            char kid[GW_IDENTITY_KID + 1];

            if (!gw_identity_key_make(path)) {
                _exit(1);
            }
            kid_of_file(kid);
            _exit(write(results[1], kid, sizeof(kid)) == (ssize_t)sizeof(kid) ? 0 : 1);
        }
    }
    for (int i = 0; i < 8; i++) {
        char kid[GW_IDENTITY_KID + 1];
        int status;

        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
        assert_int_equal(read(results[0], kid, sizeof(kid)), sizeof(kid));
        if (first[0] != '\0') {
            assert_string_equal(kid, first);
        }
        memcpy(first, kid, sizeof(first));
    }
    close(results[0]);
    close(results[1]);
    (void)unlink(path);
}

/* ---- settings ----------------------------------------------------------------------------- */

static struct gw_arena *arena;
static struct gw_diag diag;

/* NULL: refused; the diag says why. */
static struct gw_identity_settings *
load(const char *json_text, const char *state_folder)
{
    struct gw_loader l = {.arena = arena, .diag = &diag, .state = state_folder};
    struct gw_identity_settings *s = gw_arena_alloc(arena, sizeof(*s));
    json_t *json = json_loads(json_text, 0, NULL);

    assert_non_null(json);
    bool good = gw_schema_load(&l, s, json, gw_identity_rows, "identity", NULL) &&
                gw_identity_settings_open(s, &l);
    json_decref(json);
    return good ? s : NULL;
}

static int
begin_settings(void **state)
{
    (void)state;
    arena = gw_arena_new();
    diag = (struct gw_diag){0};
    return 0;
}

static int
end_settings(void **state)
{
    (void)state;
    gw_arena_free(arena);
    gw_diag_fini(&diag);
    (void)unlink(path);
    return 0;
}

static void
test_own_key(void **state)
{
    char kid[GW_IDENTITY_KID + 1];
    char served[GW_IDENTITY_KID + 1];
    struct gw_identity_settings *s = load("{}", folder);

    (void)state;
    assert_null(s->keys.signing); /* whoever only checks a config makes no file */
    assert_int_equal(access(path, F_OK), -1);
    gw_identity_settings_serve(s);
    assert_non_null(s->keys.signing);
    memcpy(kid, s->keys.kid, sizeof(kid));
    gw_identity_settings_kid(served);
    assert_string_equal(served, kid);
    assert_non_null(strstr(s->jwks.p, kid));
    gw_identity_settings_close(s);

    s = load("{}", folder);
    gw_identity_settings_serve(s);
    assert_string_equal(s->keys.kid, kid);
    gw_identity_settings_close(s);
    assert_int_equal(diag.n, 0);
}

/* Gateways that share a registry would each have another. */
static void
test_no_own_key_in_a_fleet(void **state)
{
    struct gw_identity_settings *s = load("{}", NULL);

    (void)state;
    gw_identity_settings_serve(s);
    assert_null(s->keys.signing);
    assert_string_equal(s->jwks.p, "{\"keys\":[]}\n");
    assert_non_null(strstr(s->no_key, "share a registry"));
    gw_identity_settings_close(s);
}

static void
test_named_keys(void **state)
{
    struct gw_buf json = {0};
    char other_path[80];
    char *other = pem_of(EVP_EC_gen("P-256"), NULL);

    (void)state;
    (void)snprintf(other_path, sizeof(other_path), "%s/other.pem", folder);
    write_file(path, RFC_KEY, 0644);
    write_file(other_path, other, 0600);
    gw_buf_printf(&json, "{\"signing_key_file\":\"%s\",\"previous_key_files\":[\"%s\"]}", path,
                  other_path);
    struct gw_identity_settings *s = load(json.p, NULL);
    assert_non_null(s);
    assert_string_equal(s->keys.kid, RFC_KID);
    assert_int_equal(diag.n, 1);
    assert_int_equal(diag.errors, 0);
    assert_non_null(strstr(diag.findings[0].text, "others than its owner"));
    gw_identity_settings_serve(s);
    json_t *set = json_loads(s->jwks.p, 0, NULL);
    assert_int_equal(json_array_size(json_object_get(set, "keys")), 2);
    json_decref(set);
    gw_identity_settings_close(s);
    gw_buf_fini(&json);
    free(other);
    (void)unlink(other_path);
}

static void
test_bad_files(void **state)
{
    static const struct {
        const char *json, *error;
    } cases[] = {
        {"{\"signing_key_file\":\"/nonexistent/k\"}",
         "identity.signing_key_file: /nonexistent/k: No such file or directory"},
        {"{\"signing_key_file\":\"/dev/null\"}",
         "identity.signing_key_file: /dev/null: holds no PEM private key"},
        {"{\"previous_key_files\":[\"/dev/null\",\"/nonexistent/k\"]}",
         "identity.previous_key_files[0]: /dev/null: holds no PEM key"},
        {"{\"signing_key_file\":\"/dev/zero\"}",
         "identity.signing_key_file: /dev/zero: is larger than 64 KiB"},
        {"{\"lifetime\":\"1s\"}", "identity.lifetime"},
    };

    (void)state;
    for (size_t i = 0; i < N(cases); i++) {
        size_t before = diag.n;

        print_message("# %s\n", cases[i].json);
        assert_null(load(cases[i].json, folder));
        assert_true(diag.n > before);
        assert_non_null(strstr(diag.findings[before].text, cases[i].error));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_known_key),
        cmocka_unit_test(test_several_keys),
        cmocka_unit_test(test_what_is_no_key),
        cmocka_unit_test(test_it_is_made_once),
        cmocka_unit_test(test_what_is_there_stays),
        cmocka_unit_test(test_where_none_can_be_made),
        cmocka_unit_test(test_a_race),
        cmocka_unit_test_setup_teardown(test_own_key, begin_settings, end_settings),
        cmocka_unit_test_setup_teardown(test_no_own_key_in_a_fleet, begin_settings, end_settings),
        cmocka_unit_test_setup_teardown(test_named_keys, begin_settings, end_settings),
        cmocka_unit_test_setup_teardown(test_bad_files, begin_settings, end_settings),
    };
    int failed = cmocka_run_group_tests_name("identity_keys", tests, begin, end);

    gw_arena_trim();
    return failed;
}
