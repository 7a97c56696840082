/* jwt_entries.c - what becomes of a source's keys when its issuer publishes others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "modules/jwt_entries.h"

#define NOW 1700000000000ULL

/* A set is written as a text of names: "ab" has the keys a and b.  All have the same bytes. */
static struct gw_jwt_source source = {.name = {.issuer = "i", .old_keys_ms = 1000}};

static bool
merge(const char *names, uint64_t now_ms)
{
    struct gw_buf text = {0};
    struct gw_diag diag = {0};
    struct gw_jwks set;

    for (const char *c = names; *c != '\0'; c++) {
        gw_buf_printf(&text,
                      "%s{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"%c\",\"x\":"
                      "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
                      text.n == 0 ? "{\"keys\":[" : ",", *c);
    }
    gw_buf_puts(&text, "]}");
    assert_true(gw_jwks_read(&set, gw_buf_text(&text), (struct gw_jwks_rules){.published = true},
                             &diag, (struct gw_place){0}, "set"));
    bool changed = gw_jwt_entries_merge(&source, &set, now_ms);
    gw_jwks_fini(&set);
    gw_diag_fini(&diag);
    gw_buf_fini(&text);
    return changed;
}

/* "ab-c": a and b, and c that has left the set. */
static void
expect(const char *names)
{
    char text[GW_JWT_KEYS_MAX + 2] = "";
    size_t n = 0;
    bool old = false;

    for (size_t i = 0; i < source.n_entries; i++) {
        if (source.entries[i].until_ms != 0 && !old) {
            text[n++] = '-';
            old = true;
        }
        text[n++] = source.entries[i].key->id[0];
    }
    assert_string_equal(text, names);
}

static int
clear(void **state)
{
    (void)state;
    for (size_t i = 0; i < source.n_entries; i++) {
        source.entries[i].until_ms = 1;
    }
    (void)gw_jwt_entries_expire(&source, NOW);
    return (int)source.n_entries;
}

static void
test_keys_come_and_go(void **state)
{
    (void)state;
    assert_true(merge("ab", NOW));
    expect("ab");
    const struct gw_jwt_key *b = source.entries[1].key;
    assert_false(merge("ab", NOW + 1));
    assert_false(merge("ba", NOW + 1)); /* in another order, and the same */
    assert_true(merge("bc", NOW + 2));
    expect("bc-a");
    assert_ptr_equal(source.entries[0].key, b); /* the same key is the same struct */
    assert_int_equal(gw_jwt_entries_until(&source), NOW + 1002);
    assert_false(merge("bc", NOW + 500)); /* what has left before keeps its time */
    assert_int_equal(gw_jwt_entries_until(&source), NOW + 1002);
    assert_false(gw_jwt_entries_expire(&source, NOW + 1001));
    assert_true(gw_jwt_entries_expire(&source, NOW + 1002));
    expect("bc");
    assert_int_equal(gw_jwt_entries_until(&source), UINT64_MAX);
}

static void
test_a_key_comes_back(void **state)
{
    (void)state;
    assert_true(merge("a", NOW));
    assert_true(merge("b", NOW));
    expect("b-a");
    assert_true(merge("ab", NOW + 10));
    expect("ab");
    assert_false(gw_jwt_entries_expire(&source, NOW + 100000)); /* it is in the set, and stays */
}

static void
test_old_keys_may_have_no_time(void **state)
{
    (void)state;
    source.name.old_keys_ms = 0;
    assert_true(merge("a", NOW));
    assert_true(merge("b", NOW));
    expect("b");
    source.name.old_keys_ms = 1000;
}

static void
test_new_keys_come_first(void **state)
{
    char first[GW_JWT_KEYS_MAX] = "";
    char second[GW_JWT_KEYS_MAX] = "";

    (void)state;
    for (int i = 0; i < 40; i++) {
        first[i] = (char)('#' + i);
        second[i] = (char)('#' + 40 + i);
    }
    second['\\' - '#' - 40] = '!';
    assert_true(merge(&first[0], NOW));
    assert_true(merge(second, NOW));
    assert_int_equal(source.n_entries, GW_JWT_KEYS_MAX);
    assert_int_equal(source.entries[39].until_ms, 0);
    assert_int_not_equal(source.entries[40].until_ms, 0);
}

static void
test_words(void **state)
{
    struct gw_buf text = {0};

    (void)state;
    assert_true(merge("a", NOW));
    assert_true(merge("bc", NOW));
    gw_jwt_entries_say(&source, &text);
    assert_string_equal(text.p, "2 keys (b, c), and 1 that left the set");
    gw_buf_fini(&text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_keys_come_and_go, clear),
        cmocka_unit_test_teardown(test_a_key_comes_back, clear),
        cmocka_unit_test_teardown(test_old_keys_may_have_no_time, clear),
        cmocka_unit_test_teardown(test_new_keys_come_first, clear),
        cmocka_unit_test_teardown(test_words, clear),
    };

    return cmocka_run_group_tests_name("jwt_entries", tests, NULL, NULL);
}
