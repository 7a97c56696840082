/*
 * The walk of a request through its plan.  Session and reply are stand-ins: the walk needs of
 * them only "here is the request back" and "make an answer of the error".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "gateway/plan.h"
#include "gateway/reply.h"
#include "gateway/session.h"

static char trace[64]; /* a letter for each thing that happened */

static void
note(char what)
{
    size_t n = strlen(trace);

    assert_true(n + 1 < sizeof(trace));
    trace[n] = what;
    trace[n + 1] = '\0';
}

/* The request is over, and freed by whoever owns the connection. */
void
gw_session_request_over(struct gw_session *s, struct gw_req *req)
{
    (void)s;
    note('.');
    gw_arena_free(req->arena);
}

void
gw_reply_error(struct gw_req *req)
{
    assert_int_not_equal(req->err, GW_ERR_OK);
    note('!');
}

/* What a step does: its letter, and its verdict, which a test sets. */
struct step {
    char letter;
    enum gw_verdict verdict;
};

static struct step find = {'f', GW_NEXT};
static struct step access_ = {'a', GW_NEXT};
static struct step rewrite = {'r', GW_NEXT};
static struct step forward = {'F', GW_NEXT};
static struct step response = {'p', GW_NEXT};
static struct step send_ = {'S', GW_NEXT};
static struct step log_ = {'l', GW_NEXT};
static struct step *const all[] = {&find, &access_, &rewrite, &forward, &response, &send_, &log_};

static void
on_cancel(void *arg)
{
    (void)arg;
    note('c');
}

static enum gw_verdict
run(struct gw_req *req, const void *conf)
{
    const struct step *s = conf;

    note(s->letter);
    if (s->verdict == GW_WAIT) {
        req->pending = (struct gw_pending){.cancel = on_cancel, .arg = req};
    } else if (s->verdict == GW_FAIL) {
        req->err = GW_ERR_FORBIDDEN;
    }
    return s->verdict;
}

static enum gw_verdict
run_send(struct gw_req *req, const void *conf)
{
    (void)conf;
    return run(req, &send_);
}

static const struct gw_module finder = {.name = "f", .routes = GW_ON_ALL, .on = {[GW_FIND] = run}};
static const struct gw_module guard = {.name = "a", .routes = GW_ON_ALL, .on = {[GW_ACCESS] = run}};
static const struct gw_module rewriter = {
    .name = "r", .routes = GW_ON_ALL, .on = {[GW_REWRITE] = run}};
static const struct gw_module responder = {
    .name = "p", .routes = GW_ON_ALL, .on = {[GW_RESPONSE] = run}};
static const struct gw_module logger = {.name = "l", .routes = GW_ON_ALL, .on = {[GW_LOG] = run}};

static struct gw_plan plan;

static struct gw_req *
new_req(void)
{
    const struct gw_module_use uses[] = {{.module = &finder, .conf = &find},
                                         {.module = &guard, .conf = &access_},
                                         {.module = &rewriter, .conf = &rewrite},
                                         {.module = &responder, .conf = &response},
                                         {.module = &logger, .conf = &log_}};
    const struct gw_step to_backend = {
        .module = "gateway", .phase = "forward", .run = run, .conf = &forward};
    struct gw_arena *a = gw_arena_new();
    struct gw_req *req = gw_arena_alloc(a, sizeof(*req));

    gw_plan_build(&plan, GW_ROUTE_CORE, uses, 5, &to_backend, run_send);
    trace[0] = '\0';
    req->arena = a;
    req->plan = &plan;
    return req;
}

static int
reset(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        all[i]->verdict = GW_NEXT;
    }
    return 0;
}

/* clang-format off */
static const struct { struct step *step; enum gw_verdict verdict; const char *trace; } cases[] = {
    {&find,     GW_NEXT,  "farFpSl."},
    {&find,     GW_REPLY, "fpSl."},
    {&find,     GW_FAIL,  "f!pSl."},
    {&access_,  GW_REPLY, "fapSl."},
    {&access_,  GW_FAIL,  "fa!pSl."},
    {&rewrite,  GW_FAIL,  "far!pSl."},
    {&forward,  GW_REPLY, "farFpSl."},
    {&forward,  GW_FAIL,  "farF!pSl."},
    {&response, GW_REPLY, "farFpSl."},
    {&response, GW_FAIL,  "farFp!Sl."},  /* no step runs twice */
    {&send_,    GW_FAIL,  "farFpS!l."},
};
/* clang-format on */

static void
a_verdict_says_where_it_goes_on(void **state)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct gw_req *req = new_req();

        reset(state);
        cases[i].step->verdict = cases[i].verdict;
        gw_req_run(req);
        assert_string_equal(trace, cases[i].trace);
    }
}

static void
a_refusal_before_any_step_is_answered_and_logged(void **state)
{
    struct gw_req *req = new_req();

    (void)state;
    req->err = GW_ERR_BAD_REQUEST;
    gw_req_refuse(req);
    assert_string_equal(trace, "!pSl.");
}

static void
what_waits_goes_on_when_it_is_resumed(void **state)
{
    struct gw_req *req = new_req();

    (void)state;
    access_.verdict = GW_WAIT;
    gw_req_run(req);
    assert_string_equal(trace, "fa");
    assert_true(req->waiting);
    gw_req_resume(req, GW_NEXT);
    assert_string_equal(trace, "farFpSl.");
}

static void
a_wait_may_end_in_a_refusal(void **state)
{
    struct gw_req *req = new_req();

    (void)state;
    access_.verdict = GW_WAIT;
    gw_req_run(req);
    req->err = GW_ERR_NO_TOKEN;
    gw_req_resume(req, GW_FAIL);
    assert_string_equal(trace, "fa!pSl.");
}

static void
it_may_wait_again_and_again(void **state)
{
    struct gw_req *req = new_req();

    (void)state;
    find.verdict = forward.verdict = send_.verdict = GW_WAIT;
    gw_req_run(req);
    gw_req_resume(req, GW_NEXT);
    gw_req_resume(req, GW_NEXT);
    assert_string_equal(trace, "farFpS");
    gw_req_resume(req, GW_NEXT);
    assert_string_equal(trace, "farFpSl.");
}

/* clang-format off */
static const struct { struct step *waits; const char *trace; } departures[] = {
    {&find,     "fcl."},
    {&access_,  "facl."},
    {&forward,  "farFcl."},
    {&response, "farFpcl."},
    {&send_,    "farFpScl."},
};
/* clang-format on */

static void
who_leaves_is_still_logged(void **state)
{
    for (size_t i = 0; i < sizeof(departures) / sizeof(departures[0]); i++) {
        struct gw_req *req = new_req();

        reset(state);
        departures[i].waits->verdict = GW_WAIT;
        gw_req_run(req);
        gw_req_abort(req);
        assert_string_equal(trace, departures[i].trace);
    }
}

static void
words_of_a_failure_are_the_requests_own(void **state)
{
    struct gw_req *req = new_req();
    char name[] = "alice";

    (void)state;
    assert_int_equal(gw_req_fail(req, GW_ERR_FORBIDDEN, "%s may not %d", name, 7), GW_FAIL);
    name[0] = '?';
    assert_string_equal(req->detail, "alice may not 7");
    assert_int_equal(req->err, GW_ERR_FORBIDDEN);
    gw_arena_free(req->arena);
}

static void
a_long_failure_is_cut_not_lost(void **state)
{
    struct gw_req *req = new_req();

    (void)state;
    gw_req_fail(req, GW_ERR_INTERNAL, "%01000d", 1);
    assert_int_equal(strlen(req->detail), 511);
    gw_arena_free(req->arena);
}

static void
an_own_reply_is_what_it_was_given(void **state)
{
    struct gw_req *req = new_req();

    (void)state;
    assert_int_equal(gw_req_reply(req, 204, GW_STR("text/plain"), GW_STR("x")), GW_REPLY);
    assert_int_equal(req->reply.status, 204);
    assert_true(gw_str_eq(req->reply.content_type, GW_STR("text/plain")));
    assert_true(gw_str_eq(req->reply.body, GW_STR("x")));
    gw_arena_free(req->arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_verdict_says_where_it_goes_on, reset),
        cmocka_unit_test_setup(a_refusal_before_any_step_is_answered_and_logged, reset),
        cmocka_unit_test_setup(what_waits_goes_on_when_it_is_resumed, reset),
        cmocka_unit_test_setup(a_wait_may_end_in_a_refusal, reset),
        cmocka_unit_test_setup(it_may_wait_again_and_again, reset),
        cmocka_unit_test_setup(who_leaves_is_still_logged, reset),
        cmocka_unit_test_setup(words_of_a_failure_are_the_requests_own, reset),
        cmocka_unit_test_setup(a_long_failure_is_cut_not_lost, reset),
        cmocka_unit_test_setup(an_own_reply_is_what_it_was_given, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
