#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/upstream.h"
#include "net/dns.h"
#include "t/lib/own_clock.h"

#define TURNS 400 /* of 50 ms at most, and then the test has failed */

static struct gw_loop *loop;
static struct gw_world *world;
static struct gw_endpoint *endpoint;
static int dns_fd, backend_fd; /* a name server and a backend, both of ours */
static unsigned asked;
static bool mute;

static void
pass_time(uint64_t ms)
{
    own_clock_pass(loop, ms);
}

/* A loopback socket on a port of its own; where it is, as text. */
static int
bind_one(int type, char where[32])
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(in);
    int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &size), 0);
    (void)snprintf(where, 32, "127.0.0.1:%u", ntohs(in.sin_port));
    return fd;
}

/* Answers the questions that have come: 127.0.0.1 for an A, nothing for any other. */
static void
serve_dns(void)
{
    static const unsigned char a[] = {0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 127, 0, 0, 1};
    unsigned char m[512 + sizeof(a)];
    struct sockaddr_in from;
    socklen_t size = sizeof(from);
    ssize_t n;

    while ((n = recvfrom(dns_fd, m, 512, 0, (struct sockaddr *)&from, &size)) > 16) {
        bool is_a = m[n - 3] == 1;

        asked++;
        if (mute) {
            continue;
        }
        m[2] = 0x81;
        m[3] = 0x80;
        m[7] = is_a ? 1 : 0;
        memcpy(m + n, a, sizeof(a));
        n += is_a ? (ssize_t)sizeof(a) : 0;
        assert_int_equal(sendto(dns_fd, m, (size_t)n, 0, (struct sockaddr *)&from, size), n);
    }
}

struct user {
    unsigned ready, failed;
};

static void
on_ready(void *owner)
{
    ((struct user *)owner)->ready++;
}

static void
on_failed(void *owner, const char *why, bool ours)
{
    (void)why;
    (void)ours;
    ((struct user *)owner)->failed++;
}

static void
on_nothing(void *owner)
{
    (void)owner;
}

static const struct gw_backend_events events = {
    .ready = on_ready, .failed = on_failed, .readable = on_nothing, .drained = on_nothing};

static void
turn(void)
{
    event_base_loop(loop->base, EVLOOP_ONCE); /* the loop's own tick ends the wait */
    serve_dns();
}

/* Takes a connection and gives it up again; how it went. */
static struct user
use(void)
{
    struct user u = {0};
    struct gw_backend *b = gw_backend_take(endpoint, &events, &u, 3000, GW_BACKEND_FRESH);

    for (int i = 0; i < TURNS && u.ready + u.failed == 0; i++) {
        turn();
    }
    if (u.failed == 0) {
        gw_backend_drop(b);
    }
    return u;
}

static int
setup(void **state)
{
    char where[32];
    char url[64];
    const char *why;

    (void)state;
    asked = 0;
    mute = false;
    loop = gw_loop_new();
    world = gw_world_new(0, loop, &world, 1);
    backend_fd = bind_one(SOCK_STREAM, where);
    assert_int_equal(listen(backend_fd, 64), 0);
    (void)snprintf(url, sizeof(url), "http://backend.test%s", strchr(where, ':'));
    endpoint = gw_world_endpoint(world, gw_str_of(url), &why);
    dns_fd = bind_one(SOCK_DGRAM, where);
    gw_dns_use(loop, (const char *const[]){where, NULL}, 5000, 300000);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    gw_world_endpoint_release(world, endpoint);
    event_base_loop(loop->base, EVLOOP_NONBLOCK); /* what was asked in vain is given up */
    gw_world_free(world);
    gw_loop_free(loop);
    close(dns_fd);
    close(backend_fd);
    return 0;
}

static void
test_a_name_is_asked_for_once(void **state)
{
    (void)state;
    assert_int_equal(use().ready, 1);
    unsigned first = asked;
    assert_true(first > 0);
    assert_int_equal(use().ready, 1);
    assert_int_equal(asked, first);
}

static void
test_it_is_asked_for_again_behind(void **state)
{
    (void)state;
    assert_int_equal(use().ready, 1);
    unsigned first = asked;
    pass_time(15000);
    assert_int_equal(use().ready, 1);
    for (int i = 0; i < TURNS && asked < first + 2; i++) {
        turn();
    }
    assert_int_equal(asked, first + 2); /* both families */
    for (int i = 0; i < 3; i++) {
        turn();
    }
    first = asked;
    assert_int_equal(use().ready, 1);
    assert_int_equal(asked, first);
}

static void
test_a_silent_name_server_stops_nobody(void **state)
{
    (void)state;
    assert_int_equal(use().ready, 1);
    mute = true;
    for (int i = 0; i < 3; i++) {
        pass_time(15000);
        assert_int_equal(use().ready, 1);
    }
    /* and the endpoint goes before the answer comes */
}

static void
test_what_is_very_old_is_not_believed(void **state)
{
    struct user u = {0};

    (void)state;
    assert_int_equal(use().ready, 1);
    pass_time(3600000);
    struct gw_backend *b = gw_backend_take(endpoint, &events, &u, 3000, GW_BACKEND_FRESH);
    assert_true(b->waits);
    for (int i = 0; i < TURNS && u.ready == 0; i++) {
        turn();
    }
    assert_int_equal(u.ready, 1);
    gw_backend_drop(b);
}

static void
test_who_gives_up_waits_no_more(void **state)
{
    struct user u = {0};

    (void)state;
    mute = true;
    struct gw_backend *first = gw_backend_take(endpoint, &events, &u, 3000, GW_BACKEND_FRESH);
    struct gw_backend *second = gw_backend_take(endpoint, &events, &u, 3000, GW_BACKEND_FRESH);
    turn();
    gw_backend_drop(first);
    assert_ptr_equal(endpoint->waiting, second);
    pass_time(3000);
    gw_wheel_run(&loop->wheel, gw_loop_now_ms(loop) + 100);
    assert_int_equal(u.failed, 1);
    assert_null(endpoint->waiting);
    assert_int_equal(endpoint->busy, 0);
}

/* -- dns.c by itself ----------------------------------------------------------------------------
 */

static char server[32]; /* where ours is */

struct asker {
    unsigned answers, found;
    bool again; /* from within the answer, of other servers than before */
};

static void
on_reply(void *arg, const struct gw_dns_reply *reply)
{
    struct asker *a = arg;

    if (!reply->done) {
        return;
    }
    a->answers++;
    a->found += reply->families[GW_DNS_V4].n;
    if (a->again) {
        a->again = false;
        gw_dns_use(loop, (const char *const[]){server, NULL}, 5000, 300000);
        (void)gw_dns_ask(loop, "other.test", 80, on_reply, a);
    }
}

static void
test_other_servers_from_within_an_answer(void **state)
{
    struct sockaddr_in at;
    socklen_t size = sizeof(at);
    struct asker a = {.again = true};

    (void)state;
    assert_int_equal(getsockname(dns_fd, (struct sockaddr *)&at, &size), 0);
    (void)snprintf(server, sizeof(server), "127.0.0.1:%u", ntohs(at.sin_port));
    assert_non_null(gw_dns_ask(loop, "one.test", 80, on_reply, &a));
    for (int i = 0; i < TURNS && a.answers < 2; i++) {
        turn();
    }
    assert_int_equal(a.answers, 2);
    assert_int_equal(a.found, 2);
}

static void
test_servers_that_are_none(void **state)
{
    struct asker a = {0};

    (void)state;
    gw_dns_use(loop, (const char *const[]){"no server", NULL}, 5000, 300000);
    for (unsigned i = 1; i <= 2; i++) { /* the system's are not asked instead */
        assert_null(gw_dns_ask(loop, "one.test", 80, on_reply, &a));
        assert_int_equal(a.answers, i);
    }
    assert_int_equal(a.found, 0);
}

static void
on_localhost(void *arg, const struct gw_dns_reply *reply)
{
    const struct gw_dns_family *v4 = &reply->families[GW_DNS_V4];
    const struct gw_dns_family *v6 = &reply->families[GW_DNS_V6];

    assert_true(reply->done);
    assert_int_equal(reply->ttl_ms, 300000);
    assert_int_equal(v4->n, 1);
    assert_int_equal(v4->at[0].v4.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    assert_int_equal(v4->at[0].v4.sin_port, htons(81));
    assert_int_equal(v6->n, 1);
    assert_true(IN6_IS_ADDR_LOOPBACK(&v6->at[0].v6.sin6_addr));
    assert_int_equal(v6->at[0].v6.sin6_port, htons(81));
    (*(unsigned *)arg)++;
}

static void
test_localhost_is_at_home(void **state)
{
    static const char *const names[] = {"localhost", "LocalHost.", "a.b.localhost"};
    struct asker a = {0};
    unsigned answers = 0;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_null(gw_dns_ask(loop, names[i], 81, on_localhost, &answers));
    }
    assert_int_equal(answers, 3);
    turn();
    assert_int_equal(asked, 0);
    assert_non_null(gw_dns_ask(loop, "notlocalhost", 81, on_reply, &a)); /* is another */
    for (int i = 0; i < TURNS && a.answers == 0; i++) {
        turn();
    }
    assert_int_equal(a.found, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_name_is_asked_for_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_it_is_asked_for_again_behind, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_silent_name_server_stops_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_very_old_is_not_believed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_gives_up_waits_no_more, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_servers_from_within_an_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_servers_that_are_none, setup, teardown),
        cmocka_unit_test_setup_teardown(test_localhost_is_at_home, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
