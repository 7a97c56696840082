/* sync.c - the registry as the gateway sees it: what it knows, keeps, merges and tells. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "t/lib/registry_gate.h"

struct names {
    char text[256];
};

static void
add_name(void *arg, struct gw_object *o)
{
    struct names *n = arg;
    size_t at = strlen(n->text);

    (void)snprintf(n->text + at, sizeof(n->text) - at, "%s/%s ", o->ns, o->name);
}

/* From nothing: starting, fresh and empty, written, read, deleted; each live when answered. */
static void
test_life(void **state)
{
    struct event_base *base = event_base_new();
    struct gate g;
    struct gw_sync_status status;
    struct names names = {0};

    gate_open(&g, base, *state);
    assert_int_equal(state_of(&g), GW_SYNC_STARTING);
    assert_int_equal(g.batches, 0);
    WAIT_FOR(base, state_of(&g) == GW_SYNC_FRESH);
    assert_int_equal(g.batches, 1); /* empty, and known to be so */
    assert_int_equal(g.resets, 1);

    struct gw_object *b = config_map("b", "1");
    struct gw_store_put put = {.object = b, .when = GW_WHEN_ANY};
    struct told told = {0};
    gw_sync_put(g.sync, &put, on_told, &told);
    WAIT_FOR(base, told.done);
    assert_true(knows(&g, "b"));
    assert_int_equal(g.revision, told.answer.revision);
    gw_object_unref(b);
    (void)put_config(&g, "a", "1");
    struct gw_object *o = object_of("{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'z',"
                                    "'namespace':'other'}}");
    (void)put_object(&g, o, GW_WHEN_ANY, 0);
    gw_object_unref(o);
    const struct gw_kind *kind = gw_kind_find(GW_STR(""), GW_STR("ConfigMap"));
    gw_sync_list(g.sync, kind, GW_STR_NONE, add_name, &names);
    assert_string_equal(names.text, "other/z test/a test/b ");
    names.text[0] = '\0';
    gw_sync_list(g.sync, kind, GW_STR("test"), add_name, &names);
    assert_string_equal(names.text, "test/a test/b ");
    names.text[0] = '\0';
    gw_sync_list(g.sync, gw_kind_find(GW_STR(""), GW_STR("Secret")), GW_STR_NONE, add_name, &names);
    assert_string_equal(names.text, "");
    o = gw_sync_get(g.sync, "/ConfigMap/test/a");
    assert_non_null(o);
    assert_string_equal(value_of(o), "1");
    assert_int_equal(remove_config(&g, "a", GW_WHEN_REVISION, o->revision).answer.result,
                     GW_STORE_OK);
    gw_object_unref(o);
    assert_false(knows(&g, "a"));
    assert_null(gw_sync_get(g.sync, "/ConfigMap/test/a"));
    gw_sync_status(g.sync, &status);
    assert_int_equal(status.objects, 2);
    assert_int_equal(status.revision, 4);
    assert_string_equal(status.text, "");
    assert_int_equal(g.resets, 1);
    gate_close(&g);
    event_base_free(base);
}

/* A restart: the last state is there before the store is, and nothing is told twice. */
static void
test_restart(void **state)
{
    struct event_base *base = event_base_new();
    struct gate g;

    gate_open(&g, base, *state);
    (void)put_config(&g, "a", "1");
    (void)put_config(&g, "b", "1");
    gate_close(&g);
    gate_open(&g, base, *state);
    assert_int_equal(g.resets, 1);
    assert_true(knows(&g, "a") && knows(&g, "b"));
    assert_int_equal(state_of(&g), GW_SYNC_STALE);
    WAIT_FOR(base, state_of(&g) == GW_SYNC_FRESH);
    assert_int_equal(g.batches, 1); /* the store had nothing new to say */
    gate_close(&g);

    /* a snapshot that is broken is as good as none */
    write_file(((struct paths *)*state)->snapshot, "ksgate-snapshot 1 5 0000\nrubbish");
    gate_open(&g, base, *state);
    assert_int_equal(g.batches, 0);
    WAIT_FOR(base, state_of(&g) == GW_SYNC_FRESH);
    assert_true(knows(&g, "a") && knows(&g, "b"));
    gate_close(&g);
    event_base_free(base);
}

/* The snapshot is written while it runs, not only at the end. */
static void
test_saves_while_running(void **state)
{
    struct paths *p = *state;
    struct event_base *base = event_base_new();
    struct gate g;

    gate_open(&g, base, p);
    (void)put_config(&g, "a", "1");
    WAIT_FOR(base, access(p->snapshot, R_OK) == 0);
    struct gate second = {0}; /* a store that can't be opened: told, and no batch was given */
    struct paths copy = *p;
    copy.settings.sqlite.path = "/proc/nonexistent/registry.db";
    struct gw_diag diag = {0};
    assert_null(gw_sync_open(&copy.settings, base, on_batch, &second, &diag));
    assert_non_null(strstr(gw_diag_first(&diag), "can't be opened"));
    assert_int_equal(second.batches, 0);
    gw_diag_fini(&diag);
    gate_close(&g);
    event_base_free(base);
}

/* Files win, are read-only, and give the store its objects back when they go. */
static void
test_files_win(void **state)
{
    struct paths *p = *state;
    struct event_base *base = event_base_new();
    struct gate g;

    p->settings.files = p->file_list;
    write_file(p->files, OBJECT("a", "file") OBJECT("f", "file"));
    gate_open(&g, base, p);
    assert_string_equal(value_at(&g, "a"), "file"); /* at once, without the store */
    WAIT_FOR(base, state_of(&g) == GW_SYNC_FRESH);
    struct told t = put_config(&g, "a", "store");
    assert_int_equal(t.answer.result, GW_STORE_READ_ONLY);
    assert_non_null(strstr(t.text, "registry.files"));
    assert_int_equal(remove_config(&g, "a", GW_WHEN_ANY, 0).answer.result, GW_STORE_READ_ONLY);
    assert_int_equal(put_config(&g, "s", "store").answer.result, GW_STORE_OK);

    /* the store gets an object of that name from elsewhere: hidden, until the file lets go */
    struct watcher w;
    watcher_open(&w, &gw_store_sqlite, &p->settings.sqlite, base);
    uint64_t revision = put_value(&w, "a", "store");
    struct gw_sync_status status;
    do {
        turn(base);
        gw_sync_status(g.sync, &status);
    } while (status.revision < revision);
    assert_string_equal(value_at(&g, "a"), "file");
    assert_int_equal(status.objects, 3);
    struct gw_object *o = gw_sync_get(g.sync, "/ConfigMap/test/a");
    assert_string_equal(value_of(o), "file");
    gw_object_unref(o);
    write_file(p->files, OBJECT("f", "changed"));
    WAIT_FOR(base, strcmp(value_at(&g, "f"), "changed") == 0);
    assert_string_equal(value_at(&g, "a"), "store");
    write_file(p->files, OBJECT("f", "broken") "  - [");
    write_file(p->files, OBJECT("f", "mended"));
    WAIT_FOR(base, strcmp(value_at(&g, "f"), "mended") == 0);
    assert_int_equal(unlink(p->files), 0);
    WAIT_FOR(base, !knows(&g, "f"));
    assert_true(knows(&g, "a") && knows(&g, "s"));
    watcher_close(&w);
    gate_close(&g);
    event_base_free(base);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        GATE_TEST(test_life),
        GATE_TEST(test_restart),
        GATE_TEST(test_saves_while_running),
        GATE_TEST(test_files_win),
    };

    return cmocka_run_group_tests_name("sync", tests, NULL, NULL);
}
