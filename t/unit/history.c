/* history.c - what of the last changes can still be told, and to whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "registry/history.h"

#define MANY (1 << 20)

static struct gw_object *
make(const char *kind, const char *ns, const char *name, unsigned revision)
{
    char text[300];
    struct gw_diag diag = {0};

    (void)snprintf(text, sizeof(text),
                   "{\"apiVersion\": \"%s\", \"kind\": \"%s\", \"metadata\": {\"name\": "
                   "\"%s\"%s%s%s, \"resourceVersion\": \"%u\"}}",
                   *ns == '\0' ? "ksgate.io/v1" : "v1", kind, name,
                   *ns == '\0' ? "" : ", \"namespace\": \"", ns, *ns == '\0' ? "" : "\"", revision);
    json_t *json = json_loads(text, 0, NULL);
    struct gw_object *o = gw_object_stored(json, &diag);

    json_decref(json);
    assert_non_null(o);
    gw_diag_fini(&diag);
    return o;
}

/* One change of an ExtensionService, as news of their own. */
static void
add(struct gw_history *h, const char *name, unsigned revision, enum gw_news_how how)
{
    struct gw_change c = {.object = make("ExtensionService", "", name, revision),
                          .revision = revision};
    struct gw_news *news = gw_news_new(&c, 1, revision - 1, revision, how);

    gw_history_add(h, news);
    gw_news_unref(news);
    gw_object_unref(c.object);
}

static const struct gw_kind *
services(void)
{
    return gw_kind_find(GW_STR("ksgate.io"), GW_STR("ExtensionService"));
}

/* "a5 b6": names and revisions; "old". */
static const char *
since(const struct gw_history *h, uint64_t revision, uint64_t now, const struct gw_kind *kind,
      const char *ns)
{
    static char text[400];
    struct gw_news *news = NULL;
    int n = 0;

    text[0] = '\0';
    if (gw_history_since(h, revision, now, kind, gw_str_of(ns), &news) != GW_STORE_OK) {
        return "old";
    }
    for (size_t i = 0; i < news->n; i++) {
        const struct gw_news_item *item = &news->items[i];
        const struct gw_object *o = item->object != NULL ? item->object : item->before;

        n += snprintf(text + n, sizeof(text) - (size_t)n, "%s%s%s%u", n == 0 ? "" : " ",
                      item->object == NULL ? "-" : "", o->name, (unsigned)item->revision);
    }
    gw_news_unref(news);
    return text;
}

static void
test_since(void **state)
{
    struct gw_history *h = gw_history_new(MANY);

    (void)state;
    gw_history_start(h, 10);
    add(h, "a", 11, GW_NEWS_NUMBERED);
    add(h, "b", 12, GW_NEWS_NUMBERED);
    add(h, "a", 14, GW_NEWS_NUMBERED);
    assert_string_equal(since(h, 9, 14, services(), ""), "old");
    assert_string_equal(since(h, 10, 14, services(), ""), "a11 b12 a14");
    assert_string_equal(since(h, 11, 14, services(), ""), "b12 a14");
    assert_string_equal(since(h, 13, 14, services(), ""), "a14");
    assert_string_equal(since(h, 14, 14, services(), ""), "");
    /* another gateway may be ahead */
    assert_string_equal(since(h, 15, 14, services(), ""), "");
    gw_history_free(h);
}

static void
test_kind_and_namespace(void **state)
{
    struct gw_history *h = gw_history_new(MANY);
    struct gw_change c[] = {{.object = make("ConfigMap", "x", "m", 2), .revision = 2},
                            {.object = make("ConfigMap", "y", "m", 3), .revision = 3},
                            {.object = make("Secret", "x", "s", 4), .revision = 4},
                            {.before = make("ConfigMap", "x", "m", 2), .revision = 5}};
    struct gw_news *news = gw_news_new(c, 4, 1, 5, GW_NEWS_NUMBERED);
    const struct gw_kind *maps = gw_kind_find(GW_STR(""), GW_STR("ConfigMap"));

    (void)state;
    gw_history_start(h, 1);
    gw_history_add(h, news);
    gw_news_unref(news);
    assert_string_equal(since(h, 1, 5, maps, ""), "m2 m3 -m5");
    assert_string_equal(since(h, 1, 5, maps, "x"), "m2 -m5");
    assert_string_equal(since(h, 3, 5, maps, "y"), "");
    for (int i = 0; i < 4; i++) {
        gw_object_unref(c[i].object);
        gw_object_unref(c[i].before);
    }
    gw_history_free(h);
}

/* What follows from a listing stands in no order. */
static void
test_listing(void **state)
{
    struct gw_history *h = gw_history_new(MANY);
    struct gw_change c[] = {
        {.object = make("ExtensionService", "", "c", 8), .revision = 8},
        {.before = make("ExtensionService", "", "gone", 3), .revision = 9},
        {.object = make("ExtensionService", "", "a", 6), .revision = 6},
    };
    struct gw_news *news = gw_news_new(c, 3, 5, 9, GW_NEWS_NUMBERED);

    (void)state;
    gw_history_start(h, 5);
    gw_history_add(h, news);
    gw_news_unref(news);
    assert_string_equal(since(h, 5, 9, services(), ""), "a6 c8 -gone9");
    assert_string_equal(since(h, 9, 9, services(), ""), "");
    /* 7 is of something that was never seen here: whoever knows it may know what else was */
    assert_string_equal(since(h, 6, 9, services(), ""), "old");
    assert_string_equal(since(h, 8, 9, services(), ""), "old");
    for (int i = 0; i < 3; i++) {
        gw_object_unref(c[i].object);
        gw_object_unref(c[i].before);
    }
    gw_history_free(h);
}

static struct gw_history *
history_of(struct gw_change *c, size_t n, unsigned base, unsigned revision)
{
    struct gw_history *h = gw_history_new(MANY);
    struct gw_news *news = gw_news_new(c, n, base, revision, GW_NEWS_NUMBERED);

    gw_history_start(h, base);
    gw_history_add(h, news);
    gw_news_unref(news);
    for (size_t i = 0; i < n; i++) {
        gw_object_unref(c[i].object);
        gw_object_unref(c[i].before);
    }
    return h;
}

/* Several changes at once. */
static void
test_gaps(void **state)
{
    struct gw_change all[] = {{.object = make("ExtensionService", "", "a", 6), .revision = 6},
                              {.before = make("ExtensionService", "", "b", 2), .revision = 7},
                              {.object = make("ExtensionService", "", "c", 8), .revision = 8}};
    struct gw_change made_and_gone[] = {
        {.object = make("ExtensionService", "", "a", 8), .revision = 8}};
    struct gw_change together[] = {{.object = make("ExtensionService", "", "n", 8), .revision = 8},
                                   {.before = make("ExtensionService", "", "a", 2), .revision = 8},
                                   {.before = make("ExtensionService", "", "b", 3), .revision = 8}};

    (void)state;
    struct gw_history *h = history_of(all, 3, 5, 8);
    assert_string_equal(since(h, 5, 8, services(), ""), "a6 -b7 c8");
    assert_string_equal(since(h, 6, 8, services(), ""), "-b7 c8");
    assert_string_equal(since(h, 7, 8, services(), ""), "c8");
    gw_history_free(h);

    h = history_of(made_and_gone, 1, 5, 8); /* elsewhere, x came at 6 and went at 7 */
    assert_string_equal(since(h, 5, 8, services(), ""), "a8");
    assert_string_equal(since(h, 6, 8, services(), ""), "old");
    assert_string_equal(since(h, 7, 8, services(), ""), "old");
    assert_string_equal(since(h, 8, 8, services(), ""), "");
    gw_history_free(h);

    h = history_of(NULL, 0, 5, 7); /* nothing of it was ever seen */
    assert_string_equal(since(h, 5, 7, services(), ""), "");
    assert_string_equal(since(h, 6, 7, services(), ""), "old");
    gw_history_free(h);

    /* who was told of one of these, and no more, does not go on behind the others */
    h = history_of(together, 3, 5, 8);
    char text[100];
    (void)snprintf(text, sizeof(text), "%s", since(h, 5, 8, services(), ""));
    assert_true(strcmp(text, "-a7 -b7 n8") == 0 || strcmp(text, "-b7 -a7 n8") == 0);
    assert_string_equal(since(h, 7, 8, services(), ""), "old");
    gw_history_free(h);
}

/* Changes of files have no revision of their own: they are told rather twice than never. */
static void
test_loose(void **state)
{
    struct gw_history *h = gw_history_new(MANY);

    (void)state;
    gw_history_start(h, 5);
    add(h, "file", 5, GW_NEWS_LOOSE);
    add(h, "a", 6, GW_NEWS_NUMBERED);
    assert_string_equal(since(h, 5, 6, services(), ""), "file5 a6");
    assert_string_equal(since(h, 6, 6, services(), ""), "");
    gw_history_free(h);

    h = gw_history_new(0); /* it is dropped at once: who is at its revision may have missed it */
    gw_history_start(h, 5);
    add(h, "file", 5, GW_NEWS_LOOSE);
    assert_string_equal(since(h, 5, 5, services(), ""), "old");
    assert_string_equal(since(h, 6, 6, services(), ""), "");
    gw_history_free(h);
}

static void
test_bound(void **state)
{
    struct gw_history *h = gw_history_new(4096);
    char name[16];

    (void)state;
    gw_history_start(h, 0);
    for (unsigned i = 1; i <= 1000; i++) {
        (void)snprintf(name, sizeof(name), "n%u", i);
        add(h, name, i, GW_NEWS_NUMBERED);
    }
    assert_string_equal(since(h, 900, 1000, services(), ""), "old");
    assert_string_equal(since(h, 998, 1000, services(), ""), "n999999 n10001000");
    gw_history_free(h);

    h = gw_history_new(0); /* nothing is kept; who knows all can go on */
    gw_history_start(h, 0);
    add(h, "a", 1, GW_NEWS_NUMBERED);
    assert_string_equal(since(h, 0, 1, services(), ""), "old");
    assert_string_equal(since(h, 1, 1, services(), ""), "");
    gw_history_free(h);
}

static void
test_replaced(void **state)
{
    struct gw_history *h = gw_history_new(MANY);

    (void)state;
    gw_history_start(h, 10);
    add(h, "a", 11, GW_NEWS_NUMBERED);
    gw_history_break(h, 11, 3);
    assert_string_equal(since(h, 2, 3, services(), ""), "old");
    assert_string_equal(since(h, 3, 3, services(), ""), "");
    add(h, "b", 4, GW_NEWS_NUMBERED);
    assert_string_equal(since(h, 3, 4, services(), ""), "b4");
    /* of the old store, and not of a gateway that is ahead */
    assert_string_equal(since(h, 10, 4, services(), ""), "old");
    assert_string_equal(since(h, 11, 4, services(), ""), "old");
    assert_string_equal(since(h, 12, 4, services(), ""), "");
    gw_history_free(h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_since),    cmocka_unit_test(test_kind_and_namespace),
        cmocka_unit_test(test_listing),  cmocka_unit_test(test_loose),
        cmocka_unit_test(test_gaps),     cmocka_unit_test(test_bound),
        cmocka_unit_test(test_replaced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
