/* jwt_users.c - which names the registered users and service accounts let in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/worlds.h"
#include "modules/jwt_users.h"
#include "modules/jwt_verify.h"

static struct gw_world *world;

static void
put(const char *key, const char *status)
{
    json_t *json = status == NULL ? NULL : json_pack("{s:{s:s}}", "status", "state", status);
    struct gw_piece *piece =
        json == NULL ? NULL : gw_jwt_users_view.compile(NULL, json, NULL, NULL);

    gw_jwt_users_view.put(gw_world_index(world, &gw_jwt_users_view), key, piece);
    gw_piece_unref(piece);
    json_decref(json);
}

static bool
have(const char *name)
{
    return gw_jwt_users_have(world, gw_str_of(name));
}

static void
test_users(void **state)
{
    (void)state;
    assert_false(have("admin"));
    put("iam.kubesphere.io/User//admin", "Active");
    put("iam.kubesphere.io/User//limited", "AuthLimitExceeded"); /* of passwords: tokens go on */
    put("iam.kubesphere.io/User//bob", "Disabled");
    assert_true(have("admin"));
    assert_true(have("limited"));
    assert_false(have("bob"));
    assert_false(have("Admin"));
    assert_false(have("admi"));
    assert_false(have("/admin"));
    assert_false(have(""));
    assert_true(have("system:pre-registration"));
    assert_false(have("system:pre-registration2"));
    put("iam.kubesphere.io/User//bob", "Active");
    put("iam.kubesphere.io/User//admin", "Disabled");
    assert_true(have("bob"));
    assert_false(have("admin"));
    put("iam.kubesphere.io/User//bob", NULL);
    put("iam.kubesphere.io/User//nobody", NULL);
    assert_false(have("bob"));
}

/* A user is no service account, whatever the name, and the other way round. */
static void
test_service_accounts(void **state)
{
    char name[GW_JWT_NAME_MAX + 2];

    (void)state;
    put("kubesphere.io/ServiceAccount/proj/robot", "");
    put("iam.kubesphere.io/User//robot2", "Active");
    assert_true(have("kubesphere:serviceaccount:proj:robot"));
    assert_false(have("kubesphere:serviceaccount:proj:robot2"));
    assert_false(have("kubesphere:serviceaccount:other:robot"));
    assert_false(have("kubesphere:serviceaccount:proj"));
    assert_false(have("kubesphere:serviceaccount:"));
    assert_false(have("kubesphere:serviceaccount::robot"));
    assert_false(have("kubesphere:serviceaccount:../User/:robot2"));
    assert_false(have("robot"));
    memset(name, 'x', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    assert_false(have(name)); /* longer than any that a token may name */
    name[GW_JWT_NAME_MAX] = '\0';
    assert_false(have(name));
}

static int
set_up(void **state)
{
    (void)state;
    world = gw_world_new(0, NULL, NULL, 0);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    gw_world_free(world);
    gw_arena_trim();
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_users),
        cmocka_unit_test(test_service_accounts),
    };

    return cmocka_run_group_tests_name("jwt_users", tests, set_up, tear_down);
}
