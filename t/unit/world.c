/* world.c - a worker takes over very many changes in parts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "gateway/module.h"
#include "modules/ext_index.h"
#include "t/lib/objects.h"

#define MANY 300

static struct gw_change changes[MANY];

static void
make_changes(const char *spec)
{
    for (size_t i = 0; i < MANY; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "e%zu", i);
        changes[i] = change_of("ExtensionService", name, spec);
    }
}

static void
free_changes(void)
{
    for (size_t i = 0; i < MANY; i++) {
        gw_object_unref(changes[i].object);
        free(changes[i].key);
    }
}

static size_t
count_known(struct gw_world *w)
{
    size_t n = 0;

    for (size_t i = 0; i < MANY; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "e%zu", i);
        n += gw_ext_index_find(w, gw_str_of(name)) != NULL;
    }
    return n;
}

/* In parts, without any time; how many they were.  There are never less (or more) than before. */
static size_t
apply_in_parts(struct gw_world *w, uint64_t revision, bool reset, bool grows)
{
    struct gw_batch *b = gw_batch_compile(NULL, changes, MANY, revision, reset, NULL);
    struct gw_world_part at = {0};
    size_t parts = 1;
    size_t known = count_known(w);

    while (!gw_world_apply_part(w, b, &at, 0)) {
        size_t now = count_known(w);

        assert_true(grows ? now >= known : now <= known);
        assert_int_not_equal(gw_world_revision(w), revision); /* not all of it is here */
        known = now;
        parts++;
    }
    assert_int_equal(gw_world_revision(w), revision);
    gw_batch_unref(b);
    return parts;
}

static void
test_parts(void **state)
{
    struct gw_world *w = gw_world_new(0, NULL, NULL, 0);

    (void)state;
    make_changes("{access: public, endpoints: [{url: 'http://127.0.0.1:1'}]}");
    assert_in_range(apply_in_parts(w, 1, true, true), 5, MANY);
    assert_int_equal(count_known(w), MANY);
    free_changes();

    make_changes("{access: public, endpoints: [{url: 'http://127.0.0.1:2'}]}");
    assert_in_range(apply_in_parts(w, 2, false, true), 5, MANY);
    assert_int_equal(count_known(w), MANY); /* nothing is gone while it is replaced */
    free_changes();

    make_changes(NULL);
    assert_in_range(apply_in_parts(w, 3, false, false), 5, MANY);
    assert_int_equal(count_known(w), 0);
    free_changes();
    gw_world_free(w);
}

struct step {
    const char *kind, *name, *spec; /* spec NULL: it goes */
};

/* Several changes as one batch. */
static void
apply_steps(struct gw_world *w, const struct step *steps, size_t n)
{
    struct gw_change some[8];

    assert_true(n <= 8);
    for (size_t i = 0; i < n; i++) {
        some[i] = change_of(steps[i].kind, steps[i].name, steps[i].spec);
    }
    struct gw_batch *b = gw_batch_compile(NULL, some, n, 1, false, NULL);
    gw_world_apply(w, b);
    gw_batch_unref(b);
    for (size_t i = 0; i < n; i++) {
        gw_object_unref(some[i].object);
        free(some[i].key);
    }
}

/* -1: there is no such extension. */
static int
backends_of(struct gw_world *w, const char *name)
{
    const struct gw_ext_route *r = gw_ext_index_find(w, gw_str_of(name));

    return r == NULL ? -1 : (int)r->n_endpoints;
}

#define SERVICE              "ExtensionService"
#define BACKEND              "Endpoint"
#define URL(extension, port) "{extension: " extension ", url: 'http://127.0.0.1:" port "'}"

/* Backends of several extensions that change together, in any order, with the extensions
 * themselves: routes are made once for several changes, and have all of them. */
static void
test_backends_that_change_together(void **state)
{
    static const struct step come[] = {
        {BACKEND, "a.1", URL("a", "1")}, {BACKEND, "b.1", URL("b", "1")},
        {BACKEND, "a.2", URL("a", "2")}, {SERVICE, "a", "{access: public}"},
        {BACKEND, "a.3", URL("a", "3")}, {BACKEND, "b.2", URL("b", "2")},
    };
    static const struct step change[] = {
        {BACKEND, "a.1", NULL},          {BACKEND, "a.2", URL("a", "9")},
        {BACKEND, "b.3", URL("b", "3")}, {SERVICE, "b", "{access: public}"},
        {BACKEND, "b.1", NULL},          {BACKEND, "a.4", URL("b", "4")},
    };
    static const struct step go[] = {
        {BACKEND, "b.2", NULL}, {SERVICE, "b", NULL},   {BACKEND, "a.2", NULL},
        {BACKEND, "a.3", NULL}, {BACKEND, "b.3", NULL}, {BACKEND, "a.4", NULL},
    };
    static const struct step last[] = {{BACKEND, "a.5", URL("a", "5")}, {BACKEND, "a.5", NULL}};
    struct gw_world *w = gw_world_new(0, NULL, NULL, 0);

    (void)state;
    apply_steps(w, come, 6);
    assert_int_equal(backends_of(w, "a"), 3);
    assert_int_equal(backends_of(w, "b"), -1);
    apply_steps(w, change, 6);
    assert_int_equal(backends_of(w, "a"), 2);
    assert_int_equal(backends_of(w, "b"), 3); /* one has changed sides */
    apply_steps(w, go, 6);
    assert_int_equal(backends_of(w, "a"), 0);
    assert_int_equal(backends_of(w, "b"), -1);
    apply_steps(w, &last[0], 1);
    assert_int_equal(backends_of(w, "a"), 1);
    apply_steps(w, &last[1], 1);
    assert_int_equal(backends_of(w, "a"), 0);
    gw_world_free(w);
}

/* With all the time of the world it is one part. */
static void
test_whole(void **state)
{
    struct gw_world *w = gw_world_new(0, NULL, NULL, 0);
    struct gw_world_part at = {0};

    (void)state;
    make_changes("{access: public}");
    struct gw_batch *b = gw_batch_compile(NULL, changes, MANY, 7, false, NULL);
    assert_true(gw_world_apply_part(w, b, &at, UINT64_MAX));
    assert_int_equal(count_known(w), MANY);
    gw_batch_unref(b);
    free_changes();
    gw_world_free(w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_backends_that_change_together),
        cmocka_unit_test(test_whole),
    };

    return cmocka_run_group_tests_name("world", tests, NULL, NULL);
}
