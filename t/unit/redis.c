/* redis.c - the connection to Redis against servers that are wrong, slow and hostile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "net/redis.h"
#include "net/redis_url.h"
#include "t/lib/folder.h"
#include "t/lib/registry_watcher.h"

struct url_case {
    const char *url, *shown, *error;
    int db;
};

/* clang-format off */
static const struct url_case url_cases[] = {
    {"redis://h",                   "redis://h:6379",     NULL, 0},
    {"redis://h:7000/3",            "redis://h:7000",     NULL, 3},
    {"redis://me@h/",               "redis://h:6379",     NULL, 0},
    {"redis://[::1]:7000",          "redis://[::1]:7000", NULL, 0},
    {"redis://[::1]",               "redis://[::1]:6379", NULL, 0},
    {"unix:/run/r.sock",            "unix:/run/r.sock",   NULL, 0},
    {"unix:/run/r.sock?db=2",       "unix:/run/r.sock",   NULL, 2},
    {"unix:/r.sock?user=me&db=2",   "unix:/r.sock",       NULL, 2},
    {"unix:/r.sock?db=2&user=me",   "unix:/r.sock",       NULL, 2},
    {"unix:///r.sock",              "unix:/r.sock",       NULL, 0},
    {"unix://me@/r.sock?db=2",      "unix:/r.sock",       NULL, 2},
    {"rediss://h",                  "rediss://h:6379",    NULL, 0},
    {"rediss://me@[::1]:7000/3",    "rediss://[::1]:7000", NULL, 3},
    {"rediss://",                   NULL, "a host is missing", 0},
    {"http://h",                    NULL, "must begin with", 0},
    {"",                            NULL, "must begin with", 0},
    {"redis://",                    NULL, "a host is missing", 0},
    {"redis://:7000",               NULL, "a host is missing", 0},
    {"redis://h:0",                 NULL, "the port", 0},
    {"redis://h:70000",             NULL, "the port", 0},
    {"redis://h:",                  NULL, "the port", 0},
    {"redis://h/x",                 NULL, "the database", 0},
    {"redis://[::1",                NULL, "is missing", 0},
    {"redis://me:pw@h",             NULL, "no password in the URL", 0},
    {"unix:r.sock",                 NULL, "must begin with \"/\"", 0},
    {"unix:/r.sock?x=1",            NULL, "only user=NAME", 0},
    {"unix:/r.sock?user=",          NULL, "only user=NAME", 0},
    {"unix:/r.sock?user=a&user=b",  NULL, "only user=NAME", 0},
    {"unix:/r.sock?db=x",           NULL, "db=NUMBER", 0},
    {"unix://me:pw@/r.sock",        NULL, "no password in the URL", 0},
    {"unix://run/r.sock",           NULL, "only USER@ can stand", 0},
    {"unix://@/r.sock",             NULL, "only USER@ can stand", 0},
    {"unix://me@",                  NULL, "must begin with \"/\"", 0},
};
/* clang-format on */

static void
test_urls(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(url_cases) / sizeof(url_cases[0]); i++) {
        const struct url_case *c = &url_cases[i];
        struct gw_redis_url u;
        struct gw_diag diag = {0};
        bool ok = gw_redis_url_read(&u, c->url, &diag);

        if (ok != (c->shown != NULL)) {
            fail_msg("%s: %s", c->url, gw_diag_first(&diag));
        }
        if (ok) {
            assert_string_equal(u.text, c->shown);
            assert_int_equal(u.db, c->db);
        } else {
            assert_words(c->url, gw_diag_first(&diag), c->error);
        }
        assert_null(strstr(gw_diag_first(&diag), "pw@"));
        gw_redis_url_fini(&u);
        gw_diag_fini(&diag);
    }
}

/* A server of one answer: PONG to the first command, then `evil`, then as told. */
struct server {
    struct event_base *base;
    int listener;
    struct event *accepts;
    char folder[64], url[128];
    struct event *reads[64];
    int n;
    const char *evil;
    size_t evil_n;
    int repeat; /* how often evil is sent */
    bool closes;
    const char *hello; /* to PING */
};

static void
on_server_readable(evutil_socket_t fd, short what, void *arg)
{
    struct server *s = arg;
    char in[4096];
    ssize_t n = read(fd, in, sizeof(in) - 1);

    (void)what;
    if (n <= 0) {
        return; /* freed with the server */
    }
    in[n] = '\0';
    if (strstr(in, "PING") != NULL) {
        (void)!write(fd, s->hello, strlen(s->hello));
        return;
    }
    char *all = gw_mem_alloc(s->evil_n * (size_t)s->repeat + 1);
    for (int i = 0; i < s->repeat; i++) {
        memcpy(all + (size_t)i * s->evil_n, s->evil, s->evil_n);
    }
    (void)!write(fd, all, s->evil_n * (size_t)s->repeat);
    free(all);
    if (s->closes) {
        (void)shutdown(fd, SHUT_RDWR);
    }
}

static void
on_accept(evutil_socket_t fd, short what, void *arg)
{
    struct server *s = arg;
    int c = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)what;
    assert_true(c >= 0 && s->n < 64);
    s->reads[s->n] = event_new(s->base, c, EV_READ | EV_PERSIST, on_server_readable, s);
    (void)event_add(s->reads[s->n++], NULL);
}

static void
server_open(struct server *s, struct event_base *base)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};

    s->base = base;
    s->repeat = 1;
    s->hello = "+PONG\r\n";
    (void)snprintf(s->folder, sizeof(s->folder), "%s", temp_folder());
    (void)snprintf(at.sun_path, sizeof(at.sun_path), "%s/s", s->folder);
    (void)snprintf(s->url, sizeof(s->url), "unix:%s", at.sun_path);
    s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(s->listener, 16), 0);
    s->accepts = event_new(base, s->listener, EV_READ | EV_PERSIST, on_accept, s);
    (void)event_add(s->accepts, NULL);
}

static void
server_close(struct server *s)
{
    for (int i = 0; i < s->n; i++) {
        int fd = event_get_fd(s->reads[i]);
        event_free(s->reads[i]);
        (void)close(fd);
    }
    event_free(s->accepts);
    (void)close(s->listener);
    remove_folder(s->folder);
}

struct client {
    struct gw_redis *redis;
    int ups, downs, answers, replies;
    char error[256], text[256];
    bool close_in_answer, close_in_down, send_in_answer;
};

static void on_answer(void *arg, const redisReply *reply, const char *error);

static void
ask(struct client *c)
{
    const char *argv[] = {"GET", "x"};
    struct gw_redis_command cmd = {.argc = 2, .argv = argv};

    gw_redis_send(c->redis, &cmd, on_answer, c);
}

static void
close_client(struct client *c)
{
    struct gw_redis *r = c->redis;

    c->redis = NULL;
    gw_redis_close(r);
}

static void
on_answer(void *arg, const redisReply *reply, const char *error)
{
    struct client *c = arg;

    assert_true((reply == NULL) == (error != NULL));
    c->answers++;
    c->replies += reply != NULL;
    (void)snprintf(c->error, sizeof(c->error), "%s", error == NULL ? "" : error);
    if (c->send_in_answer && c->redis != NULL && c->answers < 10) {
        ask(c);
    }
    if (c->close_in_answer) {
        close_client(c);
    }
}

static void
on_up(void *owner)
{
    struct client *c = owner;

    c->ups++;
}

static void
on_down(void *owner, const char *text)
{
    struct client *c = owner;

    c->downs++;
    (void)snprintf(c->text, sizeof(c->text), "%s", text);
    if (c->close_in_down) {
        close_client(c);
    }
}

static void
client_open(struct client *c, struct event_base *base, const char *url, int timeout_ms)
{
    static const struct gw_redis_events events = {.up = on_up, .down = on_down};
    struct gw_redis_conf conf = {.url = url, .timeout_ms = timeout_ms, .reply_bytes = 100000};
    struct gw_diag diag = {0};

    c->redis = gw_redis_open(&conf, base, &events, c, &diag);
    assert_non_null(c->redis);
}

/* For an answer that does not come; those that do may be late on a busy machine. */
#define SOON 500

struct evil_case {
    const char *about, *bytes, *error;
    int repeat;
    bool closes;
};

/* clang-format off */
static const struct evil_case evil_cases[] = {
    {"nothing at all",         "",                        "no answer within 500 ms", 1, false},
    {"the end",                "",                        "closed",                  1, true},
    {"half of a reply",        "$10\r\nabc",              "no answer within 500 ms", 1, false},
    {"half, then the end",     "$10\r\nabc",              "closed",                  1, true},
    {"another protocol",       "HTTP/1.1 400 Bad\r\n\r\n", "Protocol error",         1, false},
    {"a wrong length",         "$-5\r\n",                 "",                        1, false},
    {"a huge array",           "*1000000000\r\n",         "larger than 100000",      1, false},
    {"many elements",          "*13000\r\n",              "larger than 100000",      1, false},
    {"a text without an end",  "+0123456789012345678901234567890123456789", "larger than 100000", 3000, false},
    {"a huge text",            "$90000000\r\n0123456789012345678901234567890123456789", "larger than 100000", 3000, false},
    {"deep arrays",            "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", "", 1, false},
};
/* clang-format on */

/* Each ends the connection: the command is answered once, with words, and the next try comes. */
static void
test_evil_servers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(evil_cases) / sizeof(evil_cases[0]); i++) {
        const struct evil_case *e = &evil_cases[i];
        struct event_base *base = event_base_new();
        struct server server = {0};
        struct client client = {0};

        server_open(&server, base);
        server.evil = e->bytes;
        server.evil_n = strlen(e->bytes);
        server.repeat = e->repeat;
        server.closes = e->closes;
        client_open(&client, base, server.url,
                    strstr(e->error, "no answer") != NULL ? SOON : LONG_MS);
        ask(&client);
        WAIT_FOR(base, client.downs > 0);
        assert_int_equal(client.answers, 1);
        if (client.replies != 0 || strstr(client.error, e->error) == NULL) {
            fail_msg("%s: \"%s\" lacks \"%s\"", e->about, client.error, e->error);
        }
        assert_non_null(strstr(client.text, server.url));
        WAIT_FOR(base, client.ups == 2); /* it comes back */
        close_client(&client);
        server_close(&server);
        event_base_free(base);
    }
}

/* What nobody asked for ends the connection, and not the process. */
static void
test_more_than_asked(void **state)
{
    static const char *const evil[] = {"+OK\r\n+OK\r\n", "+OK\r\n*1\r\n:1\r\n",
                                       "$2\r\nab\r\n$-1\r\n", "+OK\r\n-ERR max clients\r\n",
                                       ":1\r\n:2\r\n"};

    (void)state;
    for (size_t i = 0; i <= sizeof(evil) / sizeof(evil[0]); i++) {
        bool at_once = i == sizeof(evil) / sizeof(evil[0]); /* already with the first PONG */
        struct event_base *base = event_base_new();
        struct server server = {0};
        struct client client = {0};

        server_open(&server, base);
        server.evil = at_once ? "+OK\r\n" : evil[i];
        server.evil_n = strlen(server.evil);
        server.hello = at_once ? "+PONG\r\n+PONG\r\n" : "+PONG\r\n";
        client_open(&client, base, server.url, LONG_MS);
        if (!at_once) {
            ask(&client);
        }
        WAIT_FOR(base, client.downs > 0);
        assert_int_equal(client.replies, at_once ? 0 : 1);
        assert_non_null(strstr(client.text, i == 3 ? "max clients" : "a reply to nothing"));
        WAIT_FOR(base, client.ups >= 2); /* it comes back */
        close_client(&client);
        server_close(&server);
        event_base_free(base);
    }
}

static void
test_hello_refused(void **state)
{
    static const char *const hellos[] = {"-LOADING Redis is loading\r\n", "-NOAUTH log in\r\n"};
    struct event_base *base = event_base_new();

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct server server = {0};
        struct client client = {0};

        server_open(&server, base);
        server.hello = hellos[i];
        server.evil = "+OK\r\n";
        server.evil_n = 5;
        client_open(&client, base, server.url, LONG_MS);
        ask(&client);
        WAIT_FOR(base, client.downs > 0);
        assert_non_null(strstr(client.text, i == 0 ? "LOADING" : "NOAUTH"));
        assert_int_equal(client.answers, 1);
        assert_int_equal(client.replies, 0);
        ask(&client); /* between two tries: at once */
        assert_int_equal(client.answers, 2);
        server.hello = "+PONG\r\n";
        WAIT_FOR(base, client.ups > 0);
        ask(&client);
        WAIT_FOR(base, client.replies == 1);
        close_client(&client);
        server_close(&server);
    }
    event_base_free(base);
}

/* Closed from its own callbacks, and written to from them. */
static void
test_from_callbacks(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++) {
        struct event_base *base = event_base_new();
        struct server server = {0};
        struct client client = {.close_in_answer = i == 0 || i == 1 || i == 4,
                                .close_in_down = i == 2 || i == 3,
                                .send_in_answer = i == 5};

        server_open(&server, base);
        server.evil = i == 0 || i == 5 ? "+OK\r\n" : "";
        server.evil_n = strlen(server.evil);
        server.closes = i % 2 == 1 && i != 5;
        client_open(&client, base, server.url, i == 2 || i == 4 ? SOON : LONG_MS);
        ask(&client);
        if (i == 0 || i == 4) {
            ask(&client); /* waits behind: is answered by the close */
        }
        WAIT_FOR(base, client.redis == NULL || client.answers == 10);
        assert_int_equal(client.answers, i == 0 || i == 4 ? 2 : i == 5 ? 10 : 1);
        for (int j = 0; j < 3; j++) {
            turn(base);
        }
        gw_redis_close(client.redis);
        server_close(&server);
        event_base_free(base);
    }
}

static void
test_nobody_there(void **state)
{
    static const char *const urls[] = {"unix:/nonexistent/socket", "redis://127.0.0.1:1",
                                       "redis://localhost:1", "redis://no-such-host.invalid"};
    struct event_base *base = event_base_new();

    (void)state;
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        struct client client = {0};

        client_open(&client, base, urls[i], SOON);
        ask(&client);
        WAIT_FOR(base, client.downs > 1);
        assert_int_equal(client.answers, 1);
        print_message("# %s\n", client.text);
        assert_non_null(strstr(client.text, urls[i]));
        close_client(&client);

        struct client early = {0}; /* closed while the name is being looked up */
        client_open(&early, base, urls[i], SOON);
        (void)event_base_loop(base, EVLOOP_NONBLOCK);
        close_client(&early);
        turn(base);
    }
    event_base_free(base);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls),          cmocka_unit_test(test_evil_servers),
        cmocka_unit_test(test_hello_refused), cmocka_unit_test(test_from_callbacks),
        cmocka_unit_test(test_nobody_there),  cmocka_unit_test(test_more_than_asked),
    };

    (void)signal(SIGPIPE, SIG_IGN); /* as the server does */
    return cmocka_run_group_tests_name("redis", tests, NULL, NULL);
}
