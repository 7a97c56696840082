/* A trie beside a plain list that says what must be in it, through thousands of random changes,
 * with old versions that must not notice, and with hashes that are as bad as can be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/trie.h"

#define KEYS     400
#define VERSIONS 6

struct value {
    char name[12];
    unsigned number; /* which one of that name */
    int refs;
};

#define N(array) (sizeof(array) / sizeof((array)[0]))

static int alive;

static struct gw_str
key_of(const void *v)
{
    return gw_str_of(((const struct value *)v)->name);
}

static void
ref(void *v)
{
    ((struct value *)v)->refs++;
}

static void
unref(void *v)
{
    struct value *value = v;

    assert_true(value->refs > 0);
    if (--value->refs == 0) {
        alive--;
        free(value);
    }
}

/* All in the same places down to the last level but one, and then some with the very same hash. */
static uint64_t
bad_hash(struct gw_str s)
{
    return (uint64_t)(s.p[s.n - 1] % 4) << 62;
}

static uint64_t
one_hash(struct gw_str s)
{
    (void)s;
    return 7;
}

/* ---- a version and what must be in it ------------------------------------------------------ */

struct version {
    struct gw_trie trie;
    unsigned numbers[KEYS]; /* 0: not there */
    size_t n;
};

static void
name_of(unsigned key, char name[12])
{
    (void)snprintf(name, 12, "k%u", key);
}

static void
check(const struct version *v, unsigned keys)
{
    assert_int_equal(v->trie.n, v->n);
    for (unsigned i = 0; i < keys; i++) {
        char name[12];

        name_of(i, name);
        const struct value *got = gw_trie_get(&v->trie, gw_str_of(name));
        if (v->numbers[i] == 0) {
            assert_null(got);
        } else {
            assert_non_null(got);
            assert_string_equal(got->name, name);
            assert_int_equal(got->number, v->numbers[i]);
        }
    }
}

static void
change(struct version *v, unsigned key, unsigned number)
{
    char name[12];

    name_of(key, name);
    v->n += (number != 0) - (size_t)(v->numbers[key] != 0);
    v->numbers[key] = number;
    if (number == 0) {
        gw_trie_drop(&v->trie, gw_str_of(name));
        return;
    }
    struct value *value = calloc(1, sizeof(*value));
    memcpy(value->name, name, sizeof(name));
    value->number = number;
    value->refs = 1;
    alive++;
    gw_trie_put(&v->trie, value);
}

static void
copy_version(struct version *to, const struct version *from)
{
    *to = *from;
    gw_trie_copy(&to->trie, &from->trie);
}

/* Makes versions of versions, changes one of them, and looks at all. */
static void
live(const struct gw_trie_kind *kind, unsigned keys)
{
    struct version versions[VERSIONS];
    long long before = gw_pool_bytes(kind->pool);

    for (size_t i = 0; i < VERSIONS; i++) {
        versions[i] = (struct version){.trie = {.kind = kind}};
    }
    srand(1);
    for (unsigned round = 1; round <= 3000; round++) {
        struct version *v = &versions[rand() % VERSIONS];
        struct version *other = &versions[rand() % VERSIONS];
        bool grows = round / 500 % 2 == 0;

        if (rand() % 10 == 0 && v != other) {
            gw_trie_fini(&v->trie);
            copy_version(v, other);
        }
        for (int i = 0; i < 5; i++) {
            bool drops = rand() % 10 < (grows ? 3 : 8);

            change(v, (unsigned)rand() % keys, drops ? 0 : round);
        }
        if (round % 50 == 0) {
            for (size_t i = 0; i < VERSIONS; i++) {
                check(&versions[i], keys);
            }
        }
    }
    assert_true(gw_pool_bytes(kind->pool) > before);
    for (size_t i = 0; i < VERSIONS; i++) {
        check(&versions[i], keys);
        gw_trie_fini(&versions[i].trie);
    }
    assert_int_equal(alive, 0);
    assert_int_equal(gw_pool_bytes(kind->pool), before);
}

static void
test_versions_do_not_notice_each_other(void **state)
{
    static const struct gw_trie_kind good = {
        .key = key_of, .hash = gw_hash, .ref = ref, .unref = unref};

    (void)state;
    live(&good, KEYS);
}

static void
test_hashes_that_agree_in_nearly_all_bits(void **state)
{
    static const struct gw_trie_kind bad = {
        .key = key_of, .hash = bad_hash, .ref = ref, .unref = unref};
    static const struct gw_trie_kind one = {
        .key = key_of, .hash = one_hash, .ref = ref, .unref = unref};

    (void)state;
    live(&bad, 60);
    live(&one, 60);
}

/* What a change of one among very many takes is a way to it, not a copy. */
static void
test_a_change_copies_the_way_only(void **state)
{
    static const struct gw_trie_kind kind = {
        .key = key_of, .hash = gw_hash, .ref = ref, .unref = unref};
    static struct value values[100000];
    struct gw_trie t = {.kind = &kind};
    struct gw_trie next;
    struct value other = {.name = "k77", .refs = 2};

    (void)state;
    for (unsigned i = 0; i < 100000; i++) {
        name_of(i, values[i].name);
        values[i].refs = 2; /* one is ours */
        gw_trie_put(&t, &values[i]);
    }
    long long all = gw_pool_bytes(kind.pool);
    gw_trie_copy(&next, &t);
    assert_int_equal(gw_pool_bytes(kind.pool), all);
    gw_trie_put(&next, &other);
    assert_in_range(gw_pool_bytes(kind.pool) - all, 1, 4 * 600);
    assert_ptr_equal(gw_trie_get(&t, GW_STR("k77")), &values[77]);
    assert_ptr_equal(gw_trie_get(&next, GW_STR("k77")), &other);
    gw_trie_fini(&t);
    assert_int_equal(values[78].refs, 2);
    assert_int_equal(values[77].refs, 1);
    gw_trie_fini(&next);
    assert_int_equal(values[78].refs, 1);
}

static void
mark(void *value, void *arg)
{
    struct value *v = value;

    v->number++;
    *(unsigned *)arg += 1;
}

static void
test_each_is_called_once(void **state)
{
    uint64_t (*const hashes[])(struct gw_str) = {gw_hash, bad_hash, one_hash};
    static struct value values[60]; /* at most as many as a bottom has room for */

    (void)state;
    for (size_t k = 0; k < N(hashes); k++) {
        struct gw_trie_kind kind = {.key = key_of, .hash = hashes[k], .ref = ref, .unref = unref};
        struct gw_trie t = {.kind = &kind};
        unsigned calls = 0;

        gw_trie_each(&t, mark, &calls);
        assert_int_equal(calls, 0);
        for (unsigned i = 0; i < N(values); i++) {
            name_of(i, values[i].name);
            values[i].number = 0;
            values[i].refs = 2;
            gw_trie_put(&t, &values[i]);
        }
        gw_trie_each(&t, mark, &calls);
        assert_int_equal(calls, N(values));
        for (unsigned i = 0; i < N(values); i++) {
            assert_int_equal(values[i].number, 1);
        }
        gw_trie_fini(&t);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_versions_do_not_notice_each_other),
        cmocka_unit_test(test_hashes_that_agree_in_nearly_all_bits),
        cmocka_unit_test(test_each_is_called_once),
        cmocka_unit_test(test_a_change_copies_the_way_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
