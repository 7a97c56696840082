/* claim_index.c - who has what when claims meet: random worlds beside a model that compares each
 * object with each, and what is on its way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <time.h>

#include "registry/claim_index.h"
#include "t/lib/claim_objects.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

#define NAMES    60

struct thing {
    struct gw_object *o; /* NULL: not there */
    bool from_file;
};

static unsigned
draw(unsigned n)
{
    return (unsigned)rand() % n;
}

static struct gw_object *
draw_object(unsigned name)
{
    static const char *const paths[] = {"*",    "/*",   "/a",    "/a*",    "/a/",
                                        "/a/*", "/a/b", "/a/b*", "/a/b/c", "/a/bc",
                                        "/b",   "/b/*", "/b/c",  "/b/cd/*"};
    static const char *const methods[] = {"GET", "GET", "PUT", "*", ""};
    char text[8];
    char created[32];

    (void)snprintf(text, sizeof(text), "o%u", name);
    (void)snprintf(created, sizeof(created), "2026-11-30T13:41:%02u%s", draw(20),
                   draw(8) == 0 ? "" : "Z");
    if (name % 6 == 0) {
        static const char *const groups[] = {"a", "b", "c"};
        return api(text, groups[draw(N(groups))], "v1");
    }
    if (name % 6 == 1) {
        return bundle(text, paths[draw(N(paths))], "", paths[draw(N(paths))]);
    }
    if (name % 6 == 2) {
        return console_proxy(text, paths[draw(N(paths))]);
    }
    return proxy(text, created, paths[draw(N(paths))], methods[draw(N(methods))]);
}

static int
by_order(const void *a, const void *b)
{
    return gw_claims_order(*(struct gw_claims *const *)a, *(struct gw_claims *const *)b);
}

/* Whoever comes first has what it claims; so does each further one that meets none of these. */
static void
compare(struct gw_claim_index *x, const struct thing *things, const bool *told)
{
    struct gw_claims *all[NAMES];
    bool has[NAMES] = {false};
    size_t n = 0;

    for (size_t i = 0; i < NAMES; i++) {
        all[n] = things[i].o == NULL ? NULL : gw_claims_read(things[i].o, things[i].from_file);
        n += all[n] != NULL;
    }
    qsort(all, n, sizeof(struct gw_claims *), by_order);
    for (size_t i = 0; i < n; i++) {
        const struct gw_claim *other;

        has[i] = true;
        for (size_t j = 0; j < i && has[i]; j++) {
            has[i] = !has[j] || gw_claims_meet(all[i], all[j], &other) == NULL;
        }
        const char *key = all[i]->object->key;
        if (gw_claim_index_is_held(x, key) == has[i]) {
            fail_msg("%s is %s", key, has[i] ? "held" : "not held");
        }
        if (told[strtoul(all[i]->object->name + 1, NULL, 10)] == has[i]) {
            fail_msg("%s was not told of", key);
        }
    }
    for (size_t i = 0; i < n; i++) {
        gw_claims_free(all[i]);
    }
}

/* Keeps in told[] what was said of each. */
static void
on_turned(void *arg, const struct gw_claim_turn *t)
{
    bool *told = arg;
    unsigned long name = strtoul(t->claims->object->name + 1, NULL, 10);

    assert_int_equal(told[name], t->was_held);
    told[name] = t->winner != NULL;
    if (t->winner != NULL) {
        const struct gw_claim *other;

        assert_non_null(gw_claims_meet(t->claims, t->winner, &other));
        assert_true(gw_claims_order(t->winner, t->claims) < 0);
    }
}

static void
test_worlds(void **state)
{
    const char *given = getenv("KSGATE_SEED");
    unsigned seed = given == NULL ? (unsigned)time(NULL) : (unsigned)strtoul(given, NULL, 10);
    struct thing things[NAMES] = {{0}};
    bool told[NAMES] = {false};
    struct gw_claim_index *x = gw_claim_index_new();

    (void)state;
    print_message("# KSGATE_SEED=%u\n", seed);
    srand(seed);
    for (unsigned round = 0; round < 3000; round++) {
        for (unsigned n = draw(4) == 0 ? draw(20) : 1; n > 0; n--) {
            unsigned i = draw(NAMES);

            gw_object_unref(things[i].o);
            things[i].o = NULL;
            if (draw(round / 500 % 2 == 0 ? 5 : 2) == 0) {
                struct gw_object *o = draw_object(i);

                gw_claim_index_take(x, o->key);
                gw_object_unref(o);
                told[i] = false;
                continue;
            }
            things[i] = (struct thing){draw_object(i), draw(15) == 0};
            gw_claim_index_put(x, things[i].o, things[i].from_file);
        }
        gw_claim_index_settle(x, on_turned, told);
        compare(x, things, told);
    }
    gw_claim_index_free(x);
    for (size_t i = 0; i < NAMES; i++) {
        gw_object_unref(things[i].o);
    }
}

/* The same things in another order. */
static void
test_any_order(void **state)
{
    struct gw_object *o[NAMES];
    bool held[NAMES] = {false};

    (void)state;
    for (unsigned i = 0; i < NAMES; i++) {
        o[i] = draw_object(i);
    }
    for (unsigned round = 0; round < 50; round++) {
        struct gw_claim_index *x = gw_claim_index_new();
        bool told[NAMES] = {false};

        for (unsigned i = NAMES; i > 0; i--) {
            unsigned at = draw(i);
            struct gw_object *swap = o[at];

            o[at] = o[i - 1];
            o[i - 1] = swap;
            gw_claim_index_put(x, o[i - 1], false);
            if (round % 2 == 0) {
                gw_claim_index_settle(x, on_turned, told);
            }
        }
        gw_claim_index_settle(x, on_turned, told);
        for (unsigned i = 0; i < NAMES; i++) {
            unsigned long name = strtoul(o[i]->name + 1, NULL, 10);
            bool is = gw_claim_index_is_held(x, o[i]->key);

            assert_true(round == 0 || held[name] == is);
            held[name] = is;
        }
        gw_claim_index_free(x);
    }
    for (unsigned i = 0; i < NAMES; i++) {
        gw_object_unref(o[i]);
    }
}

/* What is on its way, of one key twice: each is there until it is taken out itself. */
static void
test_names(void **state)
{
    struct gw_claim_index *x = gw_claim_index_new();
    struct gw_object *a = proxy("a", AGE, "/proxy/a", "GET");
    struct gw_object *b = proxy("a", AGE, "/proxy/b", "GET");
    struct gw_claims *of_a = gw_claims_read(a, false);
    struct gw_claims *of_b = gw_claims_read(b, false);
    unsigned n = 0;

    (void)state;
    gw_claim_index_put_as(x, "first", a);
    gw_claim_index_put_as(x, "second", b);
    gw_claim_index_put_as(x, "third", b);
    assert_ptr_equal(gw_claim_index_meet(x, of_a, all_count, &n)->object, a);
    assert_ptr_equal(gw_claim_index_meet(x, of_b, all_count, &n)->object, b);
    gw_claim_index_take(x, "second");
    gw_claim_index_take(x, a->key); /* a name that nothing has */
    assert_non_null(gw_claim_index_meet(x, of_a, all_count, &n));
    assert_non_null(gw_claim_index_meet(x, of_b, all_count, &n));
    gw_claim_index_take(x, "third");
    assert_null(gw_claim_index_meet(x, of_b, all_count, &n));
    gw_claim_index_take(x, "first");
    assert_null(gw_claim_index_meet(x, of_a, all_count, &n));
    gw_claim_index_free(x);
    gw_claims_free(of_a);
    gw_claims_free(of_b);
    gw_object_unref(a);
    gw_object_unref(b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_worlds),
        cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
