/* admin_select.c - which objects a list's query asks for; and merge patches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "server/admin_select.h"
#include "server/admin_write.h"

#define N_OBJECTS 4

static struct gw_object *objects[N_OBJECTS];

/* a: tier=front,canary; b: tier=back; c: none; d: tier=front */
static const char *const labels[N_OBJECTS] = {
    "{\"tier\": \"front\", \"canary\": \"\"}",
    "{\"tier\": \"back\"}",
    "{}",
    "{\"tier\": \"front\"}",
};

static int
make_objects(void **state)
{
    (void)state;
    for (int i = 0; i < N_OBJECTS; i++) {
        char text[256];
        struct gw_diag diag = {0};

        (void)snprintf(text, sizeof(text),
                       "{\"apiVersion\": \"ksgate.io/v1\", \"kind\": \"ExtensionService\", "
                       "\"metadata\": {\"name\": \"%c\", \"labels\": %s}}",
                       'a' + i, labels[i]);
        json_t *json = json_loads(text, 0, NULL);
        objects[i] = gw_object_stored(json, &diag);
        json_decref(json);
        gw_diag_fini(&diag);
        if (objects[i] == NULL) {
            return -1;
        }
    }
    return 0;
}

static int
free_objects(void **state)
{
    (void)state;
    for (int i = 0; i < N_OBJECTS; i++) {
        gw_object_unref(objects[i]);
    }
    return 0;
}

static const struct {
    const char *query, *taken; /* NULL: refused */
} cases[] = {
    {"", "abcd"},
    {"labelSelector=tier%3Dfront", "ad"},
    {"labelSelector=tier%3D%3Dfront", "ad"},
    {"labelSelector=tier!%3Dfront", "bc"},
    {"labelSelector=tier", "abd"},
    {"labelSelector=!tier", "c"},
    {"labelSelector=tier%3Dfront%2C!canary", "d"},
    {"labelSelector=canary%3D", "a"},
    {"labelSelector=tier%20%3D%20back", "b"},
    {"labelSelector=tier+in+(front,back)", "abd"},
    {"labelSelector=tier+in+(front,back),canary", "a"},
    {"labelSelector=tier+in+(+front+,+x+)", "ad"},
    {"labelSelector=tier+in(back)", "b"},
    {"labelSelector=canary,tier+in+(front)", "a"},
    {"labelSelector=canary+in+()", "a"},
    {"labelSelector=canary+in+(x,)", "a"},
    {"labelSelector=tier+notin+(front)", "bc"},
    {"labelSelector=tier+notin+(front,back),!canary", "c"},
    {"labelSelector=tier+out+(front)", NULL},
    {"labelSelector=tier+in+(front", NULL},
    {"labelSelector=tier+in+front)", NULL},
    {"labelSelector=tier+in+((front))", NULL},
    {"labelSelector=tier+in+(front)x", NULL},
    {"labelSelector=in+(front)", NULL},
    {"labelSelector=tier(front)", NULL},
    {"labelSelector=%3Dx", NULL},
    {"labelSelector=a,,b", NULL},
    {"labelSelector=tier%3Dfront%3Dx", NULL},
    {"labelSelector=tier!%3Dfront%3Dx", NULL},
    {"labelSelector=tier!%3Dfront!%3Dback", NULL},
    {"labelSelector=tier%3D!front", NULL},
    {"labelSelector=!tier%3Dfront", NULL},
    {"labelSelector=!!tier", NULL},
    {"labelSelector=!tier+in+(front)", NULL},
    {"labelSelector=tier%3E5", NULL},
    {"labelSelector=tier+%3C+5", NULL},
    {"labelSelector=tier+notin+(front%3Dx)", NULL},
    {"labelSelector=tier%3D%3D%3Dfront", NULL},
    {"labelSelector=tier!%3D", "abcd"},
    {"fieldSelector=metadata.name!%3Da%3Db", NULL},
    {"fieldSelector=metadata.name%3Db", "b"},
    {"fieldSelector=metadata.name!%3Db", "acd"},
    {"fieldSelector=spec.url%3Db", NULL},
    {"fieldSelector=metadata.name", NULL},
    {"limit=2", "ab"},
    {"limit=two", NULL},
    {"limit=2&continue=7:ksgate.io/ExtensionService//b", "cd"},
    {"continue=ksgate.io/ExtensionService//b", NULL},
    {"continue=x:ksgate.io/ExtensionService//b", NULL},
    {"continue=7", NULL},
    {"limit=1&labelSelector=tier%3Dfront", "a"},
};

/* A request as the admin step sees it, with no more than its query. */
static struct gw_admin_call *
call_of(struct gw_arena *a, const char *query)
{
    struct gw_req *req = gw_arena_alloc(a, sizeof(*req));
    struct gw_admin_call *call = gw_arena_alloc(a, sizeof(*call));

    req->arena = a;
    req->target.query = gw_str_of(query);
    call->req = req;
    return call;
}

static void
test_selections(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct gw_arena *a = gw_arena_new();
        struct gw_selection s = {0};
        enum gw_verdict v = gw_selection_read(&s, call_of(a, cases[i].query));
        struct gw_buf taken = {0};

        assert_int_equal(v, cases[i].taken == NULL ? GW_REPLY : GW_NEXT);
        for (int k = 0; v == GW_NEXT && k < N_OBJECTS; k++) {
            if (gw_selection_takes(&s, objects[k])) {
                gw_buf_puts(&taken, objects[k]->name);
            }
        }
        if (cases[i].taken != NULL) {
            assert_string_equal(taken.p, cases[i].taken);
        }
        gw_buf_fini(&taken);
        gw_arena_free(a);
    }
}

static void
test_a_page_names_where_it_ended(void **state)
{
    struct gw_arena *a = gw_arena_new();
    struct gw_selection s = {0};

    (void)state;
    assert_int_equal(gw_selection_read(&s, call_of(a, "limit=1&labelSelector=tier")), GW_NEXT);
    for (int k = 0; k < N_OBJECTS; k++) {
        (void)gw_selection_takes(&s, objects[k]);
    }
    json_t *list = gw_selection_list(&s, objects[0]->kind, 7, json_array());
    json_t *metadata = json_object_get(list, "metadata");
    assert_string_equal(json_string_value(json_object_get(list, "kind")), "ExtensionServiceList");
    assert_string_equal(json_string_value(json_object_get(metadata, "resourceVersion")), "7");
    assert_string_equal(json_string_value(json_object_get(metadata, "continue")),
                        "7:ksgate.io/ExtensionService//a");
    assert_null(json_object_get(metadata, "remainingItemCount")); /* it takes a look at all */
    json_decref(list);
    gw_arena_free(a);
}

static void
test_a_page_of_all_says_how_many_are_left(void **state)
{
    struct gw_arena *a = gw_arena_new();
    struct gw_selection s = {0};

    (void)state;
    assert_int_equal(gw_selection_read(&s, call_of(a, "limit=1")), GW_NEXT);
    for (int k = 0; k < N_OBJECTS; k++) {
        (void)gw_selection_takes(&s, objects[k]);
    }
    json_t *metadata = gw_selection_metadata(&s, 7);
    assert_int_equal(json_integer_value(json_object_get(metadata, "remainingItemCount")), 3);
    json_decref(metadata);
    gw_arena_free(a);
}

static void
test_all_pages_have_the_revision_of_the_first(void **state)
{
    struct gw_arena *a = gw_arena_new();
    struct gw_selection s = {0};

    (void)state;
    assert_int_equal(
        gw_selection_read(&s, call_of(a, "limit=1&continue=7:ksgate.io/ExtensionService//b")),
        GW_NEXT);
    for (int k = 0; k < N_OBJECTS; k++) {
        (void)gw_selection_takes(&s, objects[k]);
    }
    json_t *metadata = gw_selection_metadata(&s, 9);
    assert_string_equal(json_string_value(json_object_get(metadata, "resourceVersion")), "7");
    assert_string_equal(json_string_value(json_object_get(metadata, "continue")),
                        "7:ksgate.io/ExtensionService//c");
    json_decref(metadata);
    gw_arena_free(a);
}

/* RFC 7396, appendix A. */
static const struct {
    const char *target, *patch, *result;
} merges[] = {
    {"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
    {"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
    {"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
    {"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
    {"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
    {"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
    {"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}"},
    {"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
    {"[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]"},
    {"{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]"},
    {"{\"a\":\"foo\"}", "null", "null"},
    {"{\"a\":\"foo\"}", "\"bar\"", "\"bar\""},
    {"{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}"},
    {"[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}"},
    {"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
};

static void
test_merge_patches(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(merges) / sizeof(merges[0]); i++) {
        json_t *target = json_loads(merges[i].target, JSON_DECODE_ANY, NULL);
        json_t *before = json_deep_copy(target);
        json_t *patch = json_loads(merges[i].patch, JSON_DECODE_ANY, NULL);
        json_t *wanted = json_loads(merges[i].result, JSON_DECODE_ANY, NULL);
        json_t *merged = gw_admin_merge(target, patch);

        assert_true(json_equal(merged, wanted));
        assert_true(json_equal(target, before)); /* stored objects are never changed */
        json_decref(target);
        json_decref(before);
        json_decref(patch);
        json_decref(wanted);
        json_decref(merged);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_selections),
        cmocka_unit_test(test_a_page_names_where_it_ended),
        cmocka_unit_test(test_a_page_of_all_says_how_many_are_left),
        cmocka_unit_test(test_all_pages_have_the_revision_of_the_first),
        cmocka_unit_test(test_merge_patches),
    };
    return cmocka_run_group_tests(tests, make_objects, free_objects);
}
