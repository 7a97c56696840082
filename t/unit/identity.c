/* identity.c - what a backend is told of the caller, and whether it gets the credential. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "gateway/module.h"

extern const struct gw_module gw_mod_identity;

#define N(list) (sizeof(list) / sizeof((list)[0]))

/* A request on this route that came with a credential in both headers. */
static struct gw_req *
request_on(enum gw_route_kind route)
{
    struct gw_arena *a = gw_arena_new();
    struct gw_req *req = gw_arena_alloc(a, sizeof(*req));
    struct gw_head *head = gw_arena_alloc(a, sizeof(*head));

    req->arena = a;
    req->head = head;
    req->decision.route = route;
    head->headers.present =
        (uint64_t)1 << GW_H_AUTHORIZATION | (uint64_t)1 << GW_H_X_KUBESPHERE_AUTHORIZATION;
    return req;
}

static void
walk(struct gw_req *req)
{
    assert_int_equal(gw_mod_identity.on[GW_REWRITE](req, NULL), GW_NEXT);
}

static void
expect_headers(const struct gw_req *req, const char *const *expected)
{
    unsigned n = 0;

    for (; expected[n] != NULL; n++) {
        char line[512];

        assert_true(n < req->up.n_add);
        assert_true(gw_header_name_ok(req->up.add[n].name));
        assert_true(gw_header_value_ok(req->up.add[n].value));
        (void)snprintf(line, sizeof(line), "%.*s: %.*s", GW_STR_ARG(req->up.add[n].name),
                       GW_STR_ARG(req->up.add[n].value));
        assert_string_equal(line, expected[n]);
        assert_true(gw_header_is_identity(req->up.add[n].name)); /* so no client can send it */
    }
    assert_int_equal(req->up.n_add, n);
}

static void
test_a_user(void **state)
{
    static const struct gw_str groups[] = {{"system:authenticated", 20}, {"dev team", 8}};
    static const struct gw_subject_extra extra[] = {
        {{"k", 1}, {"v", 1}},
        {{"Scopes/A b", 10}, {"x", 1}},
        {{"Scopes/A b", 10}, {"", 0}},
    };
    const char *const expected[] = {
        "X-Remote-User: admin",
        "X-Remote-Uid: 42",
        "X-Remote-Group: system:authenticated",
        "X-Remote-Group: dev team",
        "X-Remote-Extra-k: v",
        "X-Remote-Extra-scopes%2Fa%20b: x",
        "X-Remote-Extra-scopes%2Fa%20b: ",
        NULL,
    };
    struct gw_req *req = request_on(GW_ROUTE_EXTENSIONS);

    (void)state;
    req->identity = GW_IDENTITY_HEADERS;
    req->subject = (struct gw_subject){
        .name = GW_STR("admin"),
        .uid = GW_STR("42"),
        .groups = groups,
        .n_groups = N(groups),
        .extra = extra,
        .n_extra = N(extra),
    };
    walk(req);
    expect_headers(req, expected);
    gw_arena_free(req->arena);
}

/* Whatever a name holds, it is one header, and no two names are the same header. */
static void
test_names_are_escaped(void **state)
{
    static const struct {
        const char *name, *value;
    } cases[] = {
        {"tom", "tom"},
        {"a b", "a b"},
        {" a", "%20a"},
        {"a ", "a%20"},
        {"a\r\nX-Remote-User: root", "a%0D%0AX-Remote-User:%20root"},
        {"a\tb", "a%09b"},
        {"50%", "50%25"},
        {"%61", "%2561"},
        {"\xc3\xa9", "%C3%A9"},
        {"\x7f", "%7F"},
        {"kubesphere:serviceaccount:ns:sa", "kubesphere:serviceaccount:ns:sa"},
    };

    (void)state;
    for (size_t i = 0; i < N(cases); i++) {
        char line[256];
        const char *expected[] = {line, NULL};
        struct gw_req *req = request_on(GW_ROUTE_EXTENSIONS);

        (void)snprintf(line, sizeof(line), "X-Remote-User: %s", cases[i].value);
        req->identity = GW_IDENTITY_HEADERS;
        req->subject.name = gw_str_of(cases[i].name);
        walk(req);
        expect_headers(req, expected);
        gw_arena_free(req->arena);
    }
}

static void
test_only_when_asked_for(void **state)
{
    const char *const none[] = {NULL};
    struct gw_req *req = request_on(GW_ROUTE_EXTENSIONS);

    (void)state;
    req->subject.name = GW_STR("admin");
    walk(req);
    expect_headers(req, none);
    gw_arena_free(req->arena);
}

static void
test_the_credential(void **state)
{
    static const struct {
        enum gw_route_kind route;
        bool keep, expected;
    } cases[] = {
        {GW_ROUTE_CORE, false, true},        {GW_ROUTE_CONSOLE, false, true},
        {GW_ROUTE_EXTENSIONS, false, false}, {GW_ROUTE_EXTENSIONS, true, true},
        {GW_ROUTE_ADMIN, false, false},      {GW_N_ROUTES, false, false},
    };

    (void)state;
    for (size_t i = 0; i < N(cases); i++) {
        struct gw_req *req = request_on(cases[i].route);

        req->keep_authorization = cases[i].keep;
        walk(req);
        assert_int_equal(!gw_edits_removes(&req->up, GW_STR("Authorization")), cases[i].expected);
        assert_int_equal(!gw_edits_removes(&req->up, GW_STR("X-KubeSphere-Authorization")),
                         cases[i].expected);
        gw_arena_free(req->arena);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_user),
        cmocka_unit_test(test_names_are_escaped),
        cmocka_unit_test(test_only_when_asked_for),
        cmocka_unit_test(test_the_credential),
    };
    int failed = cmocka_run_group_tests_name("identity", tests, NULL, NULL);

    gw_arena_trim();
    return failed;
}
