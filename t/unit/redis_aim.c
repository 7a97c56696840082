/* redis_aim.c - which node of a Redis is next, and where MOVED leads to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/redis_aim.h"

static void
shown_is(const struct gw_redis_aim *aim, const char *text)
{
    char shown[300];

    gw_redis_aim_show(aim, shown, sizeof(shown));
    assert_string_equal(shown, text);
}

static void
open_aim(struct gw_redis_aim *aim, const char *const *texts)
{
    struct gw_diag diag = {0};

    assert_true(gw_redis_aim_read(aim, texts, 6379, &diag));
    gw_diag_fini(&diag);
}

static void
test_nodes(void **state)
{
    static const struct {
        const char *text, *shown; /* NULL: refused */
    } cases[] = {
        {"h", "redis://h:6379"},
        {"h:7000", "redis://h:7000"},
        {"[::1]:7000", "redis://[::1]:7000"},
        {"[::1]", "redis://[::1]:6379"},
        {"", NULL},
        {"h:", NULL},
        {"h:0", NULL},
        {"h:x", NULL},
        {"redis://h", NULL},
        {"me@h", NULL},
        {"[::1", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct gw_redis_aim aim;
        struct gw_diag diag = {0};
        bool good =
            gw_redis_aim_read(&aim, (const char *[]){"first", cases[i].text, NULL}, 6379, &diag);

        print_message("# %s\n", cases[i].text);
        assert_int_equal(good, cases[i].shown != NULL);
        if (good) {
            gw_redis_aim_next(&aim);
            shown_is(&aim, cases[i].shown);
            gw_redis_aim_fini(&aim);
        }
        gw_diag_fini(&diag);
    }
}

static void
test_moved(void **state)
{
    static const struct {
        const char *error, *shown; /* NULL: that is not it */
    } cases[] = {
        {"MOVED 866 10.0.0.7:6380", "redis://10.0.0.7:6380"},
        {"MOVED 866 r-1.example:6380", "redis://r-1.example:6380"},
        {"MOVED 866 2001:db8::7:6380", "redis://[2001:db8::7]:6380"},
        {"MOVED 866 :6380", "redis://a:6380"},
        {"MOVED 866 10.0.0.7", NULL},
        {"MOVED 866 10.0.0.7:", NULL},
        {"MOVED 866 10.0.0.7:0", NULL},
        {"MOVED 866 10.0.0.7:70000", NULL},
        {"MOVED 866", NULL},
        {"MOVED", NULL},
        {"ASK 866 10.0.0.7:6380", NULL},
        {"", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct gw_redis_aim aim;

        print_message("# %s\n", cases[i].error);
        open_aim(&aim, (const char *[]){"a", NULL});
        assert_int_equal(gw_redis_aim_moved(&aim, cases[i].error), cases[i].shown != NULL);
        shown_is(&aim, cases[i].shown != NULL ? cases[i].shown : "redis://a:6379");
        gw_redis_aim_fini(&aim);
    }
}

/* In turn; where MOVED led to goes first, is left when it is no good, and is known from then on. */
static void
test_turn(void **state)
{
    struct gw_redis_aim aim;

    (void)state;
    open_aim(&aim, (const char *[]){"a", "b", NULL});
    shown_is(&aim, "redis://a:6379");
    gw_redis_aim_next(&aim);
    shown_is(&aim, "redis://b:6379");
    assert_true(gw_redis_aim_moved(&aim, "MOVED 1 c:1"));
    assert_true(gw_redis_aim_moved(&aim, "MOVED 1 a:6379"));
    shown_is(&aim, "redis://a:6379");
    gw_redis_aim_next(&aim);
    shown_is(&aim, "redis://c:1");
    gw_redis_aim_next(&aim);
    shown_is(&aim, "redis://a:6379");
    gw_redis_aim_to(&aim, gw_redis_aim_place(&aim).host, 7); /* its own name */
    shown_is(&aim, "redis://a:7");
    for (int i = 0; i < 500; i++) { /* a Cluster that tells of ever more nodes */
        char error[40];

        (void)snprintf(error, sizeof(error), "MOVED 1 d:%d", 1000 + i);
        assert_true(gw_redis_aim_moved(&aim, error));
    }
    assert_int_equal(aim.n, 64);
    gw_redis_aim_fini(&aim);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nodes),
        cmocka_unit_test(test_moved),
        cmocka_unit_test(test_turn),
    };

    return cmocka_run_group_tests_name("redis_aim", tests, NULL, NULL);
}
