/* jwt_step.c - where a credential may stand, and what becomes of one that is not good. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/worlds.h"
#include "modules/jwt_issuers.h"

extern const struct gw_module gw_mod_jwt;

#define N(list) (sizeof(list) / sizeof((list)[0]))

/* KubeSphere's own, by this secret: a service account's without an end, and admin's. */
#define SECRET "gateway-test-secret-0123456789abcdef"
#define HEAD                                                                                      \
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwOi8va3MtY29uc29sZS5rdWJlc3BoZXJlLXN5c3" \
    "RlbS5zdmM6MzA4ODAiLCJzdWIiOi"
#define ADMIN                                                                                     \
    HEAD "JhZG1pbiIsImlhdCI6MTc5NTQwNTk5NywidG9rZW5fdHlwZSI6InN0YXRpY190b2tlbiIsInVzZXJuYW1lIjoi" \
         "YWRtaW4ifQ.8qn7yJ0W9Bf4ZLrplqcPCYfIQOIOca5Zu9hYuVt9-I0"
#define FORGED    HEAD "JhZG1pbiJ9.8qn7yJ0W9Bf4ZLrplqcPCYfIQOIOca5Zu9hYuVt9-I0"
#define ISSUED_MS 1795405997000ULL

static struct gw_arena *arena;
static struct gw_world *world;
static void *conf;
static char secret_file[] = "/tmp/ksgate-secret-XXXXXX";

/* The settings; a row more is another configuration. */
static void *
load(const char *more)
{
    struct gw_diag diag = {0};
    struct gw_loader l = {.arena = arena, .diag = &diag};
    void *c = gw_arena_alloc(arena, gw_mod_jwt.conf_size);
    json_t *json =
        json_pack("{s:[{s:s, s:s}]}", "issuers", "issuer",
                  "http://ks-console.kubesphere-system.svc:30880", "secret_file", secret_file);

    if (more != NULL) {
        json_object_set_new(json, "token_cache", json_string(more));
    }
    assert_true(gw_schema_load(&l, c, json, gw_mod_jwt.settings, "authentication", NULL));
    assert_true(gw_mod_jwt.open(c, &l));
    json_decref(json);
    gw_diag_fini(&diag);
    return c;
}

static void
add_header(struct gw_headers *h, enum gw_header_id id, const char *value)
{
    if (value != NULL) {
        h->list[h->n++] = (struct gw_header){.id = (unsigned short)id, .value = gw_str_of(value)};
        h->present |= (uint64_t)1 << id;
    }
}

static struct gw_req *
request_of(enum gw_route_kind route, const char *authorization, const char *second,
           const char *kubesphere)
{
    struct gw_arena *a = gw_arena_new();
    struct gw_req *req = gw_arena_alloc(a, sizeof(*req));
    struct gw_head *head = gw_arena_alloc(a, sizeof(*head));

    req->arena = a;
    req->world = world;
    req->head = head;
    req->decision.route = route;
    req->decision.wall_ms = ISSUED_MS;
    req->info.path = GW_STR("/kapis/x");
    head->headers.list = gw_arena_alloc(a, 4 * sizeof(struct gw_header));
    add_header(&head->headers, GW_H_AUTHORIZATION, authorization);
    add_header(&head->headers, GW_H_ACCEPT, "*/*");
    add_header(&head->headers, GW_H_AUTHORIZATION, second);
    add_header(&head->headers, GW_H_X_KUBESPHERE_AUTHORIZATION, kubesphere);
    return req;
}

static enum gw_verdict
authenticate(struct gw_req *req)
{
    return gw_mod_jwt.on[GW_ACCESS](req, conf);
}

/* NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding) */
static const struct {
    enum gw_route_kind route;
    const char *authorization, *second, *kubesphere;
    enum gw_err err;
    const char *user; /* of those that are let in */
} cases[] = {
    {GW_ROUTE_CORE, NULL, NULL, NULL, GW_ERR_OK, "system:anonymous"},
    {GW_ROUTE_CORE, "Bearer " ADMIN, NULL, NULL, GW_ERR_OK, "admin"},
    {GW_ROUTE_CORE, "bEaReR " ADMIN, NULL, NULL, GW_ERR_OK, "admin"},
    {GW_ROUTE_EXTENSIONS, "Bearer " ADMIN, NULL, NULL, GW_ERR_OK, "admin"},
    {GW_ROUTE_ADMIN, "Bearer " ADMIN, NULL, NULL, GW_ERR_OK, "admin"},
    {GW_ROUTE_CORE, NULL, NULL, "Bearer " ADMIN, GW_ERR_OK, "admin"},
    {GW_ROUTE_CORE, "Bearer " ADMIN, NULL, "Bearer " ADMIN, GW_ERR_OK, "admin"},
    {GW_ROUTE_CORE, "Bearer " ADMIN, NULL, "Bearer " FORGED, GW_ERR_TWO_CREDENTIALS, NULL},
    {GW_ROUTE_CORE, "Bearer " ADMIN, NULL, "bearer " ADMIN, GW_ERR_TWO_CREDENTIALS, NULL},
    {GW_ROUTE_CORE, "", NULL, "Bearer " ADMIN, GW_ERR_TWO_CREDENTIALS, NULL},
    {GW_ROUTE_CORE, "Bearer " ADMIN, "Bearer " ADMIN, NULL, GW_ERR_TWO_CREDENTIALS, NULL},
    {GW_ROUTE_CORE, "Basic YTpi", "Bearer " ADMIN, NULL, GW_ERR_TWO_CREDENTIALS, NULL},
    {GW_ROUTE_CORE, "Bearer  " ADMIN, NULL, NULL, GW_ERR_TOKEN_MALFORMED, NULL},
    {GW_ROUTE_CORE, "Bearer " ADMIN " junk", NULL, NULL, GW_ERR_TOKEN_MALFORMED, NULL},
    {GW_ROUTE_CORE, "Bearer", NULL, NULL, GW_ERR_TOKEN_MALFORMED, NULL},
    {GW_ROUTE_CORE, "Bearer abc", NULL, NULL, GW_ERR_TOKEN_MALFORMED, NULL},
    {GW_ROUTE_CORE, "Bearer " FORGED, NULL, NULL, GW_ERR_TOKEN_SIGNATURE, NULL},
    {GW_ROUTE_CORE, ADMIN, NULL, NULL, GW_ERR_BAD_SCHEME, NULL},
    {GW_ROUTE_CORE, "Token abc", NULL, NULL, GW_ERR_BAD_SCHEME, NULL},
    {GW_ROUTE_CORE, "", NULL, NULL, GW_ERR_BAD_SCHEME, NULL},
    {GW_ROUTE_CORE, "Basic YTpi", NULL, NULL, GW_ERR_OK, "system:anonymous"},
    {GW_ROUTE_EXTENSIONS, "Basic YTpi", NULL, NULL, GW_ERR_BAD_SCHEME, NULL},
    {GW_ROUTE_ADMIN, "Basic YTpi", NULL, NULL, GW_ERR_BAD_SCHEME, NULL},
};

static void
test_credentials(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(cases); i++) {
        struct gw_req *req = request_of(cases[i].route, cases[i].authorization, cases[i].second,
                                        cases[i].kubesphere);
        enum gw_verdict v = authenticate(req);
        enum gw_err err = v == GW_FAIL ? req->err : req->credential_err;
        const char *user = cases[i].user == NULL ? "system:anonymous" : cases[i].user;

        /* Two credentials end the request at once: nobody knows which one is meant. */
        if (err != cases[i].err || (v == GW_FAIL) != (err == GW_ERR_TWO_CREDENTIALS) ||
            !gw_str_eq(req->subject.name, gw_str_of(user))) {
            fail_msg("case %zu: %s, %.*s", i, gw_err_name(err), GW_STR_ARG(req->subject.name));
        }
        assert_int_equal(req->subject.anonymous, strcmp(user, "system:anonymous") == 0);
        gw_arena_free(req->arena);
    }
}

/* Whether nobody is good enough is rbac's to say: a credential that is no good ends nothing yet,
 * since a token that has expired must not keep anyone from a new one. */
static void
test_bad_credential_makes_nobody(void **state)
{
    static const enum gw_route_kind routes[] = {GW_ROUTE_CORE, GW_ROUTE_EXTENSIONS, GW_ROUTE_ADMIN};

    (void)state;
    for (size_t i = 0; i < N(routes); i++) {
        struct gw_req *req = request_of(routes[i], "Bearer " FORGED, NULL, NULL);

        assert_int_equal(authenticate(req), GW_NEXT);
        assert_int_equal(req->credential_err, GW_ERR_TOKEN_SIGNATURE);
        assert_true(req->subject.anonymous);
        assert_string_equal(req->decision.authentication, "token_signature");
        gw_arena_free(req->arena);
    }
}

static void
test_the_subject_is_left_alone(void **state)
{
    struct gw_req *req = request_of(GW_ROUTE_ADMIN, "Bearer " FORGED, NULL, NULL);

    (void)state;
    req->subject.trusted = true;
    assert_int_equal(authenticate(req), GW_NEXT);
    assert_string_equal(req->decision.authentication, "admin-socket");
    gw_arena_free(req->arena);

    req = request_of(GW_ROUTE_CORE, "Bearer " FORGED, NULL, NULL);
    req->dry = true;
    req->subject.name = GW_STR("tom");
    assert_int_equal(authenticate(req), GW_NEXT);
    assert_true(gw_str_eq(req->subject.name, GW_STR("tom")));
    gw_arena_free(req->arena);
}

static void
expect_how(const char *how)
{
    struct gw_req *req = request_of(GW_ROUTE_CORE, "Bearer " ADMIN, NULL, NULL);

    assert_int_equal(authenticate(req), GW_NEXT);
    assert_string_equal(req->decision.authentication, how);
    assert_true(gw_str_eq(req->subject.name, GW_STR("admin")));
    assert_true(
        gw_str_eq(req->decision.issuer, GW_STR("http://ks-console.kubesphere-system.svc:30880")));
    gw_arena_free(req->arena);
}

static void
test_a_token_is_verified_once(void **state)
{
    void *first = conf;
    struct gw_req *held = NULL;

    (void)state;
    conf = load(NULL); /* with an empty cache */
    expect_how("jwt");
    expect_how("jwt-cached");
    held = request_of(GW_ROUTE_CORE, "Bearer " ADMIN, NULL, NULL);
    assert_int_equal(authenticate(held), GW_NEXT);
    gw_mod_jwt.close(conf);

    conf = load(NULL); /* a reload: nothing that was good before is taken for good */
    expect_how("jwt");
    expect_how("jwt-cached");
    assert_true(gw_str_eq(held->subject.name, GW_STR("admin"))); /* although its cache is gone */
    gw_arena_free(held->arena);
    gw_mod_jwt.close(conf);

    conf = load("0"); /* no cache */
    expect_how("jwt");
    expect_how("jwt");
    gw_mod_jwt.close(conf);
    conf = first;
}

static void
test_a_dry_run_changes_nothing(void **state)
{
    void *first = conf;
    struct gw_req *req = request_of(GW_ROUTE_CORE, "Bearer " ADMIN, NULL, NULL);

    (void)state;
    conf = load(NULL);
    req->dry = true;
    assert_int_equal(authenticate(req), GW_NEXT);
    assert_true(gw_str_eq(req->subject.name, GW_STR("admin")));
    gw_arena_free(req->arena);
    expect_how("jwt"); /* it was not remembered */
    gw_mod_jwt.close(conf);
    conf = first;
}

/* A Revocation with that spec is all there is; NULL: none. */
static void
put_revocation(const char *spec)
{
    struct gw_diag diag = {0};
    struct gw_change change = {.revision = 1};
    char key[] = "ksgate.io/Revocation//r";
    char text[512];

    (void)snprintf(text, sizeof(text),
                   "{\"apiVersion\": \"ksgate.io/v1\", \"kind\": \"Revocation\", \"metadata\": "
                   "{\"name\": \"r\"}, \"spec\": %s}",
                   spec == NULL ? "{}" : spec);
    json_t *json = json_loads(text, 0, NULL);
    change.object = spec == NULL ? NULL : gw_object_new(json, NULL, &diag);
    assert_int_equal(change.object == NULL, spec == NULL);
    change.key = key;
    struct gw_batch *b = gw_batch_compile(NULL, &change, 1, 1, false, &diag);
    gw_world_apply(world, b);
    gw_batch_unref(b);
    gw_object_unref(change.object);
    json_decref(json);
    gw_diag_fini(&diag);
}

static void
expect_revoked(bool dry)
{
    struct gw_req *req = request_of(GW_ROUTE_CORE, "Bearer " ADMIN, NULL, NULL);

    req->dry = dry;
    assert_int_equal(authenticate(req), GW_NEXT);
    assert_int_equal(req->credential_err, GW_ERR_TOKEN_REVOKED);
    assert_string_equal(req->decision.authentication, "token_revoked");
    assert_true(req->subject.anonymous);
    gw_arena_free(req->arena);
}

static void
test_revocation(void **state)
{
    void *first = conf;

    (void)state;
    conf = load(NULL);
    put_revocation("{\"user\": \"admin\", \"before\": \"2026-12-31T00:00:00Z\"}");
    expect_revoked(false); /* seen for the first time */
    expect_revoked(false); /* and remembered */
    put_revocation("{\"user\": \"tom\", \"before\": \"2026-12-31T00:00:00Z\"}");
    expect_how("jwt-cached");

    struct gw_req *within = request_of(GW_ROUTE_CORE, "Bearer " ADMIN, NULL, NULL);
    struct gw_req *other = request_of(GW_ROUTE_CORE, NULL, NULL, NULL);
    assert_int_equal(authenticate(within), GW_NEXT);
    assert_int_equal(authenticate(other), GW_NEXT);
    assert_true(gw_world_take_doubt(world));
    assert_false(gw_world_take_doubt(world));
    assert_int_equal(gw_mod_jwt.review(within), GW_ERR_OK);
    put_revocation("{\"user\": \"admin\", \"before\": \"2026-12-31T00:00:00Z\"}");
    assert_true(gw_world_take_doubt(world));
    assert_int_equal(gw_mod_jwt.review(within), GW_ERR_TOKEN_REVOKED);
    assert_int_equal(gw_mod_jwt.review(other), GW_ERR_OK);
    expect_revoked(true);
    gw_arena_free(within->arena);
    gw_arena_free(other->arena);

    put_revocation(NULL); /* it was an error */
    assert_false(gw_world_take_doubt(world));
    expect_how("jwt-cached");
    gw_mod_jwt.close(conf);
    conf = first;
}

static int
set_up(void **state)
{
    int fd = mkstemp(secret_file);

    (void)state;
    if (fd < 0 || write(fd, SECRET "\n", sizeof(SECRET)) != (ssize_t)sizeof(SECRET)) {
        return -1;
    }
    (void)close(fd);
    arena = gw_arena_new();
    world = gw_world_new(0, NULL, NULL, 0);
    conf = load(NULL);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    gw_mod_jwt.close(conf);
    gw_world_free(world);
    gw_arena_free(arena);
    gw_arena_trim();
    return unlink(secret_file);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_credentials),
        cmocka_unit_test(test_bad_credential_makes_nobody),
        cmocka_unit_test(test_the_subject_is_left_alone),
        cmocka_unit_test(test_a_token_is_verified_once),
        cmocka_unit_test(test_a_dry_run_changes_nothing),
        cmocka_unit_test(test_revocation),
    };

    return cmocka_run_group_tests_name("jwt_step", tests, set_up, tear_down);
}
