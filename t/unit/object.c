/* object.c - what is an object, and what is said about what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/mem.h"
#include "registry/check.h"
#include "registry/splice.h"
#include "t/lib/registry_watcher.h"

#define ROLE "apiVersion: iam.kubesphere.io/v1beta1\nkind: GlobalRole\n"
#define CM   "apiVersion: v1\nkind: ConfigMap\n"
#define SVC  "apiVersion: ksgate.io/v1\nkind: ExtensionService\n"

struct object_case {
    const char *yaml, *key, *error;
};

/* clang-format off */
static const struct object_case cases[] = {
    {SVC "metadata: {name: devops}", "ksgate.io/ExtensionService//devops", NULL},
    {SVC "metadata: {name: a.b-c.0}", "ksgate.io/ExtensionService//a.b-c.0", NULL},
    {SVC "metadata: {name: a, namespace: ''}", "ksgate.io/ExtensionService//a", NULL},
    {CM "metadata: {name: a, namespace: b}", "/ConfigMap/b/a", NULL},
    {ROLE "metadata: {name: 'system:a b'}", "iam.kubesphere.io/GlobalRole//system:a b", NULL},
    {ROLE "metadata: {name: a, resourceVersion: '12'}", "iam.kubesphere.io/GlobalRole//a", NULL},
    {ROLE "metadata: {name: a, labels: null}", "iam.kubesphere.io/GlobalRole//a", NULL},

    {"[]", NULL, "1:1: error: an object (a map"},
    {"kind: Role", NULL, "an object needs an apiVersion"},
    {"apiVersion: v1\nkind: 5\nmetadata: {name: a}", NULL, "an object needs a kind"},
    {"apiVersion: ksgate.io/v1\nkind: ExtensionServise\nmetadata: {name: a}", NULL, "f.yaml:2:7: error: kind: \"ExtensionServise\" is not known (did you mean \"ExtensionService\"?)"},
    {"apiVersion: ksgate.io/v2\nkind: ExtensionService\nmetadata: {name: a}", NULL, "f.yaml:1:13: error: apiVersion: a ExtensionService is of ksgate.io/v1, not of \"ksgate.io/v2\""},
    {"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}", NULL, "\"Deployment\" of \"apps/v1\" is not kept"},
    {SVC, NULL, "metadata: must be a map"},
    {SVC "metadata: []", NULL, "f.yaml:3:11: error: metadata: must be a map"},
    {SVC "metadata: {}", NULL, "metadata.name: a name is needed"},
    {SVC "metadata: {name: true}", NULL, "f.yaml:3:12: error: metadata.name: a name is needed, as text"},
    {SVC "metadata: {name: Devops}", NULL, "f.yaml:3:18: error: metadata.name: \"Devops\" must be lower case"},
    {SVC "metadata: {name: a_b}", NULL, "must be lower case"},
    {SVC "metadata: {name: -a}", NULL, "must be lower case"},
    {SVC "metadata: {name: a-}", NULL, "must be lower case"},
    {SVC "metadata: {name: a..b}", NULL, "must be lower case"},
    {SVC "metadata: {name: a-.b}", NULL, "must be lower case"},
    {SVC "metadata: {name: a/b}", NULL, "must be lower case"},
    {ROLE "metadata: {name: a/b}", NULL, "must be a path segment"},
    {ROLE "metadata: {name: a%2fb}", NULL, "must be a path segment"},
    {ROLE "metadata: {name: '..'}", NULL, "must be a path segment"},
    {ROLE "metadata: {name: \"a\\nb\"}", NULL, "must be a path segment"},
    {ROLE "metadata: {name: a, namespace: b}", NULL, "a GlobalRole belongs to no namespace"},
    {CM "metadata: {name: a}", NULL, "a ConfigMap needs a namespace"},
    {CM "metadata: {name: a, namespace: a.b}", NULL, "metadata.namespace: \"a.b\" must be"},
    {SVC "metadata: {name: a, labels: [x]}", NULL, "metadata.labels: must be a map"},
    {SVC "metadata:\n  name: a\n  labels:\n    on: true", NULL, "f.yaml:6:5: error: metadata.labels.on: must be text"},
    {SVC "metadata: {name: a, annotations: {n: 5}}", NULL, "metadata.annotations.n: must be text"},
    {SVC "metadata: {name: a, resourceVersion: 12}", NULL, "metadata.resourceVersion: must be a number as text"},
    {SVC "metadata: {name: a, resourceVersion: x1}", NULL, "metadata.resourceVersion: must be a number as text"},
};
/* clang-format on */

static void
test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct gw_yaml y = {0};
        struct gw_diag diag = {0};
        struct gw_buf text = {0};

        assert_true(gw_yaml_read(&y, "f.yaml", gw_str_of(cases[i].yaml), &diag));
        struct gw_object *o = gw_object_new(y.docs[0], &y, &diag);
        gw_diag_format(&diag, &text);
        if (cases[i].key != NULL) {
            if (o == NULL) {
                fail_msg("%s: %s", cases[i].yaml, text.p);
                continue; /* fail_msg() does not come back */
            }
            assert_string_equal(o->key, cases[i].key);
            assert_int_equal(diag.n, 0);
        } else {
            assert_null(o);
            assert_words(cases[i].yaml, text.p, cases[i].error);
        }
        gw_yaml_fini(&y); /* the object keeps what it needs */
        if (o != NULL) {
            assert_string_equal(o->name, strrchr(o->key, '/') + 1);
        }
        gw_object_unref(o);
        gw_buf_fini(&text);
        gw_diag_fini(&diag);
    }
}

static json_t *
minimal(const char *name)
{
    return json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", "ksgate.io/v1", "kind", "Subscription",
                     "metadata", "name", name);
}

static void
assert_refused(json_t *json, const char *error)
{
    struct gw_diag diag = {0};

    assert_null(gw_object_new(json, NULL, &diag));
    assert_words("text", gw_diag_first(&diag), error);
    gw_diag_fini(&diag);
    json_decref(json);
}

static void
test_limits(void **state)
{
    struct gw_diag diag = {0};
    char name[256];
    json_t *json;

    (void)state;
    memset(name, 'a', 254);
    name[254] = '\0';
    assert_refused(minimal(name), "at most 253");
    name[253] = '\0';
    json = minimal(name);
    struct gw_object *o = gw_object_new(json, NULL, &diag);
    assert_non_null(o);
    gw_object_unref(o);

    /* the object is the first level */
    json_t *deep = json_integer(1);
    for (int i = 0; i < GW_OBJECT_DEPTH - 2; i++) {
        deep = json_pack("[o]", deep);
    }
    (void)json_object_set(json, "spec", deep);
    o = gw_object_new(json, NULL, &diag);
    assert_non_null(o);
    gw_object_unref(o);
    (void)json_object_set_new(json, "spec", json_pack("{s:o}", "x", deep));
    assert_refused(json, "deeper than 32 levels");

    json = minimal("big");
    char *value = gw_mem_alloc((1 << 20) + 1);
    memset(value, 'x', 1 << 20);
    (void)json_object_set_new(json, "spec", json_string(value));
    free(value);
    assert_refused(json, "at most 1048576 are kept");
    gw_diag_fini(&diag);
}

static void
check_nothing_with_bad(const struct gw_kind *kind, const json_t *json, const struct gw_yaml *source,
                       struct gw_diag *diag)
{
    (void)kind;
    if (json_object_get(json, "bad") != NULL) {
        gw_diag_error(diag, gw_yaml_key_place(source, json, "bad"), "bad is not good");
    } else {
        gw_diag_warn(diag, (struct gw_place){0}, "it might be better");
    }
}

static void
test_registered_check(void **state)
{
    struct gw_diag diag = {0};
    json_t *json = minimal("a");

    (void)state;
    gw_object_on_check(check_nothing_with_bad);
    struct gw_object *o = gw_object_new(json, NULL, &diag);
    assert_non_null(o);
    assert_int_equal(diag.n, 1); /* a warning is no error */
    gw_object_unref(o);
    (void)json_object_set_new(json, "bad", json_true());
    assert_null(gw_object_new(json, NULL, &diag));
    assert_string_equal(gw_diag_first(&diag), "bad is not good");
    o = gw_object_stored(json, &diag); /* what is stored is there, whatever we think of it */
    assert_non_null(o);
    gw_object_unref(o);
    gw_object_on_check(NULL);
    json_decref(json);
    gw_diag_fini(&diag);
}

static void
test_kinds(void **state)
{
    (void)state;
    for (const struct gw_kind *k = gw_kinds; k->kind != NULL; k++) {
        assert_ptr_equal(gw_kind_find(gw_str_of(k->group), gw_str_of(k->kind)), k);
        assert_ptr_equal(
            gw_kind_by_plural(gw_str_of(k->group), gw_str_of(k->version), gw_str_of(k->plural)), k);
    }
    assert_null(gw_kind_find(GW_STR("ksgate.io"), GW_STR("extensionservice")));
    assert_null(gw_kind_find(GW_STR(""), GW_STR("Role")));
    assert_null(gw_kind_by_plural(GW_STR("ksgate.io"), GW_STR("v2"), GW_STR("endpoints")));
}

static void
test_labels(void **state)
{
    struct gw_diag diag = {0};
    json_t *json = minimal("a");
    json_t *metadata = json_object_get(json, "metadata");

    (void)state;
    (void)json_object_set_new(metadata, "labels", json_pack("{s:s}", "x", "1"));
    (void)json_object_set_new(metadata, "annotations", json_pack("{s:s}", "y", "2"));
    struct gw_object *o = gw_object_new(json, NULL, &diag);
    assert_non_null(o);
    gw_object_unref(gw_object_ref(o));
    gw_object_unref(o);
    gw_object_unref(NULL);
    json_decref(json);
}

/* The stored text: metadata first, sorted, with what the registry adds; and back. */
static void
test_splice(void **state)
{
    struct gw_diag diag = {0};
    struct gw_buf text = {0};
    json_t *json = json_loads(
        "{\"spec\":{\"z\":1,\"a\":[]},\"kind\":\"Subscription\",\"apiVersion\":\"ksgate.io/v1\","
        "\"metadata\":{\"uid\":\"no\",\"resourceVersion\":\"3\",\"name\":\"s\"}}",
        0, NULL);
    struct gw_object *o = gw_object_new(json, NULL, &diag);

    (void)state;
    assert_non_null(o);
    assert_int_equal(o->revision, 3);
    char *bare = gw_object_bare(o);
    assert_string_equal(bare, "{\"metadata\":{\"name\":\"s\"},\"apiVersion\":\"ksgate.io/v1\","
                              "\"kind\":\"Subscription\",\"spec\":{\"a\":[],\"z\":1}}");
    gw_splice(&text, bare, "U", "C", 18446744073709551615U);
    assert_string_equal(text.p, "{\"metadata\":{\"uid\":\"U\",\"creationTimestamp\":\"C\","
                                "\"resourceVersion\":\"18446744073709551615\",\"name\":\"s\"},"
                                "\"apiVersion\":\"ksgate.io/v1\",\"kind\":\"Subscription\","
                                "\"spec\":{\"a\":[],\"z\":1}}");
    struct gw_object *back = gw_splice_read(gw_buf_text(&text), o->key, &diag);
    assert_non_null(back);
    assert_true(back->revision == 18446744073709551615U);
    assert_null(gw_splice_read(gw_buf_text(&text), "ksgate.io/Subscription//t", &diag));
    assert_non_null(strstr(gw_diag_first(&diag), "it says that it is"));
    gw_object_unref(back);
    gw_object_unref(o);
    gw_buf_fini(&text);
    gw_diag_fini(&diag);
    free(bare);
    json_decref(json);
}

static void
test_uid(void **state)
{
    char a[37];
    char b[37];

    (void)state;
    gw_object_uid(a);
    gw_object_uid(b);
    assert_string_not_equal(a, b);
    assert_int_equal(strspn(a, "0123456789abcdef-"), 36);
    assert_int_equal(a[14], '4');
    assert_non_null(strchr("89ab", a[19]));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),  cmocka_unit_test(test_limits),
        cmocka_unit_test(test_kinds),  cmocka_unit_test(test_registered_check),
        cmocka_unit_test(test_labels), cmocka_unit_test(test_splice),
        cmocka_unit_test(test_uid),
    };

    return cmocka_run_group_tests_name("object", tests, NULL, NULL);
}
