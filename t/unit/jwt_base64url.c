/* jwt_base64url.c - what a writer makes is read, each length and byte; nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "modules/jwt_token.h"

#define BYTES_MAX 70

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* OpenSSL's base64, and RFC 4648's section 5 from it.  Returns its length. */
static size_t
encode(const unsigned char *bytes, size_t n, char *text)
{
    EVP_EncodeBlock((unsigned char *)text, bytes, (int)n);
    for (char *p = text; (p = strpbrk(p, "+/")) != NULL; p++) {
        *p = (char)(*p == '+' ? '-' : '_');
    }
    size_t length = strcspn(text, "=");
    text[length] = '\0';
    return length;
}

/* In a block of its own, so that a byte too many is seen. */
static bool
decode(const char *text, size_t n, unsigned char *bytes, size_t *got)
{
    struct gw_arena *arena = gw_arena_new();
    char *exact = malloc(n + (n == 0));
    struct gw_str out = GW_STR_NONE;

    assert_non_null(exact);
    memcpy(exact, text, n);
    bool fine = gw_jwt_base64url(arena, (struct gw_str){exact, n}, &out);
    free(exact);
    if (fine) {
        assert_true(out.n <= BYTES_MAX);
        memcpy(bytes, out.n > 0 ? out.p : "", out.n);
        *got = out.n;
    }
    gw_arena_free(arena);
    return fine;
}

static void
fill(unsigned char *bytes, size_t n, unsigned seed)
{
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1103515245U + 12345U;
        bytes[i] = (unsigned char)(seed >> 16);
    }
}

static void
test_every_length(void **state)
{
    (void)state;
    for (size_t n = 0; n <= BYTES_MAX; n++) {
        for (unsigned seed = 0; seed < 50; seed++) {
            unsigned char bytes[BYTES_MAX];
            unsigned char read[BYTES_MAX];
            char text[BYTES_MAX * 2];
            size_t got = SIZE_MAX;

            fill(bytes, n, seed);
            assert_true(decode(text, encode(bytes, n, text), read, &got));
            assert_int_equal(got, n);
            assert_memory_equal(read, bytes, n);
        }
    }
}

/* Each byte that is no digit, at each place of each length; a digit is another value. */
static void
test_every_other_character(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 12; n++) {
        unsigned char bytes[BYTES_MAX];
        char text[BYTES_MAX * 2];

        fill(bytes, n, 7);
        size_t length = encode(bytes, n, text);
        for (size_t at = 0; at < length; at++) {
            for (int c = 0; c < 256; c++) {
                unsigned char read[BYTES_MAX];
                size_t got = 0;
                char was = text[at];

                text[at] = (char)c;
                bool is_digit = c != 0 && strchr(alphabet, c) != NULL;
                bool fine = decode(text, length, read, &got);
                assert_true(is_digit || !fine);
                assert_true(!fine || ((char)c == was) == (memcmp(read, bytes, n) == 0));
                text[at] = was;
            }
        }
    }
}

/* Of the last digit of a short end only some bits are used: one text for the same bytes. */
static void
test_unused_bits(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= 2; n++) {
        const unsigned char bytes[] = {0xa5, 0x5a};
        const unsigned texts_of_the_bytes = 1;
        char text[BYTES_MAX];
        size_t length = encode(bytes, n, text);
        unsigned taken = 0;

        for (const char *c = alphabet; *c != '\0'; c++) {
            unsigned char read[BYTES_MAX];
            size_t got = 0;

            text[length - 1] = *c;
            taken += decode(text, length, read, &got) && memcmp(read, bytes, n) == 0;
        }
        assert_int_equal(taken, texts_of_the_bytes);
    }
}

static void
test_lengths_that_nobody_writes(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 69; n += 4) {
        unsigned char read[BYTES_MAX];
        char text[BYTES_MAX];
        size_t got = 0;

        memset(text, 'A', sizeof(text));
        assert_false(decode(text, n, read, &got));
    }
}

static void
test_padding_and_spaces(void **state)
{
    static const char *const bad[] = {"QQ==",   "QUI=", "QUJD=", " QUJD", "QUJD\n",
                                      "QU\nJD", "QU+D", "QU/D",  "QU.D"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        unsigned char read[BYTES_MAX];
        size_t got = 0;

        assert_false(decode(bad[i], strlen(bad[i]), read, &got));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_every_other_character),
        cmocka_unit_test(test_unused_bits),
        cmocka_unit_test(test_lengths_that_nobody_writes),
        cmocka_unit_test(test_padding_and_spaces),
    };

    alarm(60);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
