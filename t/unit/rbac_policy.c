#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "modules/rbac_policy.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

/* Single quotes are easier to read in C. */
static struct gw_str
quoted(char *into, size_t size, const char *text)
{
    (void)snprintf(into, size, "%s", text);
    for (char *p = into; *p != '\0'; p++) {
        if (*p == '\'') {
            *p = '"';
        }
    }
    return gw_str_of(into);
}

#define TEXT(lit)              \
    {                          \
        (lit), sizeof(lit) - 1 \
    }

static const struct gw_request_info own_user = {
    .verb = TEXT("update"),
    .api_group = TEXT("iam.kubesphere.io"),
    .resource = TEXT("users"),
    .name = TEXT("tom"),
    .scope = TEXT("Global"),
    .path = TEXT("/kapis/iam.kubesphere.io/v1beta1/users/tom"),
    .is_resource = true,
};
static const struct gw_request_info api_root = {
    .verb = TEXT("GET"),
    .path = TEXT("/api/v1"),
    .is_kubernetes = true,
};

static void
test_clauses(void **state)
{
    static const struct {
        const char *policy;
        const struct gw_request_info *info;
        const char *user;
        bool allows;
    } cases[] = {
        {"[{'resources': ['users'], 'nameIs': '{user}'}]", &own_user, "tom", true},
        {"[{'resources': ['users'], 'nameIs': '{user}'}]", &own_user, "ann", false},
        {"[{'resources': ['users'], 'nameIs': '{user}'}]", &own_user, "", false},
        {"[{'nameIs': 't{user}'}]", &own_user, "om", true},
        {"[{'nameIs': '{user}m'}]", &own_user, "to", true},
        {"[{'nameIs': 'tom'}]", &own_user, "ann", true},
        {"[{'nameIs': 'tomm'}]", &own_user, "tom", false},
        {"[{'verbs': ['get']}]", &own_user, "tom", false},
        {"[{'verbs': ['get']}, {'scopes': ['Global']}]", &own_user, "tom", true},
        {"[{'verbs': ['*'], 'scopes': ['Cluster']}]", &own_user, "tom", false},
        {"[{'verbs': ['*']}]", &own_user, "tom", true},
        {"[{'verbs': []}]", &own_user, "tom", false},
        {"[{'names': ['ann', 'tom']}]", &own_user, "x", true},
        {"[{'subresources': ['password']}]", &own_user, "x", false},
        {"[{'subresources': ['']}]", &own_user, "x", true},
        {"[{'kubernetesRequest': false}]", &own_user, "x", true},
        {"[{'kubernetesRequest': false}]", &api_root, "x", false},
        {"[{'resourceRequest': false}]", &api_root, "x", true},
        {"[{'paths': ['/api', '/api/v1'], 'verbs': ['GET']}]", &api_root, "x", true},
        {"[{'paths': ['/api', '/api/v1'], 'verbs': ['get']}]", &api_root, "x", false},
        {"[{'paths': ['/api']}]", &api_root, "x", false},
        {"[{'paths': ['/api/*']}]", &api_root, "x", true},
        {"[]", &api_root, "x", false},
    };
    char text[300];
    char why[200];

    (void)state;
    for (size_t i = 0; i < N(cases); i++) {
        struct gw_rbac_policy p = {0};

        assert_true(gw_rbac_policy_read(&p, quoted(text, sizeof(text), cases[i].policy), why));
        if (gw_rbac_policy_allows(&p, cases[i].info, gw_str_of(cases[i].user)) != cases[i].allows) {
            fail_msg("%s for \"%s\"", cases[i].policy, cases[i].user);
        }
        gw_rbac_policy_fini(&p);
    }
}

static void
test_lists_that_allow_nothing(void **state)
{
    static const struct {
        const char *policy, *why;
    } cases[] = {
        {"not a policy", "it is no JSON"},
        {"", "it is no JSON"},
        {"{'verbs': ['get']}", "not a list of clauses"},
        {"'invalid'", "it is no JSON"},
        {"[{'scopes': ['Global']}, {}]", "clause 1 is not an object with conditions"},
        {"[{'scopes': ['Global']}, 7]", "clause 1 is not an object"},
        {"[{'scopes': ['Planet']}]", "clause 0: \"scopes\" is not a list of texts that can be"},
        {"[{'scope': ['Global']}]", "clause 0: \"scope\" is not known (did you mean scopes?)"},
        {"[{'verbs': 'get'}]", "clause 0: \"verbs\" is not a list"},
        {"[{'verbs': null}]", "clause 0: \"verbs\" is not a list"},
        {"[{'verbs': [1]}]", "clause 0: \"verbs\" is not a list"},
        {"[{'nameIs': '{user}-{user}'}]", "clause 0: \"nameIs\" is not a text with {user}"},
        {"[{'nameIs': '{group}'}]", "clause 0: \"nameIs\""},
        {"[{'nameIs': ''}]", "clause 0: \"nameIs\""},
        {"[{'kubernetesRequest': 'no'}]", "is not true or false"},
        {"[{'verbs': ['*'], 'verbs': ['get']}]", "it is no JSON: duplicate"},
    };
    char text[300];
    char why[200];

    (void)state;
    for (size_t i = 0; i < N(cases); i++) {
        struct gw_rbac_policy p = {0};

        assert_true(gw_rbac_policy_read(&p, GW_STR("[{\"verbs\": [\"x\"]}]"), why));
        assert_false(gw_rbac_policy_read(&p, quoted(text, sizeof(text), cases[i].policy), why));
        if (strstr(why, cases[i].why) == NULL) {
            fail_msg("%s says \"%s\", not \"%s\"", cases[i].policy, why, cases[i].why);
        }
        assert_int_equal(p.n, 1); /* what was there before stays */
        assert_false(gw_rbac_policy_allows(&p, &own_user, GW_STR("tom")));
        gw_rbac_policy_fini(&p);
    }
}

static void
test_rego_is_folded(void **state)
{
    static const struct {
        const char *text, *folded;
    } cases[] = {
        {"", ""},
        {"  \n\t ", ""},
        {"# only a comment", ""},
        {"package authz\n\ndefault allow = false # no\n  # why\nallow {\n\tx == 1\r\n}\n",
         "package authz default allow = false allow { x == 1 }"},
        {"a#b\nc", "a c"},
        {"a\v\fb", "a b"},
    };

    (void)state;
    for (size_t i = 0; i < N(cases); i++) {
        char *folded = gw_rbac_policy_fold(gw_str_of(cases[i].text));

        assert_string_equal(folded, cases[i].folded);
        free(folded);
    }
}

static void
test_the_known_fingerprints(void **state)
{
    static const struct {
        const char *sha256;
        unsigned clauses;
        bool own_user, cluster_delete, cluster_list;
    } cases[] = {
        {"3a98cc2c7ddb98fc5af9680ee5e275e505969c5e8025f7d1fe18f4cb460850a2", 5, true, false, false},
        {"14896969c688b6d8255ee2ec989ccd3bc689e534eabf9badaf35f2a08072ed3f", 1, false, true, true},
        {"496c32b03f35d2c34cff1c8df111168355d8d2c3a7943b7bef9604ff5d35c526", 1, false, false, true},
        {"f3609a66bdcfaa337f9d628a988f4dc71aa4e589e5f8e99fb216ee9b79d17479", 1, false, true, true},
    };
    struct gw_request_info on_cluster = {
        .resource = GW_STR("nodes"), .scope = GW_STR("Cluster"), .is_resource = true};

    (void)state;
    for (size_t i = 0; i < N(cases); i++) {
        struct gw_rbac_policy p = {0};
        struct gw_str tom = GW_STR("tom");

        assert_true(gw_rbac_policy_of_sha256(&p, cases[i].sha256));
        assert_int_equal(p.n, cases[i].clauses);
        assert_int_equal(gw_rbac_policy_allows(&p, &own_user, tom), cases[i].own_user);
        on_cluster.verb = GW_STR("delete");
        assert_int_equal(gw_rbac_policy_allows(&p, &on_cluster, tom), cases[i].cluster_delete);
        on_cluster.verb = GW_STR("list");
        assert_int_equal(gw_rbac_policy_allows(&p, &on_cluster, tom), cases[i].cluster_list);
        gw_rbac_policy_fini(&p);
    }
}

static void
test_other_rego_allows_nothing(void **state)
{
    struct gw_rbac_policy p = {0};

    (void)state;
    assert_false(gw_rbac_policy_of_rego(&p, GW_STR("package authz\ndefault allow = true\n")));
    assert_false(gw_rbac_policy_of_rego(&p, GW_STR("")));
    assert_int_equal(p.n, 0);
    gw_rbac_policy_fini(&p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clauses),
        cmocka_unit_test(test_lists_that_allow_nothing),
        cmocka_unit_test(test_rego_is_folded),
        cmocka_unit_test(test_the_known_fingerprints),
        cmocka_unit_test(test_other_rego_allows_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
