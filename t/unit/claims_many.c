/* claims_many.c - what claims cost when they are many: of one object, of many objects, and of many
 * that all want the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "registry/claim_index.h"
#include "t/lib/claim_objects.h"
#include "t/lib/cpu_time.h"

/* One of a few texts that are kept at a time. */
static const char *__attribute__((format(printf, 1, 2))) text(const char *fmt, ...)
{
    static char texts[4][80];
    static size_t at;
    char *into = texts[at++ % 4];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(into, sizeof(texts[0]), fmt, ap);
    va_end(ap);
    return into;
}

static void
put_proxy(struct gw_claim_index *x, const char *name, const char *created, const char *path,
          const char *method)
{
    struct gw_object *o = proxy(name, created, path, method);

    gw_claim_index_put(x, o, false);
    gw_object_unref(o);
}

static void
count_turn(void *arg, const struct gw_claim_turn *t)
{
    (void)t;
    ++*(unsigned *)arg;
}

/* ---- of one object -------------------------------------------------------------------------- */

static void
note_turn(void *arg, const struct gw_claim_turn *t)
{
    assert_true(t->claims->too_many);
    assert_ptr_equal(t->winner, t->claims);
    ++*(unsigned *)arg;
}

static void
test_links(void **state)
{
    struct gw_claim_index *x = gw_claim_index_new();
    struct gw_claims *same = links("same", "/dist/x/", 20000, 1);
    struct gw_claims *most = links("most", "/dist/x/", 5000, GW_CLAIMS_MAX);
    struct gw_claims *more = links("more", "/dist/x/", GW_CLAIMS_MAX + 1, GW_CLAIMS_MAX + 1);
    struct gw_claims *many = links("many", "/dist/y/", 5000, 5000);
    struct gw_buf out = {0};
    unsigned n = 0;

    (void)state;
    assert_int_equal(same->n, 1);
    assert_false(same->too_many);
    assert_int_equal(most->n, GW_CLAIMS_MAX);
    assert_false(most->too_many);
    assert_true(more->too_many);
    assert_int_equal(more->n, 0);
    assert_true(many->too_many);
    gw_claims_say(&out, many, many, true);
    assert_string_equal(out.p, "spec.assets.files: has more than 1000 different links; leave some "
                               "out, or make several objects of it");

    gw_claim_index_put(x, same->object, false);
    assert_non_null(gw_claim_index_meet(x, same, all_count, &n));
    assert_int_equal(n, 1); /* it would be 20 000 times 20 000 */
    n = 0;
    gw_claim_index_put(x, many->object, false);
    gw_claim_index_settle(x, note_turn, &n);
    assert_int_equal(n, 1);
    assert_true(gw_claim_index_is_held(x, many->object->key));
    assert_false(gw_claim_index_is_held(x, same->object->key));
    gw_claim_index_take(x, many->object->key);
    assert_false(gw_claim_index_is_held(x, many->object->key));
    gw_claim_index_free(x);
    gw_buf_fini(&out);
    gw_claims_free(same);
    gw_claims_free(most);
    gw_claims_free(more);
    gw_claims_free(many);
}

struct pair {
    struct gw_claims *a, *b;
};

static void
compare(void *arg)
{
    const struct pair *p = arg;
    const struct gw_claim *other;

    assert_null(gw_claims_meet(p->a, p->b, &other));
}

static uint64_t
cost_to_compare(unsigned n)
{
    struct pair p = {links("a", "/dist/a/", n, n), links("b", "/dist/b/", n, n)};
    uint64_t least = least_cpu_ns(200, compare, &p);

    gw_claims_free(p.a);
    gw_claims_free(p.b);
    return least;
}

static void
test_many_links(void **state)
{
    struct gw_claims *a = links("a", "/dist/a/", 500, 500);
    struct gw_claims *b = links("b", "/dist/a/49", 500, 500);
    const struct gw_claim *other;
    uint64_t few = cost_to_compare(50);
    uint64_t more = cost_to_compare(GW_CLAIMS_MAX);

    (void)state;
    const struct gw_claim *mine = gw_claims_meet(a, b, &other);
    assert_non_null(mine);
    assert_true(gw_claim_meets(mine, other));
    print_message("# 50 links: %llu ns, %d: %llu ns\n", (unsigned long long)few, GW_CLAIMS_MAX,
                  (unsigned long long)more);
    assert_true(more < 100 * few); /* 20 times as many; each with each would be 400 times */
    gw_claims_free(a);
    gw_claims_free(b);
}

/* ---- of many objects ------------------------------------------------------------------------ */

static void
no_turn(void *arg, const struct gw_claim_turn *t)
{
    (void)arg;
    (void)t;
    fail_msg("%s turned", t->claims->object->key);
}

static struct gw_claim_index *
many(unsigned n)
{
    struct gw_claim_index *x = gw_claim_index_new();

    for (unsigned i = 0; i < n; i++) {
        put_proxy(x, text("o%u", i), AGE, text("/proxy/extension-%u/*", i), "*");
    }
    gw_claim_index_settle(x, no_turn, NULL);
    return x;
}

struct asking {
    const struct gw_claim_index *x;
    const struct gw_claims *claims;
};

static void
ask(void *arg)
{
    const struct asking *a = arg;
    unsigned n = 0;
    const struct gw_claims *other = gw_claim_index_meet(a->x, a->claims, all_count, &n);

    assert_string_equal(other->object->name, "o500");
    assert_int_equal(n, 1); /* and nobody else was even looked at */
}

static uint64_t
cost_to_ask(unsigned n)
{
    struct gw_claim_index *x = many(n);
    struct gw_claims *c = claims_of(proxy("new", AGE, "/proxy/extension-500/a", "GET"));
    uint64_t least = least_cpu_ns(2000, ask, &(struct asking){x, c});

    gw_claims_free(c);
    gw_claim_index_free(x);
    return least;
}

static void
test_many(void **state)
{
    uint64_t few = cost_to_ask(1000);
    uint64_t more = cost_to_ask(10000);

    (void)state;
    print_message("# among 1000: %llu ns, among 10000: %llu ns\n", (unsigned long long)few,
                  (unsigned long long)more);
    assert_true(more < 5 * few + 1000); /* it would be ten times as much if each were looked at */
}

/* ---- that want the same --------------------------------------------------------------------- */

/* Ten thousand that all want the same: one has it, and then the next. */
static void
test_crowd(void **state)
{
    struct gw_claim_index *x = gw_claim_index_new();
    unsigned n = 0;

    (void)state;
    for (unsigned i = 0; i < 10000; i++) {
        put_proxy(x, text("o%05u", i), AGE, "/proxy/x/*", "*");
    }
    gw_claim_index_settle(x, count_turn, &n);
    assert_int_equal(n, 9999);
    n = 0;
    gw_claim_index_take(x, "extensions.kubesphere.io/ReverseProxy//o00000");
    gw_claim_index_settle(x, count_turn, &n);
    assert_int_equal(n, 9999); /* one has it now, for the others it is another one who has */
    assert_false(gw_claim_index_is_held(x, "extensions.kubesphere.io/ReverseProxy//o00001"));
    assert_true(gw_claim_index_is_held(x, "extensions.kubesphere.io/ReverseProxy//o09999"));
    gw_claim_index_free(x);
}

/* One wildcard with n methods, all of which have it. */
static void
with_methods(struct gw_claim_index *x, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        put_proxy(x, text("o%u", i), AGE, "/proxy/x/*", text("M%u", i));
    }
}

/* n younger wildcards over n older leaves. */
static void
with_leaves(struct gw_claim_index *x, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        put_proxy(x, text("o%u", i), "2025-11-30T13:41:58Z", text("/proxy/x/%u", i), "GET");
        put_proxy(x, text("w%u", i), AGE, "/proxy/x/*", "GET");
    }
}

static void
take_leaves(struct gw_claim_index *x, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        gw_claim_index_take(x, text("extensions.kubesphere.io/ReverseProxy//o%u", i));
    }
}

/* To settle all, to take half of them out, and to settle the rest.  turns: how many are held at
 * first. */
static uint64_t
cost_to_settle(void (*with)(struct gw_claim_index *, unsigned), unsigned n, unsigned turns)
{
    uint64_t least = UINT64_MAX;

    for (unsigned i = 0; i < 3; i++) {
        struct gw_claim_index *x = gw_claim_index_new();
        unsigned turned = 0;

        with(x, n);
        uint64_t from = cpu_ns();
        gw_claim_index_settle(x, count_turn, &turned);
        assert_int_equal(turned, turns);
        take_leaves(x, n);
        gw_claim_index_settle(x, count_turn, &turned);
        uint64_t ns = cpu_ns() - from;
        assert_int_equal(turned, 2 * turns); /* one of them has it now, the others not from whom */
        gw_claim_index_free(x);
        least = ns < least ? ns : least;
    }
    return least;
}

/* 8 times as many: 64 times as much, if each were compared with each. */
static void
grows_with_them(const char *what, void (*with)(struct gw_claim_index *, unsigned), unsigned held)
{
    uint64_t few = cost_to_settle(with, 500, held * 500);
    uint64_t more = cost_to_settle(with, 4000, held * 4000);

    print_message("# 500 %s: %llu us, 4000: %llu us\n", what, (unsigned long long)few / 1000,
                  (unsigned long long)more / 1000);
    assert_true(more < 35 * few);
}

static void
test_groups(void **state)
{
    (void)state;
    grows_with_them("methods", with_methods, 0);
    grows_with_them("wildcards over as many", with_leaves, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_links),  cmocka_unit_test(test_many_links),
        cmocka_unit_test(test_many),   cmocka_unit_test(test_crowd),
        cmocka_unit_test(test_groups),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
