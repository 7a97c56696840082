/* digest.c - NH as its paper has it, and what makes it a digest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/bn.h>

#include "base/digest.h"

#define BLOCK 16

static uint64_t
word_at(const unsigned char *bytes, size_t n, size_t at)
{
    unsigned char word[8] = {0};
    uint64_t w;

    for (size_t i = 0; i < 8 && at + i < n; i++) {
        word[i] = bytes[at + i];
    }
    memcpy(&w, word, sizeof(w));
    return w;
}

static void
set_word(BIGNUM *n, uint64_t w)
{
    assert_int_equal(BN_set_word(n, w), 1);
}

/* sum of (m[2i] + k[2i] mod 2^64) * (m[2i+1] + k[2i+1] mod 2^64), mod 2^128, by OpenSSL's numbers.
 */
static void
slow(const uint64_t *key, const unsigned char *text, size_t n, uint64_t out[2])
{
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *sum = BN_new();
    BIGNUM *a = BN_new();
    BIGNUM *b = BN_new();
    unsigned char bytes[BLOCK];

    BN_zero(sum);
    for (size_t at = 0; at < n; at += BLOCK) {
        set_word(a, word_at(text, n, at) + key[at / 8]);
        set_word(b, word_at(text, n, at + 8) + key[at / 8 + 1]);
        assert_int_equal(BN_mul(a, a, b, ctx), 1);
        assert_int_equal(BN_add(sum, sum, a), 1);
        if (BN_num_bits(sum) > 128) {
            assert_int_equal(BN_mask_bits(sum, 128), 1);
        }
    }
    assert_int_equal(BN_bn2lebinpad(sum, bytes, BLOCK), BLOCK);
    for (int half = 0; half < 2; half++) {
        out[half] = 0;
        for (int i = 7; i >= 0; i--) {
            out[half] = out[half] << 8 | bytes[half * 8 + i];
        }
    }
    BN_free(a);
    BN_free(b);
    BN_free(sum);
    BN_CTX_free(ctx);
}

static void
test_as_in_the_paper(void **state)
{
    struct gw_digest_key *key = gw_digest_key_new(1000);
    unsigned char text[1000];

    (void)state;
    assert_int_equal(key->text_max, 1008);
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = (unsigned char)(i * 7 + i / 13);
    }
    for (size_t n = 0; n <= sizeof(text); n += n < 70 ? 1 : 31) {
        struct gw_digest d = gw_digest_of(key, (struct gw_str){(const char *)text, n});
        uint64_t expected[4];

        slow(key->words, text, n, expected);
        slow(key->words + 2, text, n, expected + 2);
        assert_memory_equal(d.sums, expected, sizeof(expected));
        assert_int_equal(d.n, n);
    }
    gw_digest_key_free(key);
}

/* The second sum does not follow from the first: a key by which two texts have the same first sum
 * (the attacker's lucky guess) still tells them apart. */
static void
test_twice(void **state)
{
    struct gw_digest_key *key = gw_digest_key_new(BLOCK);
    char texts[2][BLOCK] = {{0}};

    (void)state;
    key->words[0] = 0; /* then the second word is multiplied by nothing */
    texts[1][8] = 1;
    struct gw_digest a = gw_digest_of(key, (struct gw_str){texts[0], BLOCK});
    struct gw_digest b = gw_digest_of(key, (struct gw_str){texts[1], BLOCK});
    assert_int_equal(a.sums[0], b.sums[0]);
    assert_int_equal(a.sums[1], b.sums[1]);
    assert_false(gw_digest_eq(&a, &b));
    gw_digest_key_free(key);
}

/* Each of the five words counts. */
static void
test_eq(void **state)
{
    const struct gw_digest a = {.sums = {1, 2, 3, 4}, .n = 5};

    (void)state;
    assert_true(gw_digest_eq(&a, &a));
    for (int i = 0; i < 5; i++) {
        struct gw_digest b = a;

        *(i < 4 ? &b.sums[i] : &b.n) ^= UINT64_C(1) << 63;
        assert_false(gw_digest_eq(&a, &b));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_in_the_paper),
        cmocka_unit_test(test_twice),
        cmocka_unit_test(test_eq),
    };

    return cmocka_run_group_tests_name("digest", tests, NULL, NULL);
}
