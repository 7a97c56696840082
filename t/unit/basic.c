/* basic.c - users and their hashes, and the threads that check. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <crypt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "gateway/worlds.h"
#include "modules/basic_pool.h"
#include "modules/basic_users.h"

#define N(list) (sizeof(list) / sizeof((list)[0]))
#define WAIT_MS 20000 /* for what comes at once, on a machine that is busy with other tests */

static struct gw_world *world;
static struct gw_mailbox *mailbox;
static char cheap[GW_BCRYPT_CHARS + 1]; /* of "right", at the lowest cost */
static char slow[GW_BCRYPT_CHARS + 1];  /* the same, 64 times as long */
static char ages[GW_BCRYPT_CHARS + 1];  /* 512 times: what others do meanwhile is done meanwhile */

static void
hash_of(char out[GW_BCRYPT_CHARS + 1], const char *setting)
{
    struct crypt_data *data = gw_mem_alloc(sizeof(*data));
    const char *made = crypt_r("right", setting, data);

    assert_non_null(made);
    assert_int_equal(strlen(made), GW_BCRYPT_CHARS);
    memcpy(out, made, GW_BCRYPT_CHARS + 1);
    free(data);
}

static int
begin(void **state)
{
    (void)state;
    world = gw_world_new(0, NULL, NULL, 0);
    mailbox = gw_mailbox_new();
    gw_world_mailbox(world, mailbox);
    hash_of(cheap, "$2a$04$abcdefghijklmnopqrstuu");
    hash_of(slow, "$2a$10$abcdefghijklmnopqrstuu");
    hash_of(ages, "$2a$13$abcdefghijklmnopqrstuu");
    return 0;
}

static int
end(void **state)
{
    (void)state;
    gw_world_stop(world);
    gw_mailbox_free(mailbox, NULL);
    gw_world_free(world);
    gw_arena_trim();
    return 0;
}

/* ---- users -------------------------------------------------------------------------------- */

static void
put_user(const char *name, const char *json_text)
{
    char key[128];
    struct gw_piece *piece = NULL;

    (void)snprintf(key, sizeof(key), "iam.kubesphere.io/User//%s", name);
    if (json_text != NULL) {
        json_t *json = json_loads(json_text, 0, NULL);

        assert_non_null(json);
        piece = gw_basic_users_view.compile(NULL, json, NULL, NULL);
        json_decref(json);
    }
    gw_basic_users_view.put(gw_world_index(world, &gw_basic_users_view), key, piece);
    gw_piece_unref(piece);
}

static void
test_users(void **state)
{
    (void)state;
    assert_int_equal(gw_basic_users_cost(world), 10);
    put_user("alice",
             "{\"metadata\":{\"name\":\"alice\"},\"spec\":{\"groups\":[\"dev\",\"system:masters\","
             "7,\"ops\"],"
             "\"password\":\"$2a$12$XajjQvNhvvRt5GSeFk1xFeyqRrsxkhBkUiQeg0dt.wU1qD4aFDcga\"},"
             "\"status\":{\"state\":\"Active\"}}");
    const struct gw_basic_user *u = gw_basic_users_find(world, GW_STR("alice"));
    assert_non_null(u);
    assert_int_equal(u->state, GW_BASIC_ACTIVE);
    assert_int_equal(u->cost, 12);
    assert_int_equal(gw_basic_users_cost(world), 12); /* nobody takes as long as somebody */
    put_user("x", "{\"metadata\":{\"name\":\"x\"},\"spec\":{\"password\":\"$2a$31$"
                  "XajjQvNhvvRt5GSeFk1xFeyqRrsxkhBkUiQeg0dt.wU1qD4aFDcga\"}}");
    put_user("y", "{\"metadata\":{\"name\":\"y\"},\"spec\":{\"password\":\"$2a$12$"
                  "XajjQvNhvvRt5GSeFk1xFeyqRrsxkhBkUiQeg0dt.wU1qD4aFDcga\"}}");
    assert_int_equal(gw_basic_users_cost(world), 12); /* whatever one of them has */
    put_user("y", "{\"metadata\":{\"name\":\"y\"}}");
    put_user("x", NULL);
    assert_true(gw_str_eq(u->subject.name, GW_STR("alice")));
    assert_int_equal(u->subject.n_groups, 3);
    assert_true(gw_str_eq(u->subject.groups[0], GW_STR("system:authenticated")));
    assert_true(gw_str_eq(u->subject.groups[1], GW_STR("dev")));
    assert_true(gw_str_eq(u->subject.groups[2], GW_STR("ops")));
    assert_false(u->subject.anonymous || u->subject.trusted);

    put_user("bob", "{\"metadata\":{\"name\":\"bob\"},\"spec\":{\"password\":\"P@88w0rd\"},"
                    "\"status\":{\"state\":\"Disabled\"}}");
    u = gw_basic_users_find(world, GW_STR("bob"));
    assert_int_equal(u->state, GW_BASIC_INACTIVE);
    assert_int_equal(u->cost, 0); /* not hashed yet: nobody can log in by it */
    put_user("eve",
             "{\"metadata\":{\"name\":\"eve\"},\"status\":{\"state\":\"AuthLimitExceeded\"}}");
    assert_int_equal(gw_basic_users_find(world, GW_STR("eve"))->state, GW_BASIC_LIMITED);
    put_user(
        "odd",
        "{\"metadata\":{\"name\":\"odd\"},\"spec\":{\"password\":7,\"groups\":{}},\"status\":[]}");
    assert_int_equal(gw_basic_users_find(world, GW_STR("odd"))->subject.n_groups, 1);
    assert_int_equal(gw_basic_users_find(world, GW_STR("odd"))->state, GW_BASIC_INACTIVE);
    static const char *const others[] = {"\"Pending\"", "\"active\"", "\"Active \"", "\"\"",
                                         "null"};
    for (size_t i = 0; i < N(others); i++) {
        char text[128];

        (void)snprintf(text, sizeof(text),
                       "{\"metadata\":{\"name\":\"odd\"},\"status\":{\"state\":%s}}", others[i]);
        put_user("odd", text);
        assert_int_equal(gw_basic_users_find(world, GW_STR("odd"))->state, GW_BASIC_INACTIVE);
    }
    put_user("odd", "{\"metadata\":{\"name\":\"odd\"}}");
    assert_int_equal(gw_basic_users_find(world, GW_STR("odd"))->state, GW_BASIC_INACTIVE);

    assert_null(gw_basic_users_find(world, GW_STR("Alice")));
    assert_null(gw_basic_users_find(world, GW_STR("alice ")));
    assert_null(gw_basic_users_find(world, GW_STR("")));
    put_user("alice", NULL);
    put_user("nobody", NULL);
    assert_null(gw_basic_users_find(world, GW_STR("alice")));
    assert_int_equal(gw_basic_users_cost(world), 10);
}

/* ---- the pool ----------------------------------------------------------------------------- */

static const struct gw_basic_settings defaults = {.threads = 2,
                                                  .pending = 8,
                                                  .user_failures = 3,
                                                  .address_failures = 5,
                                                  .window_ms = 600000,
                                                  .tracked = 1000};
static unsigned n_right, n_wrong;
static char order[256]; /* in which jobs were done: their first letters */

static void
on_done(struct gw_basic_job *job)
{
    assert_null(job->password); /* wiped */
    n_right += job->right;
    n_wrong += !job->right;
    order[n_right + n_wrong - 1] = (char)job->digest[0];
    gw_basic_job_free(job);
}

/* letter: those of the same are the same check. */
static struct gw_basic_job *
job_of(char letter, const char *password, const char *hash)
{
    struct gw_basic_job *job = gw_mem_alloc(sizeof(*job));

    memcpy(job->hash, hash, GW_BCRYPT_CHARS + 1);
    job->known = true;
    job->password = gw_mem_strdup(password);
    job->digest[0] = (unsigned char)letter;
    job->done = on_done;
    return job;
}

static enum gw_basic_answer
ask(struct gw_basic_job *job, const struct gw_basic_settings *s, const char *name,
    const char *address)
{
    uint64_t wait_ms = 0;
    enum gw_basic_answer answer =
        gw_basic_pool_ask(job, world, s, gw_str_of(name), gw_str_of(address), &wait_ms);

    assert_int_equal(answer == GW_BASIC_ASKED, wait_ms == 0 || answer == GW_BASIC_ASKED);
    if (answer != GW_BASIC_ASKED) {
        assert_true(wait_ms > 0 && wait_ms <= 600000);
        gw_basic_job_free(job);
    }
    return answer;
}

/* Until so many have been done. */
static void
wait_for(unsigned n)
{
    struct pollfd fd = {.fd = gw_mailbox_fd(mailbox), .events = POLLIN};

    while (n_right + n_wrong < n) {
        assert_int_equal(poll(&fd, 1, WAIT_MS), 1);
        gw_mailbox_run(mailbox, NULL);
    }
    n_right = n_wrong = 0;
}

static void
test_right_and_wrong(void **state)
{
    struct gw_basic_job *unknown = job_of('c', "right", cheap);

    (void)state;
    assert_int_equal(ask(job_of('a', "right", cheap), &defaults, "a", "1"), GW_BASIC_ASKED);
    wait_for(1);
    assert_int_equal(ask(job_of('a', "right", cheap), &defaults, "a", "1"), GW_BASIC_ASKED);
    assert_int_equal(ask(job_of('b', "wrong", cheap), &defaults, "a", "1"), GW_BASIC_ASKED);
    unknown->known = false; /* right only by chance */
    assert_int_equal(ask(unknown, &defaults, "b", "1"), GW_BASIC_ASKED);
    struct pollfd fd = {.fd = gw_mailbox_fd(mailbox), .events = POLLIN};
    while (n_right + n_wrong < 3) {
        assert_int_equal(poll(&fd, 1, WAIT_MS), 1);
        gw_mailbox_run(mailbox, NULL);
    }
    assert_int_equal(n_right, 1);
    assert_int_equal(n_wrong, 2);
    n_right = n_wrong = 0;
}

/* A burst with the same words is one check, and one guess. */
static void
test_the_same_is_one_check(void **state)
{
    struct gw_basic_pool_stats before;
    struct gw_basic_pool_stats after;

    (void)state;
    gw_basic_pool_stats(&before);
    for (int i = 0; i < 50; i++) { /* more than may wait */
        assert_int_equal(ask(job_of('s', "wrong", slow), &defaults, "burst", "2"), GW_BASIC_ASKED);
    }
    wait_for(50);
    gw_basic_pool_stats(&after);
    assert_int_equal(after.wrong - before.wrong, 1);
    for (int i = 0; i < 2; i++) { /* two more guesses are left */
        assert_int_equal(ask(job_of('t', "wrong", cheap), &defaults, "burst", "2"), GW_BASIC_ASKED);
        wait_for(1);
    }
    assert_int_equal(ask(job_of('t', "right", cheap), &defaults, "burst", "2"),
                     GW_BASIC_TOO_MANY_USER);
}

static void
test_limits(void **state)
{
    struct gw_basic_settings none = defaults;

    (void)state;
    /* a user, from many addresses, at the same time */
    assert_int_equal(ask(job_of('a', "wrong", slow), &defaults, "tom", "10"), GW_BASIC_ASKED);
    assert_int_equal(ask(job_of('b', "wrong", slow), &defaults, "tom", "11"), GW_BASIC_ASKED);
    assert_int_equal(ask(job_of('c', "wrong", slow), &defaults, "tom", "12"), GW_BASIC_ASKED);
    assert_int_equal(ask(job_of('d', "wrong", slow), &defaults, "tom", "13"),
                     GW_BASIC_TOO_MANY_USER);
    wait_for(3);
    assert_int_equal(ask(job_of('e', "right", slow), &defaults, "tom", "14"),
                     GW_BASIC_TOO_MANY_USER);
    /* an address, for many users */
    for (int i = 0; i < 5; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "u%d", i);
        assert_int_equal(ask(job_of('x', "wrong", cheap), &defaults, name, "20"), GW_BASIC_ASKED);
        wait_for(1);
    }
    assert_int_equal(ask(job_of('x', "right", cheap), &defaults, "u5", "20"),
                     GW_BASIC_TOO_MANY_ADDRESS);
    assert_int_equal(ask(job_of('x', "right", cheap), &defaults, "u5", "21"), GW_BASIC_ASKED);
    wait_for(1);
    none.user_failures = none.address_failures = 0;
    assert_int_equal(ask(job_of('y', "right", cheap), &none, "tom", "20"), GW_BASIC_ASKED);
    wait_for(1);
}

/* What is asked before anything is looked at. */
static void
test_an_address_waits(void **state)
{
    struct gw_basic_settings none = defaults;

    (void)state;
    none.address_failures = 0;
    for (int i = 0; i < 5; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "w%d", i);
        assert_int_equal(gw_basic_pool_wait(&defaults, GW_STR("25")), 0);
        assert_int_equal(ask(job_of('x', "wrong", cheap), &defaults, name, "25"), GW_BASIC_ASKED);
        wait_for(1);
    }
    uint64_t wait_ms = gw_basic_pool_wait(&defaults, GW_STR("25"));
    assert_true(wait_ms > 0 && wait_ms <= 600000);
    assert_int_equal(gw_basic_pool_wait(&defaults, GW_STR("26")), 0);
    assert_int_equal(gw_basic_pool_wait(&none, GW_STR("25")), 0);
}

/* Whoever would be refused with other words is with those that somebody else is asking about, or
 * the answer would tell which these are. */
static void
test_no_word_is_let_past_a_limit(void **state)
{
    struct gw_basic_settings s = defaults;

    (void)state;
    assert_int_equal(ask(job_of('a', "wrong", slow), &s, "fay", "70"), GW_BASIC_ASKED);
    assert_int_equal(ask(job_of('b', "wrong", slow), &s, "fay", "71"), GW_BASIC_ASKED);
    assert_int_equal(ask(job_of('b', "wrong", slow), &s, "fay", "71"), GW_BASIC_ASKED);
    assert_int_equal(ask(job_of('c', "right", ages), &s, "fay", "72"), GW_BASIC_ASKED);
    assert_int_equal(ask(job_of('c', "right", ages), &s, "fay", "73"), GW_BASIC_TOO_MANY_USER);
    wait_for(4);
    s.user_failures = s.address_failures = 0;
    s.threads = s.pending = 1;
    assert_int_equal(ask(job_of('d', "right", ages), &s, "fay", "70"), GW_BASIC_ASKED);
    while (ask(job_of('e', "right", cheap), &s, "fay", "70") != GW_BASIC_ASKED) {
    } /* as soon as the thread is at the first one */
    assert_int_equal(ask(job_of('e', "right", cheap), &s, "fay", "70"), GW_BASIC_BUSY);
    assert_int_equal(ask(job_of('f', "right", cheap), &s, "fay", "70"), GW_BASIC_BUSY);
    wait_for(2);
}

/* Those threads that are too many by now wake one that stays. */
static void
test_fewer_threads(void **state)
{
    struct gw_basic_settings s = defaults;

    (void)state;
    s.user_failures = s.address_failures = 0;
    for (int round = 0; round < 5; round++) {
        s.threads = 8;
        for (int i = 0; i < 8; i++) {
            assert_int_equal(ask(job_of((char)('A' + i), "right", slow), &s, "less", "80"),
                             GW_BASIC_ASKED);
        }
        wait_for(8);
        s.threads = 1;
        assert_int_equal(ask(job_of('Z', "right", cheap), &s, "less", "80"), GW_BASIC_ASKED);
        wait_for(1);
    }
}

/* Who was right often is not limited. */
static void
test_right_ones_count_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(ask(job_of('r', "right", cheap), &defaults, "good", "30"), GW_BASIC_ASKED);
        wait_for(1);
    }
}

static void
test_the_queue_is_bounded(void **state)
{
    struct gw_basic_settings s = defaults;
    unsigned asked = 0;

    (void)state;
    s.user_failures = s.address_failures = 0;
    s.threads = 1;
    for (int i = 0; i < 30; i++) {
        asked += ask(job_of((char)('A' + i), "wrong", slow), &s, "many", "40") == GW_BASIC_ASKED;
    }
    assert_true(asked >= 8 && asked < 20); /* eight, and those that were done meanwhile */
    memset(order, 0, sizeof(order));
    wait_for(asked);
    for (unsigned i = 1; i < asked; i++) {
        assert_true(order[i] > order[i - 1]); /* first come, first served */
    }
}

/* Who leaves while others wait for the same takes nothing from them. */
static void
test_withdrawing(void **state)
{
    struct gw_basic_settings s = defaults;
    struct gw_basic_pool_stats stats;
    struct gw_basic_job *jobs[4];

    (void)state;
    s.threads = 1;
    s.user_failures = 4; /* three are under way */
    jobs[0] = job_of('a', "right", slow);
    jobs[1] = job_of('b', "wrong", slow);
    jobs[2] = job_of('c', "right", slow);
    jobs[3] = job_of('c', "right", slow);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(ask(jobs[i], &s, "leaver", "50"), GW_BASIC_ASKED);
    }
    bool back = gw_basic_pool_withdraw(jobs[1]);
    assert_true(back); /* the thread is at the first one */
    gw_basic_job_free(jobs[1]);
    assert_false(gw_basic_pool_withdraw(jobs[2])); /* another one hangs on it */
    assert_false(gw_basic_pool_withdraw(jobs[3]));
    wait_for(3);
    gw_basic_pool_stats(&stats);
    assert_int_equal(stats.waiting, 0);
    assert_int_equal(stats.running, 0);
}

/* A worker that ends with checks under way: nothing is sent to it any more. */
static void
test_leaving(void **state)
{
    struct gw_basic_settings s = defaults;
    struct gw_basic_pool_stats stats;
    struct gw_basic_job *jobs[3];

    (void)state;
    s.threads = 1;
    s.user_failures = 0;
    jobs[0] = job_of('l', "right", slow);
    jobs[1] = job_of('l', "right", slow);
    jobs[2] = job_of('m', "right", slow);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ask(jobs[i], &s, "worker", "60"), GW_BASIC_ASKED);
    }
    for (int i = 0; i < 3; i++) {
        gw_basic_pool_leave(jobs[i]);
    }
    /* the next is done after them, by the one thread */
    assert_int_equal(ask(job_of('n', "right", cheap), &s, "worker", "60"), GW_BASIC_ASKED);
    wait_for(1);
    gw_basic_pool_stats(&stats);
    assert_int_equal(stats.waiting, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_users),
        cmocka_unit_test(test_right_and_wrong),
        cmocka_unit_test(test_the_same_is_one_check),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_an_address_waits),
        cmocka_unit_test(test_no_word_is_let_past_a_limit),
        cmocka_unit_test(test_fewer_threads),
        cmocka_unit_test(test_right_ones_count_nothing),
        cmocka_unit_test(test_the_queue_is_bounded),
        cmocka_unit_test(test_withdrawing),
        cmocka_unit_test(test_leaving),
    };

    return cmocka_run_group_tests_name("basic", tests, begin, end);
}
