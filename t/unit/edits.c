#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/req.h"

static struct gw_req *
new_req(void)
{
    struct gw_arena *a = gw_arena_new();
    struct gw_req *req = gw_arena_alloc(a, sizeof(*req));

    req->arena = a;
    return req;
}

/* clang-format off */
static const struct { const char *rule, *name; bool hit; } cases[] = {
    {"authorization", "authorization",   true},
    {"authorization", "Authorization",   true},
    {"AUTHORIZATION", "authorization",   true},
    {"authorization", "authorization-2", false},
    {"authorization", "authorizatio",    false},
    {"x-remote-*",    "X-Remote-User",   true},
    {"X-Remote-*",    "x-remote-",       true},
    {"x-remote-*",    "x-remote",        false},
    {"x-remote-*",    "x-removed",       false},
    {"*",             "anything",        true},
    {"a*b",           "a*b",             true},
    {"a*b",           "axb",             false},
    {"",              "a",               false},
};
/* clang-format on */

static void
rules_remove_names_and_prefixes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct gw_req *req = new_req();

        gw_edits_remove(req, &req->up, gw_str_of(cases[i].rule));
        if (gw_edits_removes(&req->up, gw_str_of(cases[i].name)) != cases[i].hit) {
            fail_msg("rule %s, name %s", cases[i].rule, cases[i].name);
        }
        gw_arena_free(req->arena);
    }
}

static void
nothing_is_removed_without_a_rule(void **state)
{
    struct gw_edits none = {0};

    (void)state;
    assert_false(gw_edits_removes(&none, GW_STR("a")));
}

static void
many_edits_are_kept_in_order(void **state)
{
    struct gw_req *req = new_req();

    (void)state;
    for (int i = 0; i < 100; i++) {
        const char *name = gw_arena_printf(req->arena, "name-%d", i);

        gw_edits_set(req, &req->down, gw_str_of(name), gw_str_of(name));
    }
    assert_int_equal(req->down.n_add, 100);
    assert_int_equal(req->down.n_remove, 100);
    for (unsigned i = 0; i < 100; i++) {
        struct gw_str want = gw_str_of(gw_arena_printf(req->arena, "name-%u", i));

        assert_true(gw_str_eq(req->down.add[i].name, want));
        assert_true(gw_str_eq(req->down.add[i].value, want));
        assert_true(gw_edits_removes(&req->down, want));
    }
    assert_int_equal(req->up.n_add, 0);
    gw_arena_free(req->arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_remove_names_and_prefixes),
        cmocka_unit_test(nothing_is_removed_without_a_rule),
        cmocka_unit_test(many_edits_are_kept_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
