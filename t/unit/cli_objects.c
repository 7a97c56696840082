/* cli_objects.c - kinds as people type them, their paths, and ages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "server/cli_objects.h"
#include "server/columns.h"

static int
run(const struct gw_cli *c)
{
    (void)c;
    return GW_EXIT_OK;
}

static const struct gw_command command = {"get", "Gets.", run, false};
static const struct gw_cli cli = {.program = "ksgate", .command = &command};

static const struct {
    const char *typed, *ns, *name, *path; /* path NULL: there is no such kind */
} cases[] = {
    {"es", NULL, NULL, "/-/apis/ksgate.io/v1/extensionservices"},
    {"ExtensionService", NULL, "devops", "/-/apis/ksgate.io/v1/extensionservices/devops"},
    {"extensionservices", "ignored", "x", "/-/apis/ksgate.io/v1/extensionservices/x"},
    {"endpoints", NULL, "devops.pod-1", "/-/apis/ksgate.io/v1/endpoints/devops.pod-1"},
    {"ns", NULL, "default", "/-/api/v1/namespaces/default"},
    {"cm", "default", NULL, "/-/api/v1/namespaces/default/configmaps"},
    {"secret", NULL, NULL, "/-/api/v1/secrets"},
    {"role", "p", "admin", "/-/apis/iam.kubesphere.io/v1beta1/namespaces/p/roles/admin"},
    {"globalrolebinding", NULL, "u:a b",
     "/-/apis/iam.kubesphere.io/v1beta1/globalrolebindings/u%3Aa%20b"},
    {"categories.iam.kubesphere.io", NULL, NULL, "/-/apis/iam.kubesphere.io/v1beta1/categories"},
    {"categories.kubesphere.io", NULL, NULL, "/-/apis/kubesphere.io/v1alpha1/categories"},
    {"extensionservice.kubesphere.io", NULL, NULL, NULL},
    {"pods", NULL, NULL, NULL},
    {"", NULL, NULL, NULL},
};

static void
test_kinds_and_paths(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct gw_kind *kind = gw_cli_kind(&cli, cases[i].typed);
        struct gw_buf path = {0};

        if (cases[i].path == NULL) {
            assert_null(kind);
            continue;
        }
        assert_non_null(kind);
        gw_cli_object_path(&path, kind, gw_str_of(cases[i].ns), gw_str_of(cases[i].name));
        assert_string_equal(path.p, cases[i].path);
        gw_buf_fini(&path);
    }
}

static void
test_every_kind_is_found_by_its_names(void **state)
{
    (void)state;
    for (const struct gw_kind *k = gw_kinds; k->kind != NULL; k++) {
        struct gw_buf full = {0};

        gw_buf_printf(&full, "%s.%s", k->plural, k->group);
        assert_ptr_equal(gw_cli_kind(&cli, full.p), k);
        assert_string_equal(gw_cli_kind(&cli, k->kind)->kind, k->kind);
        gw_buf_fini(&full);
    }
}

static void
test_ages(void **state)
{
    static const struct {
        const char *from, *age;
    } ages[] = {
        {"1970-01-05T00:00:00Z", "0s"},
        {"1970-01-04T23:58:10.500Z", "110s"},
        {"1970-01-04T23:30:00Z", "30m"},
        {"1970-01-04T12:00:00Z", "12h"},
        {"1970-01-02T00:00:00Z", "3d"},
        {"1970-01-06T00:00:00Z", "0s"},
        {"yesterday", "-"},
        {NULL, "-"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++) {
        struct gw_buf out = {0};

        gw_columns_age(&out, ages[i].from, 345600000);
        assert_string_equal(out.p, ages[i].age);
        gw_buf_fini(&out);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds_and_paths),
        cmocka_unit_test(test_every_kind_is_found_by_its_names),
        cmocka_unit_test(test_ages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
