#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "gateway/probe.h"
#include "t/lib/own_clock.h"

#define TURNS 400 /* of 50 ms at most, and then the test has failed */

static struct gw_loop *loop;
static struct gw_world *world;
static struct gw_endpoint *endpoint;
static int backend_fd, client_fd; /* client_fd: the probe's connection, at the backend; or -1 */

static struct outcome {
    unsigned n;
    enum gw_probe_result result;
    char why[256];
} outcome;

static void
on_done(void *owner, enum gw_probe_result result, const char *why)
{
    struct outcome *o = owner;

    o->n++;
    o->result = result;
    (void)snprintf(o->why, sizeof(o->why), "%s", why);
}

static struct gw_health_check
check_of(int type)
{
    return (struct gw_health_check){
        .type = type, .path = "/healthz?full", .timeout_ms = 1000, .status = {200, 399}};
}

static void
turn(void)
{
    event_base_loop(loop->base, EVLOOP_ONCE); /* the loop's own tick ends the wait */
}

static struct gw_probe *
start(const struct gw_health_check *check)
{
    outcome = (struct outcome){0};
    return gw_probe_start(endpoint, check, on_done, &outcome);
}

/* The backend takes the connection and reads what it is asked. */
static void
take(char *asked, size_t size)
{
    ssize_t n = -1;

    for (int i = 0; i < TURNS && client_fd < 0; i++) {
        turn();
        client_fd = accept4(backend_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    }
    assert_true(client_fd >= 0);
    for (int i = 0; i < TURNS && n <= 0; i++) {
        turn();
        n = recv(client_fd, asked, size - 1, 0);
    }
    assert_true(n > 0);
    asked[n] = '\0';
}

static void
wait_for_outcome(void)
{
    for (int i = 0; i < TURNS && outcome.n == 0; i++) {
        turn();
    }
    assert_int_equal(outcome.n, 1);
}

static void
hang_up(void)
{
    if (client_fd >= 0) {
        close(client_fd);
    }
    client_fd = -1;
}

static int
setup(void **state)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(in);
    char url[64];
    const char *why;

    (void)state;
    loop = gw_loop_new();
    world = gw_world_new(0, loop, &world, 1);
    backend_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(backend_fd, (struct sockaddr *)&in, sizeof(in)), 0);
    assert_int_equal(getsockname(backend_fd, (struct sockaddr *)&in, &size), 0);
    assert_int_equal(listen(backend_fd, 16), 0);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u", ntohs(in.sin_port));
    endpoint = gw_world_endpoint(world, gw_str_of(url), &why);
    client_fd = -1;
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    hang_up();
    assert_int_equal(endpoint->open, 0); /* whatever came of it */
    gw_world_endpoint_release(world, endpoint);
    gw_world_free(world);
    gw_loop_free(loop);
    close(backend_fd);
    return 0;
}

/* -- answers ------------------------------------------------------------------------------------
 */

#define OK       "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"

static const struct {
    const char *answer; /* and then the connection's end */
    bool good;
    const char *why;
} answers[] = {
    {OK, true, "GET /healthz?full: 200"},
    {"HTTP/1.0 200 OK\r\n\r\nwhatever", true, "GET /healthz?full: 200"},
    {"HTTP/1.1 204 No Content\r\n\r\n", true, "204"},
    {"HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n", true, "302"},
    {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", false, "GET /healthz?full: 404"},
    {"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 999\r\n\r\nno", false, "503"},
    {CONTINUE OK, true, "200"},
    {CONTINUE CONTINUE "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", false, "500"},
    {"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", false, "101"},
    {"HTTP/1.1 200 OK\r\nContent-Len", false, "closed without an answer"},
    {CONTINUE, false, "closed without an answer"},
    {"", false, "closed without an answer"},
    {"SSH-2.0-OpenSSH_9.2p1\r\n", false, "GET /healthz?full: "},
    {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", false,
     "GET /healthz?full: "},
};

static void
test_answers(void **state)
{
    struct gw_health_check check = check_of(GW_HEALTH_HTTP);
    char asked[1024];

    (void)state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        size_t n = strlen(answers[i].answer);

        (void)start(&check);
        take(asked, sizeof(asked));
        assert_int_equal(send(client_fd, answers[i].answer, n, 0), n);
        shutdown(client_fd, SHUT_WR);
        wait_for_outcome();
        assert_int_equal(outcome.result, answers[i].good ? GW_PROBE_GOOD : GW_PROBE_BAD);
        assert_non_null(strstr(outcome.why, answers[i].why));
        hang_up();
    }
}

static void
test_an_answer_in_pieces(void **state)
{
    struct gw_health_check check = check_of(GW_HEALTH_HTTP);
    const char *answer = CONTINUE OK;
    char asked[1024];

    (void)state;
    (void)start(&check);
    take(asked, sizeof(asked));
    for (size_t i = 0; answer[i] != '\0' && outcome.n == 0; i++) {
        assert_int_equal(send(client_fd, answer + i, 1, MSG_NOSIGNAL), 1);
        turn();
    }
    wait_for_outcome();
    assert_int_equal(outcome.result, GW_PROBE_GOOD);
}

static void
test_what_is_asked(void **state)
{
    struct gw_health_check check = check_of(GW_HEALTH_HTTP);
    char asked[1024];
    char host[80];

    (void)state;
    (void)snprintf(host, sizeof(host), "\r\nHost: %.*s\r\n", GW_STR_ARG(endpoint->url.authority));
    for (int round = 0; round < 2; round++) {
        (void)start(&check);
        take(asked, sizeof(asked));
        assert_ptr_equal(strstr(asked, "GET /healthz?full HTTP/1.1\r\n"), asked);
        assert_non_null(strstr(asked, round == 0 ? host : "\r\nHost: devops.example\r\n"));
        assert_non_null(strstr(asked, "\r\nConnection: close\r\n"));
        assert_string_equal(asked + strlen(asked) - 4, "\r\n\r\n");
        hang_up();
        wait_for_outcome();
        check.host = "devops.example";
    }
}

/* -- no answer ----------------------------------------------------------------------------------
 */

/* Bytes without end are not read without end. */
static void
test_an_endless_answer(void **state)
{
    static const char *const begins[] = {"HTTP/1.1 200 OK\r\nA: ", "", CONTINUE};
    static const char *const goes_on[] = {"aaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaa", CONTINUE};
    struct gw_health_check check = check_of(GW_HEALTH_HTTP);
    char asked[1024];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        size_t sent = 0;

        (void)start(&check);
        take(asked, sizeof(asked));
        (void)send(client_fd, begins[i], strlen(begins[i]), 0);
        while (outcome.n == 0 && sent < 1000000) {
            ssize_t n = send(client_fd, goes_on[i], strlen(goes_on[i]), MSG_NOSIGNAL);

            sent += n > 0 ? (size_t)n : 0;
            event_base_loop(loop->base, EVLOOP_NONBLOCK);
        }
        assert_int_equal(outcome.n, 1);
        assert_int_equal(outcome.result, GW_PROBE_BAD);
        assert_true(sent < 200000);
        hang_up();
    }
}

static void
test_silence(void **state)
{
    struct gw_health_check check = check_of(GW_HEALTH_HTTP);
    char asked[1024];

    (void)state;
    (void)start(&check);
    take(asked, sizeof(asked));
    turn();
    assert_int_equal(outcome.n, 0);
    own_now_us += 2000000;
    wait_for_outcome();
    assert_int_equal(outcome.result, GW_PROBE_LATE);
    assert_string_equal(outcome.why, "GET /healthz?full: no answer within 1000 ms");
}

static void
test_nobody_there(void **state)
{
    struct gw_health_check check = check_of(GW_HEALTH_HTTP);

    (void)state;
    close(backend_fd);
    (void)start(&check);
    assert_int_equal(outcome.n, 0); /* never from within */
    wait_for_outcome();
    assert_int_equal(outcome.result, GW_PROBE_BAD);
    assert_string_equal(outcome.why, "Connection refused");
}

static void
test_a_connection_is_enough(void **state)
{
    struct gw_health_check check = check_of(GW_HEALTH_TCP);

    (void)state;
    (void)start(&check);
    wait_for_outcome();
    assert_int_equal(outcome.result, GW_PROBE_GOOD);
    assert_string_equal(outcome.why, "connected");
}

static void
test_our_own_want_is_not_the_backends_fault(void **state)
{
    struct gw_health_check check = check_of(GW_HEALTH_TCP);
    struct rlimit before;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &(struct rlimit){3, before.rlim_max}), 0);
    (void)start(&check);
    own_now_us += 100000; /* it is told from the loop's next tick */
    wait_for_outcome();
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(outcome.result, GW_PROBE_VOID);
}

static void
test_one_that_is_cancelled_says_nothing(void **state)
{
    struct gw_health_check check = check_of(GW_HEALTH_HTTP);

    (void)state;
    gw_probe_cancel(start(&check)); /* while it connects */
    struct gw_probe *p = start(&check);
    for (int i = 0; i < 3; i++) {
        turn();
    }
    gw_probe_cancel(p); /* while it waits */
    own_now_us += 2000000;
    for (int i = 0; i < 3; i++) {
        turn();
    }
    assert_int_equal(outcome.n, 0);
}

/* -- settings -----------------------------------------------------------------------------------
 */

static const struct {
    const char *json, *error; /* NULL: it is good */
} sections[] = {
    {"{}", NULL},
    {"{\"path\": \"/readyz?verbose=1\", \"host\": \"a.example:80\", \"status\": \"204\"}", NULL},
    {"{\"type\": \"tcp\"}", NULL},
    {"{\"status\": 204}", NULL},
    {"{\"status\": 20}", "spec.healthCheck.status: expected a status"},
    {"{\"status\": [200]}", "spec.healthCheck.status"},
    {"{\"type\": \"udp\"}", "type"},
    {"{\"path\": \"healthz\"}", "spec.healthCheck.path: expected a path"},
    {"{\"path\": \"/a b\"}", "spec.healthCheck.path"},
    {"{\"path\": \"/a\\r\\nX: y\"}", "spec.healthCheck.path"},
    {"{\"path\": \"/a#b\"}", "spec.healthCheck.path"},
    {"{\"path\": \"\"}", "spec.healthCheck.path"},
    {"{\"host\": \"a b\"}", "spec.healthCheck.host"},
    {"{\"host\": \"a\\r\\nX: y\"}", "spec.healthCheck.host"},
    {"{\"status\": \"2xx\"}", "spec.healthCheck.status"},
    {"{\"status\": \"199\"}", "spec.healthCheck.status"},
    {"{\"status\": \"300-200\"}", "spec.healthCheck.status"},
    {"{\"status\": \"200-\"}", "spec.healthCheck.status"},
    {"{\"status\": \"200-600\"}", "spec.healthCheck.status"},
    {"{\"interval\": \"1ms\"}", "interval"},
};

static void
test_settings(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
        struct gw_diag diag = {0};
        struct gw_loader l = {.arena = gw_arena_new(), .diag = &diag};
        struct gw_health_check c = {0};
        json_t *json = json_loads(sections[i].json, 0, NULL);
        bool good = gw_schema_load(&l, &c, json, gw_health_rows, "spec.healthCheck", NULL) &&
                    gw_health_finish(&c, &l, json, "spec.healthCheck");

        assert_int_equal(good, sections[i].error == NULL);
        if (sections[i].error != NULL) {
            assert_non_null(strstr(diag.findings[0].text, sections[i].error));
        }
        json_decref(json);
        gw_diag_fini(&diag);
        gw_arena_free(l.arena);
    }
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_answers),
        TEST(test_an_answer_in_pieces),
        TEST(test_what_is_asked),
        TEST(test_an_endless_answer),
        TEST(test_silence),
        TEST(test_a_connection_is_enough),
        TEST(test_our_own_want_is_not_the_backends_fault),
        TEST(test_one_that_is_cancelled_says_nothing),
        TEST(test_nobody_there),
        cmocka_unit_test(test_settings),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
