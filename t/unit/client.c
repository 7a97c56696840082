/* client.c - the command's HTTP client against a server that says what it is told to say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "server/client.h"

static char folder[] = "/tmp/ksgate-client-XXXXXX";
static char path[64];

/* A server for one connection: reads a request to the end of `until`, writes `answer`, closes. */
struct server {
    int fd;
    const char *until, *answer;
    char request[4096];
    pthread_t thread;
};

static void *
serve(void *arg)
{
    struct server *s = arg;
    int fd = accept(s->fd, NULL, NULL);
    size_t n = 0;

    while (strstr(s->request, s->until) == NULL) {
        ssize_t got = read(fd, s->request + n, sizeof(s->request) - 1 - n);

        if (got <= 0) {
            break;
        }
        n += (size_t)got;
    }
    for (const char *p = s->answer; *p != '\0'; p++) { /* a byte at a time: any split must do */
        if (send(fd, p, 1, MSG_NOSIGNAL) != 1) {
            break;
        }
    }
    (void)close(fd);
    return NULL;
}

static void
start(struct server *s, const char *until, const char *answer)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    *s = (struct server){.until = until, .answer = answer};
    (void)unlink(path);
    s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy(address.sun_path, path, strlen(path));
    assert_int_equal(bind(s->fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(s->fd, 1), 0);
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void
stop(struct server *s)
{
    assert_int_equal(pthread_join(s->thread, NULL), 0);
    (void)close(s->fd);
}

static const struct {
    const char *answer;
    bool ok;
    unsigned status;
    const char *body; /* or what the diag says */
} cases[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", true, 200, "hello"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true, 200, ""},
    {"HTTP/1.1 204 No Content\r\n\r\n", true, 204, ""},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", true,
     200, "hello"},
    {"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello", true, 200, "hello"},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n"
     "HTTP/1.1 409 Conflict\r\nContent-Length: 2\r\n\r\nno",
     true, 409, "no"},
    {"", false, 0, "closed the connection"},
    {"HTTP/1.1 200 OK\r\nContent-Le", false, 0, "closed the connection"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", false, 0, "not valid HTTP"},
    {"SSH-2.0-OpenSSH\r\n\r\n", false, 0, "not valid HTTP"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", false, 0,
     "not valid HTTP"},
};

static void
test_answers(void **state)
{
    struct gw_client c = {.socket = path};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct server s;
        struct gw_client_answer answer;
        struct gw_diag diag = {0};

        start(&s, "\r\n\r\n", cases[i].answer);
        assert_int_equal(
            gw_client_call(&c, "GET", "/-/x", GW_STR_NONE, GW_STR_NONE, &answer, &diag),
            cases[i].ok);
        stop(&s);
        if (cases[i].ok) {
            assert_int_equal(answer.status, cases[i].status);
            assert_string_equal(answer.body.p == NULL ? "" : answer.body.p, cases[i].body);
            assert_int_equal(diag.n, 0);
        } else {
            assert_non_null(strstr(gw_diag_first(&diag), cases[i].body));
        }
        gw_buf_fini(&answer.body);
        gw_diag_fini(&diag);
    }
}

static void
test_the_request(void **state)
{
    struct gw_client c = {.socket = path, .token = "abc"};
    struct server s;
    struct gw_client_answer answer;
    struct gw_diag diag = {0};

    (void)state;
    start(&s, "{\"a\":1}", "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
    assert_true(gw_client_call(&c, "PUT", "/-/x?y=1", GW_STR("application/json"),
                               GW_STR("{\"a\":1}"), &answer, &diag));
    stop(&s);
    assert_ptr_equal(strstr(s.request, "PUT /-/x?y=1 HTTP/1.1\r\nHost: localhost\r\n"), s.request);
    assert_non_null(strstr(s.request, "\r\nAuthorization: Bearer abc\r\n"));
    assert_non_null(strstr(s.request, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(s.request, "\r\nContent-Length: 7\r\n"));
    gw_buf_fini(&answer.body);
    gw_diag_fini(&diag);
}

static void
test_a_server_that_is_slow_or_not_there(void **state)
{
    struct gw_client c = {.socket = path, .timeout_ms = 50};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct gw_client_answer answer;
    struct gw_diag diag = {0};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)state;
    (void)unlink(path);
    assert_false(gw_client_call(&c, "GET", "/", GW_STR_NONE, GW_STR_NONE, &answer, &diag));
    assert_non_null(strstr(gw_diag_first(&diag), "is `ksgate serve` running?"));
    gw_diag_fini(&diag);

    memcpy(address.sun_path, path, strlen(path)); /* listens, but nobody accepts */
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_false(gw_client_call(&c, "GET", "/", GW_STR_NONE, GW_STR_NONE, &answer, &diag));
    assert_non_null(strstr(gw_diag_first(&diag), "did not answer in time"));
    gw_diag_fini(&diag);
    (void)close(fd);
}

static void
test_a_problem_for_people(void **state)
{
    struct gw_client_answer answer = {.status = 404};
    struct gw_buf out = {0};

    (void)state;
    gw_client_problem(&answer, &out);
    assert_string_equal(out.p, "the gateway answered 404 Not Found");
    gw_buf_reset(&out);
    gw_buf_puts(&answer.body, "{\"kind\":\"Status\",\"message\":\"no such thing\"}");
    gw_client_problem(&answer, &out);
    assert_string_equal(out.p, "no such thing");
    gw_buf_reset(&out);
    gw_client_escape(&out, GW_STR("a b/c?d=%~"));
    assert_string_equal(out.p, "a%20b%2Fc%3Fd%3D%25~");
    gw_buf_fini(&out);
    gw_buf_fini(&answer.body);
}

static int
make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    (void)snprintf(path, sizeof(path), "%s/s", folder);
    return 0;
}

static int
remove_folder(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(folder);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_the_request),
        cmocka_unit_test(test_a_server_that_is_slow_or_not_there),
        cmocka_unit_test(test_a_problem_for_people),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
