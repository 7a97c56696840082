/* access_log.c - a request's line: whole, escaped, without secrets, and written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "gateway/worlds.h"
#include "modules/access_line.h"
#include "modules/access_sink.h"

extern const struct gw_module gw_mod_access_log;

#define N(list) (sizeof(list) / sizeof((list)[0]))

static char folder[] = "/tmp/ksgate-access-XXXXXX";

static struct gw_req *
new_request(void)
{
    struct gw_arena *a = gw_arena_new();
    struct gw_req *req = gw_arena_alloc(a, sizeof(*req));

    req->arena = a;
    return req;
}

/* The line as JSON; it must be one line. */
static json_t *
line_of(const struct gw_req *req)
{
    struct gw_buf b = {0};

    gw_access_line(&b, req);
    assert_int_equal(b.p[b.n - 1], '\n');
    assert_int_equal(gw_str_find(gw_buf_text(&b), '\n'), b.n - 1);
    json_t *json = json_loadb(b.p, b.n, JSON_REJECT_DUPLICATES, NULL);
    if (json == NULL) {
        fail_msg("no JSON: %s", b.p);
    }
    gw_buf_fini(&b);
    return json;
}

static void
expect_text(const json_t *line, const char *name, const char *value)
{
    const char *got = json_string_value(json_object_get(line, name));

    if (value == NULL ? json_object_get(line, name) != NULL
                      : got == NULL || strcmp(got, value) != 0) {
        fail_msg("%s: %s, not %s", name, got == NULL ? "(none)" : got,
                 value == NULL ? "(none)" : value);
    }
}

static void
expect_number(const json_t *line, const char *name, double value)
{
    assert_true(json_is_number(json_object_get(line, name)));
    assert_true(json_number_value(json_object_get(line, name)) == value);
}

static void
test_a_full_line(void **state)
{
    struct gw_req *req = new_request();
    struct gw_head head = {.method = GW_STR("GET")};

    (void)state;
    req->head = &head;
    req->request_id = GW_STR("id1");
    req->client_ip = GW_STR("192.0.2.1");
    req->host = GW_STR("gw");
    req->target.path = GW_STR("/extensions/devops/a");
    req->target.query = GW_STR("a=1&access_token=abc&b=2");
    req->err = GW_ERR_FORBIDDEN;
    req->detail = "no";
    req->subject.name = GW_STR("tom");
    req->subject.n_groups = 2;
    req->info.is_resource = true;
    req->info.verb = GW_STR("list");
    req->info.workspace = GW_STR("ws");
    req->decision = (struct gw_decision){
        .route = GW_ROUTE_EXTENSIONS,
        .extension = GW_STR("devops"),
        .authentication = "jwt-cached",
        .allowed = GW_DENIED,
        .policy = "rbac",
        .reason = GW_STR("nearest: role r"),
        .endpoint = GW_STR("http://10.0.0.1:80"),
        .tries = 2,
        .reused = true,
        .status = 403,
        .upstream_status = 200,
        .bytes_in = 7,
        .bytes_out = 9007199254740991ULL,
        .wall_ms = 1700000000123,
        .head_us = 5,
        .decided_us = 1234,
        .end_us = 10000001,
        .end = "done",
    };
    json_t *line = line_of(req);
    expect_text(line, "time", "2023-11-14T22:13:20.123Z");
    expect_text(line, "id", "id1");
    expect_text(line, "client", "192.0.2.1");
    expect_text(line, "method", "GET");
    expect_text(line, "host", "gw");
    expect_text(line, "path", "/extensions/devops/a");
    expect_text(line, "query", "a=1&access_token=***&b=2");
    expect_text(line, "route", "extensions");
    expect_text(line, "extension", "devops");
    expect_text(line, "user", "tom");
    expect_number(line, "groups", 2);
    expect_text(line, "authentication", "jwt-cached");
    expect_text(line, "verb", "list");
    expect_text(line, "workspace", "ws");
    expect_text(line, "namespace", NULL);
    assert_true(json_is_false(json_object_get(line, "allowed")));
    expect_text(line, "reason", "nearest: role r");
    expect_text(line, "endpoint", "http://10.0.0.1:80");
    expect_number(line, "tries", 2);
    assert_true(json_is_true(json_object_get(line, "reused")));
    expect_number(line, "upstream_status", 200);
    expect_number(line, "status", 403);
    expect_number(line, "bytes_in", 7);
    expect_number(line, "head_ms", 0.005);
    expect_number(line, "decided_ms", 1.234);
    assert_null(json_object_get(line, "connected_ms")); /* never reached */
    expect_number(line, "duration_ms", 10000.001);
    expect_text(line, "error", "forbidden");
    expect_text(line, "end", "done");
    json_decref(line);
    gw_arena_free(req->arena);
}

/* A request that was refused before anything was known of it. */
static void
test_an_empty_line(void **state)
{
    struct gw_req *req = new_request();

    (void)state;
    req->err = GW_ERR_BAD_REQUEST;
    json_t *line = line_of(req);
    expect_text(line, "error", "bad_request");
    expect_text(line, "user", NULL);
    expect_number(line, "status", 0);
    json_decref(line);
    gw_arena_free(req->arena);
}

static void
test_nothing_gets_out_of_its_member(void **state)
{
    struct gw_req *req = new_request();
    const char nasty[] = "x\"}\n{\"user\":\"root\"}\r\x01\x7f\\\xff\xe2\x80\xa8";

    (void)state;
    req->host = gw_str_of(nasty);
    req->target.path = gw_str_of(nasty);
    req->target.query = gw_str_of(nasty);
    req->subject.name = gw_str_of(nasty);
    req->request_id = gw_str_of(nasty);
    json_t *line = line_of(req);
    expect_text(line, "user", "x\"}\n{\"user\":\"root\"}\r\x01\x7f\\\xef\xbf\xbd\xe2\x80\xa8");
    json_decref(line);
    gw_arena_free(req->arena);
}

static const struct {
    const char *query, *logged;
} queries[] = {
    {"", ""},
    {"a=1&b=2", "a=1&b=2"},
    {"&&a&=&", "&&a&=&"},
    {"access_token=x", "access_token=***"},
    {"ACCESS_TOKEN=x&y", "ACCESS_TOKEN=***&y"},
    {"access%5Ftoken=x", "access%5Ftoken=***"},
    {"%74oken=x", "%74oken=***"},
    {"a=1&token=x=y&b=token", "a=1&token=***&b=token"},
    {"token", "token"},
    {"token=", "token=***"},
    {"a=1;password=x;b=2", "a=1;password=***;b=2"},
    {"code=x&state=y&codec=z", "code=***&state=***&codec=z"},
    {"client_secret=x&id_token_hint=y", "client_secret=***&id_token_hint=***"},
    {"X-Amz-Signature=x&Authorization=y", "X-Amz-Signature=***&Authorization=***"},
    {"api_key=x&apikey=x&key=x&keys=x", "api_key=***&apikey=***&key=***&keys=x"},
    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaatoken=x&b",
     "***=***&b"},
    {"return=/x%3Fa%3D1", "return=/x%3Fa%3D1"},
    {"return=%2Fx%3Faccess_token%3Dy%26a%3Db&c=d", "return=%2Fx%3F***&c=d"},
    {"return=/x?a=1%26token=y", "return=/x?***"},
    {"return=%2Fx%3F%2561ccess%255Ftoken%253Dy", "return=%2Fx%3F***"},
    {"a=b&to=%2Fx%253ftoken%253Dy", "a=b&to=%2Fx%253f***"},
    {"r=/a%3Fr%3D/b%253Fr%253D/c%25253Fr%25253D/d%2525253Fa", "r=/a%3F***"},
};

static void
test_queries(void **state)
{
    struct gw_arena *a = gw_arena_new();

    (void)state;
    for (size_t i = 0; i < N(queries); i++) {
        struct gw_str got = gw_access_query(a, gw_str_of(queries[i].query));

        if (!gw_str_eq(got, gw_str_of(queries[i].logged))) {
            fail_msg("%s: %.*s", queries[i].query, GW_STR_ARG(got));
        }
    }
    gw_arena_free(a);
}

/* ---- Writing ---- */

static size_t
count_lines(const char *path, size_t *bytes)
{
    FILE *f = fopen(path, "r");
    size_t n = 0;
    int c = 0;

    *bytes = 0;
    while (f != NULL && (c = fgetc(f)) != EOF) {
        n += c == '\n';
        ++*bytes;
    }
    if (f != NULL) {
        (void)fclose(f);
    }
    return n;
}

static void
put_lines(struct gw_access_sink *s, unsigned n)
{
    struct gw_buf b = {0};

    for (unsigned i = 0; i < n; i++) {
        gw_buf_puts(&b, "a line of 20 bytes.\n");
    }
    gw_access_sink_write(s, &b, n);
    assert_int_equal(b.n, 0);
    gw_buf_fini(&b);
}

static void
test_a_sink_writes(void **state)
{
    char path[64];
    size_t bytes = 0;

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/a.log", folder);
    struct gw_access_sink *s = gw_access_sink_new(path, 1 << 20);
    assert_int_not_equal(access(path, F_OK), 0); /* not before there is something to write */
    for (unsigned i = 1; i <= 100; i++) {
        put_lines(s, i);
    }
    gw_access_sink_drain(s, 10000);
    assert_int_equal(count_lines(path, &bytes), 5050);
    assert_int_equal(bytes, 5050 * 20);
    gw_access_sink_unref(s);

    s = gw_access_sink_new(path, 1 << 20); /* as after a reload: appended */
    put_lines(s, 1);
    gw_access_sink_drain(s, 10000);
    assert_int_equal(count_lines(path, &bytes), 5051);
    gw_access_sink_unref(s);
    (void)unlink(path);
}

/* A reader that does not read stands for a disk that is full or slow. */
static void
test_a_slow_disk_blocks_nobody(void **state)
{
    char path[64];
    unsigned long long dropped = gw_access_sink_dropped();
    unsigned long long written = gw_access_sink_written();

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/slow", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    int reader = open(path, O_RDONLY | O_NONBLOCK);
    assert_true(reader >= 0);
    struct gw_access_sink *s = gw_access_sink_new(path, 100000);
    for (unsigned i = 0; i < 1000; i++) {
        put_lines(s, 1000); /* 20 000 bytes; the pipe holds 64 KiB, the sink 100 000 */
    }
    assert_true(gw_access_sink_dropped() - dropped >= 985000ULL);
    assert_true(gw_access_sink_dropped() - dropped < 1000000ULL);
    (void)close(reader); /* now writing fails */
    gw_access_sink_drain(s, 10000);
    assert_int_equal(gw_access_sink_dropped() - dropped + gw_access_sink_written() - written,
                     1000000ULL);
    gw_access_sink_unref(s);
    (void)unlink(path);
}

/* Nobody reads the FIFO: the lines are lost at once, and the thread is free. */
static void
test_a_fifo_without_a_reader_loses_lines_only(void **state)
{
    char path[64];
    unsigned long long dropped = gw_access_sink_dropped();

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/unread", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    struct gw_access_sink *s = gw_access_sink_new(path, 100000);
    put_lines(s, 3);
    gw_access_sink_drain(s, 10000);
    assert_int_equal(gw_access_sink_dropped() - dropped, 3);
    gw_access_sink_unref(s);
    (void)unlink(path);
}

static void
test_no_folder_loses_lines_only(void **state)
{
    unsigned long long dropped = gw_access_sink_dropped();
    struct gw_access_sink *s = gw_access_sink_new("/nowhere/access.log", 100000);

    (void)state;
    put_lines(s, 3);
    gw_access_sink_drain(s, 10000);
    assert_int_equal(gw_access_sink_dropped() - dropped, 3);
    gw_access_sink_unref(s);
}

/* The module as a worker uses it: each line once, and the last ones when it ends. */
static void
test_the_module(void **state)
{
    struct gw_arena *a = gw_arena_new();
    struct gw_diag diag = {0};
    struct gw_loader loader = {.arena = a, .diag = &diag};
    void *conf = gw_arena_alloc(a, gw_mod_access_log.conf_size);
    struct gw_world *w = gw_world_new(0, NULL, NULL, 0);
    char path[64];
    size_t bytes = 0;

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/m.log", folder);
    json_t *json = json_pack("{s:s, s:s}", "access", path, "level", "warn");
    assert_true(gw_schema_load(&loader, conf, json, gw_mod_access_log.settings, "log", NULL));
    assert_true(gw_mod_access_log.open(conf, &loader));
    for (unsigned i = 0; i < 1000; i++) {
        struct gw_req *req = new_request();

        req->world = w;
        assert_int_equal(gw_mod_access_log.on[GW_LOG](req, conf), GW_NEXT);
        gw_arena_free(req->arena);
    }
    gw_mod_access_log.close(conf);
    gw_world_free(w);
    assert_int_equal(count_lines(path, &bytes), 1000);
    json_decref(json);
    gw_diag_fini(&diag);
    gw_arena_free(a);
    (void)unlink(path);
}

static int
set_up(void **state)
{
    (void)state;
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
    (void)state;
    gw_arena_trim();
    return rmdir(folder);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_full_line),
        cmocka_unit_test(test_an_empty_line),
        cmocka_unit_test(test_nothing_gets_out_of_its_member),
        cmocka_unit_test(test_queries),
        cmocka_unit_test(test_a_sink_writes),
        cmocka_unit_test(test_a_slow_disk_blocks_nobody),
        cmocka_unit_test(test_a_fifo_without_a_reader_loses_lines_only),
        cmocka_unit_test(test_no_folder_loses_lines_only),
        cmocka_unit_test(test_the_module),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("access_log", tests, set_up, tear_down);
}
