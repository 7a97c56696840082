/* claimed.c - what views get to see of changes when objects claim the same, and what objects say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "gateway/claimed.h"

/* age: a digit; the less the older. */
static struct gw_object *
proxy(const char *name, int age, const char *path)
{
    struct gw_diag diag = {0};
    char created[32];

    (void)snprintf(created, sizeof(created), "2026-11-30T13:41:%02dZ", age);
    json_t *json = json_pack("{s:s, s:s, s:{s:s, s:s}, s:{s:{s:s, s:s}}}", "apiVersion",
                             "extensions.kubesphere.io/v1alpha1", "kind", "ReverseProxy",
                             "metadata", "name", name, "creationTimestamp", created, "spec",
                             "matcher", "path", path, "method", "*");
    struct gw_object *o = gw_object_stored(json, &diag);
    assert_non_null(o);
    json_decref(json);
    return o;
}

static struct gw_change
put(struct gw_object *o, struct gw_object *before)
{
    return (struct gw_change){.key = o->key, .object = o, .before = before};
}

static struct gw_change
end(struct gw_object *before)
{
    return (struct gw_change){.key = before->key, .before = before};
}

/* What views get, in words: "+name" (there now), "-name" (gone), "~name" (another one), ".name"
 * (nothing there, as before). */
static void
gives(struct gw_claim_index *x, const struct gw_change *changes, size_t n, const char *wanted)
{
    struct gw_claimed c;
    struct gw_buf got = {0};

    gw_buf_puts(&got, "");
    gw_claimed_take(&c, x, changes, n, 1, NULL);
    for (size_t i = 0; i < c.n; i++) {
        const struct gw_change *change = &c.changes[i];
        bool now = change->object != NULL;
        bool before = change->before != NULL;

        gw_buf_printf(&got, "%s%s",
                      now && before ? "~"
                      : now         ? "+"
                      : before      ? "-"
                                    : ".",
                      strrchr(change->key, '/') + 1);
    }
    for (size_t i = 0; i < c.n_retired; i++) {
        gw_object_hold_free(c.retired[i]);
    }
    free(c.retired);
    gw_claimed_fini(&c);
    assert_string_equal(got.p, wanted);
    gw_buf_fini(&got);
}

static void
test_views(void **state)
{
    struct gw_claim_index *x = gw_claim_index_new();
    struct gw_object *a = proxy("a", 5, "/a/*");
    struct gw_object *a2 = proxy("a", 5, "/b");
    struct gw_object *b = proxy("b", 6, "/a/b");
    struct gw_object *old = proxy("old", 1, "/*");
    unsigned before = gw_object_flaws();

    (void)state;
    gives(x, &(struct gw_change){.key = (char[]){"v1/ConfigMap/n/a"}}, 1, ".a");
    gives(x, (struct gw_change[]){put(a, NULL), put(b, NULL)}, 2, "+a.b");
    assert_null(gw_object_hold(a));
    assert_ptr_equal(gw_object_hold(b)->winner, a);
    assert_non_null(strstr(gw_object_hold(b)->named, "\"a\""));
    assert_null(strstr(gw_object_hold(b)->unnamed, "\"a\""));
    assert_int_equal(gw_object_flaws(), before + 1);

    gives(x, (struct gw_change[]){put(b, b)}, 1, ".b"); /* nothing of it was ever given */
    gives(x, (struct gw_change[]){put(old, NULL)}, 1, "+old-a");
    assert_ptr_equal(gw_object_hold(a)->winner, old);
    assert_ptr_equal(gw_object_hold(b)->winner, old);
    assert_int_equal(gw_object_flaws(), before + 2);
    gives(x, (struct gw_change[]){end(old)}, 1, "-old+a");
    gives(x, (struct gw_change[]){put(a2, a)}, 1, "~a+b");
    assert_null(gw_object_hold(b));
    assert_int_equal(gw_object_flaws(), before);
    /* away and back again at once: what is in between is as what is there in the end */
    gives(x, (struct gw_change[]){put(a, a2), put(a2, a)}, 2, "~a~a");
    gives(x, (struct gw_change[]){put(a, a2)}, 1, "~a-b");
    gives(x, (struct gw_change[]){end(b)}, 1, ".b");
    gives(x, (struct gw_change[]){end(a)}, 1, "-a");
    gw_claim_index_free(x);
    gw_object_unref(a);
    gw_object_unref(a2);
    gw_object_unref(b);
    gw_object_unref(old);
}

/* What a file stands in the place of comes back: the very same object, which was held before. */
static void
test_comes_back(void **state)
{
    struct gw_claim_index *x = gw_claim_index_new();
    struct gw_object *a = proxy("a", 1, "/a");
    struct gw_object *b = proxy("b", 2, "/a");
    struct gw_object *file = proxy("b", 3, "/c");

    (void)state;
    gives(x, (struct gw_change[]){put(a, NULL), put(b, NULL)}, 2, "+a.b");
    gives(x, (struct gw_change[]){{.key = b->key, .object = file, .before = b, .from_file = true}},
          1, "+b");
    assert_null(gw_object_hold(file));
    gives(x, (struct gw_change[]){end(a)}, 1, "-a");
    assert_non_null(gw_object_hold(b)); /* of the past: nobody looks at it */
    gives(x, (struct gw_change[]){put(b, file)}, 1, "~b");
    assert_null(gw_object_hold(b));
    gw_claim_index_free(x);
    gw_object_unref(a);
    gw_object_unref(b);
    gw_object_unref(file);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_views),
        cmocka_unit_test(test_comes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
