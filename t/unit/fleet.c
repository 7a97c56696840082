/* fleet.c - what Redis says of the gateways: read, and who is behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "registry/fleet.h"

#define PARTS_MAX 20

/* A reply {now, last beat, {parts...}} of texts; parts are separated by spaces, "_" is an empty
 * one. */
struct told {
    char text[512];
    redisReply parts[PARTS_MAX], list, beat, now, whole;
    redisReply *at[PARTS_MAX], *three[3];
};

static const redisReply *
say(struct told *t, const char *parts)
{
    static char beat[] = "7-0";
    char *rest = t->text;
    size_t n = 0;

    (void)snprintf(t->text, sizeof(t->text), "%s", parts);
    for (char *p = strsep(&rest, " "); p != NULL && *p != '\0'; p = strsep(&rest, " ")) {
        if (strcmp(p, "_") == 0) {
            *p = '\0';
        }
        t->parts[n] = (redisReply){.type = REDIS_REPLY_STRING, .str = p, .len = strlen(p)};
        t->at[n] = &t->parts[n];
        n++;
    }
    t->list = (redisReply){.type = REDIS_REPLY_ARRAY, .elements = n, .element = t->at};
    t->now = (redisReply){.type = REDIS_REPLY_INTEGER, .integer = 100000};
    t->beat = (redisReply){.type = REDIS_REPLY_STRING, .str = beat, .len = 3};
    t->three[0] = &t->now;
    t->three[1] = &t->beat;
    t->three[2] = &t->list;
    t->whole = (redisReply){.type = REDIS_REPLY_ARRAY, .elements = 3, .element = t->three};
    return &t->whole;
}

/* Three that live at 100000 ms: a, b and c; d is silent for 6 s. */
#define ALL "a 12 e 1000 99900 b 11 e 1000 99000 c 50 old 1000 98000 d 1 e 1000 94000"

static void
test_who_is_behind(void **state)
{
    static const struct {
        const char *about, *parts, *self, *epoch;
        uint64_t revision;
        long long silence_ms;
        const char *behind; /* ids, and a space behind each */
    } cases[] = {
        {"all have it", ALL, "c", "e", 11, 5000, ""},
        {"one is behind", ALL, "c", "e", 12, 5000, "b "},
        {"a revision of another registry does not count", ALL, "a", "e", 11, 5000, "c "},
        {"one that has taken over no registry yet", "a 0 _ 1 99999", "x", "e", 1, 5000, "a "},
        {"nobody has", ALL, "x", "new", 1, 5000, "a b c "},
        {"who has been silent for less than is allowed is waited for", ALL, "c", "e", 2, 6000,
         "d "},
        {"oneself is not", ALL, "b", "old", 12, 1500, "a "},
        {"whoever beats by a clock that is a little ahead lives", "a 1 e 1 101000", "x", "e", 2,
         2000, "a "},
        {"one of a clock that is gone does not", "a 1 e 1 101001 b 1 e 1 9999999", "x", "e", 2,
         2000, ""},
        {"there is nobody", "", "x", "e", 2, 2000, ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct gw_fleet f = {0};
        struct gw_diag diag = {0};
        struct told t;
        char ids[64] = "";

        print_message("# %s\n", cases[i].about);
        assert_true(gw_fleet_read(&f, say(&t, cases[i].parts)));
        assert_string_equal(f.beat, "7-0");
        size_t n = gw_fleet_behind(&f, cases[i].self, cases[i].epoch, cases[i].revision,
                                   cases[i].silence_ms, &diag);
        assert_int_equal(n, diag.errors);
        assert_int_equal(n, gw_fleet_behind(&f, cases[i].self, cases[i].epoch, cases[i].revision,
                                            cases[i].silence_ms, NULL));
        for (size_t k = 0; k < diag.n; k++) {
            (void)snprintf(ids + strlen(ids), sizeof(ids) - strlen(ids), "%.*s ",
                           (int)strcspn(diag.findings[k].text, ":"), diag.findings[k].text);
        }
        assert_string_equal(ids, cases[i].behind);
        gw_diag_fini(&diag);
        gw_fleet_fini(&f);
    }
}

static void
test_words_and_numbers(void **state)
{
    struct gw_fleet f = {0};
    struct gw_diag diag = {0};
    struct told t;

    (void)state;
    assert_true(gw_fleet_read(&f, say(&t, ALL)));
    assert_int_equal(gw_fleet_living(&f, 5000), 3);
    assert_int_equal(gw_fleet_living(&f, 6000), 4);
    assert_int_equal(gw_fleet_living(&f, 500), 1);
    (void)gw_fleet_behind(&f, "x", "e", 12, 5000, &diag);
    assert_int_equal(diag.n, 2);
    assert_string_equal(diag.findings[0].text, "b: at revision 11, heard 1.0 s ago");
    assert_string_equal(diag.findings[1].text,
                        "c: it has not taken over this registry yet, heard 2.0 s ago");
    gw_diag_fini(&diag);
    gw_fleet_fini(&f);
}

/* What somebody has put into Redis by hand is no gateway; what is no answer changes nothing. */
static void
test_what_is_none(void **state)
{
    static const char *const members[] = {
        "a x e 1 2", "a 1 e -1 2", "a 1 e 1 2e3",
        "0123456789012345678901234567890123456789012345678901234567890123 1 e 1 2",
        "a 1 01234567890123456789012345678901234567890 1 2"};
    struct gw_fleet f = {0};
    struct told t;

    (void)state;
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        char parts[256];

        (void)snprintf(parts, sizeof(parts), "%s b 1 e 1 99999", members[i]);
        print_message("# %s\n", members[i]);
        assert_true(gw_fleet_read(&f, say(&t, parts)));
        assert_int_equal(f.n, 1);
        assert_string_equal(f.members[0].id, "b");
    }
    redisReply *whole = &t.whole;
    (void)say(&t, "a 1 e 1");
    assert_false(gw_fleet_read(&f, whole));
    (void)say(&t, "a 1 e 1 2");
    t.now.type = REDIS_REPLY_STRING;
    assert_false(gw_fleet_read(&f, whole));
    (void)say(&t, "a 1 e 1 2");
    t.beat.type = REDIS_REPLY_NIL;
    assert_false(gw_fleet_read(&f, whole));
    (void)say(&t, "a 1 e 1 2");
    whole->elements = 2;
    assert_false(gw_fleet_read(&f, whole));
    whole->type = REDIS_REPLY_ERROR;
    assert_false(gw_fleet_read(&f, whole));
    assert_int_equal(f.n, 1);
    assert_string_equal(f.members[0].id, "b");
    gw_fleet_fini(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_is_behind),
        cmocka_unit_test(test_words_and_numbers),
        cmocka_unit_test(test_what_is_none),
    };

    return cmocka_run_group_tests_name("fleet", tests, NULL, NULL);
}
