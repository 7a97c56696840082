/* files.c - objects from files and folders, once and watched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/stat.h>

#include "registry/files.h"
#include "registry/watch.h"
#include "t/lib/folder.h"
#include "t/lib/registry_watcher.h"

#define USER(name) "apiVersion: iam.kubesphere.io/v1beta1\nkind: User\nmetadata: {name: " name "}\n"

struct result {
    struct gw_object **objects;
    size_t n;
    bool ok;
    struct gw_buf text;
};

static struct result
read_paths(const char *a, const char *b)
{
    const char *const paths[] = {a, b, NULL};
    struct result r = {0};
    struct gw_diag diag = {0};

    r.ok = gw_objects_read(paths, &r.objects, &r.n, &diag);
    gw_diag_format(&diag, &r.text);
    gw_diag_fini(&diag);
    return r;
}

static void
fini(struct result *r)
{
    for (size_t i = 0; i < r->n; i++) {
        gw_object_unref(r->objects[i]);
    }
    free(r->objects);
    gw_buf_fini(&r->text);
}

static void
assert_has(const struct result *r, const char *text)
{
    if (r->text.p == NULL || strstr(r->text.p, text) == NULL) {
        fail_msg("\"%s\" lacks \"%s\"", r->text.p == NULL ? "" : r->text.p, text);
    }
}

static void
test_folder_in_order(void **state)
{
    (void)state;
    write_file(in_folder("b.yaml"), "---\n" USER("b1") "---\n---\n" USER("b2"));
    write_file(in_folder("a.json"),
               "{\"apiVersion\":\"iam.kubesphere.io/v1beta1\",\"kind\":\"User\","
               "\"metadata\":{\"name\":\"a1\"}}");
    write_file(in_folder("c.yml"),
               "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: "
               "iam.kubesphere.io/v1beta1, kind: User, metadata: {name: c1}}\n- "
               "{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}}\n");
    write_file(in_folder("d.txt"), "not: [read");
    write_file(in_folder(".hidden.yaml"), "not: [read");
    struct result r = read_paths(folder, NULL);
    assert_true(r.ok);
    assert_int_equal(r.n, 4);
    assert_string_equal(r.objects[0]->name, "a1");
    assert_string_equal(r.objects[1]->name, "b1");
    assert_string_equal(r.objects[2]->name, "b2");
    assert_string_equal(r.objects[3]->name, "c1");
    assert_has(&r,
               "c.yml:5:3: warning: Deployment of apps/v1 is not kept in this registry: skipped");
    fini(&r);
}

/* All errors of all files at once, and the good objects all the same. */
static void
test_all_errors(void **state)
{
    (void)state;
    assert_int_equal(unlink(in_folder("d.txt")), 0);
    write_file(in_folder("bad.yaml"),
               USER("Bad Name") "---\n" USER("good") "---\nkind: 5\n---\n" USER("b1"));
    struct result r = read_paths(folder, in_folder("missing.yaml"));
    assert_false(r.ok);
    assert_has(&r, "bad.yaml:3:");
    assert_has(&r, "\"Bad Name\"");
    assert_has(&r, "bad.yaml:9:");
    assert_has(&r, "is here twice: first at");
    assert_has(&r, "missing.yaml: error: can't be read: No such file or directory");
    assert_int_equal(r.n, 5);
    fini(&r);
    assert_int_equal(unlink(in_folder("bad.yaml")), 0);
    assert_int_equal(unlink(in_folder("c.yml")), 0);

    assert_int_equal(mkdir(in_folder("empty"), 0700), 0);
    r = read_paths(in_folder("empty"), NULL);
    assert_true(r.ok);
    assert_int_equal(r.n, 0);
    assert_has(&r, "the folder holds no");
    fini(&r);
}

struct seen {
    size_t calls, puts, deletes;
};

static void
on_changed(void *owner, const struct gw_change *changes, size_t n)
{
    struct seen *s = owner;

    s->calls++;
    for (size_t i = 0; i < n; i++) {
        s->puts += changes[i].object != NULL;
        s->deletes += changes[i].object == NULL;
    }
}

static bool
has(struct gw_watch *w, const char *name)
{
    char key[128];

    (void)snprintf(key, sizeof(key), "iam.kubesphere.io/User//%s", name);
    return gw_watch_get(w, key) != NULL;
}

static void
test_watch(void **state)
{
    struct event_base *base = event_base_new();
    char late[160];
    struct seen seen = {0};

    (void)state;
    (void)snprintf(late, sizeof(late), "%s/late", folder);
    const char *const paths[] = {folder, late, NULL};
    struct gw_watch *w = gw_watch_open(paths, base, on_changed, &seen);
    assert_int_equal(gw_watch_count(w), 3); /* a1, b1, b2 */
    assert_int_equal(seen.calls, 0);

    write_file(in_folder("b.yaml"),
               USER("b2") "---\n" USER("b3")); /* one goes, one stays, one comes */
    WAIT_FOR(base, has(w, "b3"));
    assert_false(has(w, "b1"));
    assert_int_equal(seen.puts, 1);
    assert_int_equal(seen.deletes, 1);

    /* broken: what it had stays; mended: the new */
    write_file(in_folder("b.yaml"), USER("b2") "---\n" USER("b3") "  x: [");
    write_file(in_folder("n.yaml"), USER("n1"));
    WAIT_FOR(base, has(w, "n1")); /* the broken one was looked at as well by then */
    WAIT_FOR(base, seen.calls == 2);
    assert_true(has(w, "b2") && has(w, "b3"));
    write_file(in_folder("b.yaml"), USER("b4"));
    WAIT_FOR(base, has(w, "b4"));
    assert_false(has(w, "b2") || has(w, "b3"));

    /* a rename over it, as editors and Kubernetes' mounts do */
    write_file(in_folder("new"), USER("b5"));
    assert_int_equal(rename(in_folder("new"), in_folder("b.yaml")), 0);
    WAIT_FOR(base, has(w, "b5"));

    /* the same object in two files: the first counts, and takes over when the other goes */
    write_file(in_folder("z.yaml"), USER("b5"));
    assert_int_equal(unlink(in_folder("b.yaml")), 0);
    WAIT_FOR(base, gw_watch_count(w) == 3 && has(w, "b5"));
    assert_int_equal(unlink(in_folder("z.yaml")), 0);
    WAIT_FOR(base, !has(w, "b5"));

    /* a folder that comes later */
    assert_int_equal(mkdir(late, 0700), 0);
    write_file(in_folder("late/l.yaml"), USER("l1"));
    WAIT_FOR(base, has(w, "l1"));
    gw_watch_close(w);
    event_base_free(base);
}

/* More often than a file takes to settle. */
static void
make_a_stir(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
    write_file(in_folder("stir.tmp"), "x");
    assert_int_equal(unlink(in_folder("stir.tmp")), 0);
}

static void
test_busy_folder(void **state)
{
    struct event_base *base = event_base_new();
    const char *const paths[] = {folder, NULL};
    const struct timeval often = {.tv_usec = 5000};
    struct seen seen = {0};

    (void)state;
    struct gw_watch *w = gw_watch_open(paths, base, on_changed, &seen);
    struct event *stir = event_new(base, -1, EV_PERSIST, make_a_stir, NULL);
    assert_int_equal(event_add(stir, &often), 0);
    write_file(in_folder("busy.yaml"), USER("busy1"));
    WAIT_FOR(base, has(w, "busy1"));
    event_free(stir);
    gw_watch_close(w);
    event_base_free(base);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_folder_in_order),
        cmocka_unit_test(test_all_errors),
        cmocka_unit_test(test_watch),
        cmocka_unit_test(test_busy_folder),
    };

    return cmocka_run_group_tests_name("files", tests, make_folder, drop_folder);
}
