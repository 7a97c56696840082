/*
 * basic.c - a name and a password, checked by the registered users.
 *
 * What was right a moment ago is remembered; else the pool's threads are asked, and the request
 * waits.  A name that nobody has takes as long as a wrong password, and is answered the same.
 */
#include "modules/basic.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include <openssl/crypto.h>

#include "base/base64.h"
#include "base/mem.h"
#include "gateway/module.h"
#include "modules/basic_pool.h"
#include "modules/basic_users.h"
#include "modules/counter.h"
#include "modules/slots.h"

/* A request whose password is being checked. */
struct asking {
    struct gw_basic_job job; /* first */
    struct gw_timer timer;
    struct asking *next, **prev; /* of the worker's */
    struct worker *worker;
    struct gw_req *req; /* NULL: it no longer waits */
    struct gw_str name; /* the request's */
    struct gw_basic_proof proof;
    long long remember_ms;
};

/* This module's state of a worker: it stays where it is as long as the world. */
struct worker {
    struct asking *asking; /* all that the pool has of ours */
    struct gw_basic_memory *memory;
    long long entries, remember_ms; /* of it, as was set */
    atomic_ullong remembered, limited, busy;
};

static struct worker *
worker_of(struct gw_world *world)
{
    return gw_world_state(world, &gw_basic_users_view, sizeof(struct worker));
}

/* What was remembered for longer than may be any more is forgotten. */
static struct gw_basic_memory *
memory_of(struct worker *w, const struct gw_basic_settings *s)
{
    if (w->entries != s->remembered || w->remember_ms != s->remember_ms) {
        gw_basic_memory_free(w->memory);
        w->memory = gw_basic_memory_new((size_t)s->remembered);
        w->entries = s->remembered;
        w->remember_ms = s->remember_ms;
    }
    return w->memory;
}

/* A view of no kinds: the state is there before others look at it. */
static void *
open_state(struct gw_world *world)
{
    return worker_of(world);
}

static void
close_state(void *state)
{
    (void)state; /* the world's */
}

static const struct gw_view view = {
    .name = "basic",
    .kinds = (const char *const[]){NULL},
    .open = open_state,
    .close = close_state,
};

/* The part of the client's address that is counted: whoever has one IPv6 address has 2^64. */
static struct gw_str
network_of(const struct gw_req *req)
{
    struct gw_str ip = req->client_ip;
    struct in6_addr *v6 = NULL;

    if (gw_str_find(ip, ':') == ip.n) {
        return ip;
    }
    v6 = gw_arena_alloc(req->arena, sizeof(*v6));
    if (inet_pton(AF_INET6, gw_arena_strndup(req->arena, ip.p, ip.n), v6) != 1) {
        return ip;
    }
    return (struct gw_str){(const char *)v6, sizeof(*v6) / 2};
}

/* ---- outcomes ----------------------------------------------------------------------------- */

static void
refuse(struct gw_req *req, enum gw_err err)
{
    req->credential_err = err;
    req->decision.authentication = gw_err_name(err);
}

static void
on_user_left(void *user)
{
    gw_piece_unref(user);
}

/* The password was right; whether its user may come is another question. */
static void
let_in(struct gw_req *req, struct gw_basic_user *u, const char *how)
{
    switch (u->state) {
    case GW_BASIC_INACTIVE:
        refuse(req, GW_ERR_USER_DISABLED);
        req->credential_detail = "status.state of the User is not Active";
        return;
    case GW_BASIC_LIMITED:
        refuse(req, GW_ERR_PASSWORD_LIMIT);
        req->credential_detail = "ks-core has suspended the user for a while (AuthLimitExceeded)";
        return;
    case GW_BASIC_ACTIVE:
        break;
    }
    gw_arena_defer(req->arena, on_user_left, gw_piece_ref(&u->piece));
    req->slot[GW_SLOT_basic] = u;
    req->subject = u->subject;
    req->decision.authentication = how;
}

static void
say_limit(struct gw_req *req, struct worker *w, const struct gw_basic_settings *s,
          enum gw_basic_answer answer, uint64_t wait_ms)
{
    bool user = answer == GW_BASIC_TOO_MANY_USER;

    req->retry_after_s = (unsigned)((wait_ms + 999) / 1000);
    if (answer == GW_BASIC_BUSY) {
        gw_counter_add(&w->busy, 1);
        refuse(req, GW_ERR_PASSWORD_BUSY);
        return;
    }
    gw_counter_add(&w->limited, 1);
    refuse(req, GW_ERR_PASSWORD_LIMIT);
    req->credential_detail =
        gw_arena_printf(req->arena, "authentication.passwords.%s is %lld in %lld s",
                        user ? "user_failures" : "address_failures",
                        user ? s->user_failures : s->address_failures, s->window_ms / 1000);
}

/* ---- waiting ------------------------------------------------------------------------------ */

static void
unlink_asking(struct asking *a)
{
    *a->prev = a->next;
    if (a->next != NULL) {
        a->next->prev = a->prev;
    }
}

static void
link_asking(struct worker *w, struct asking *a)
{
    a->worker = w;
    a->next = w->asking;
    a->prev = &w->asking;
    if (a->next != NULL) {
        a->next->prev = &a->next;
    }
    w->asking = a;
}

/* The request goes on without an answer. */
static void
give_up(struct asking *a)
{
    gw_wheel_cancel(&a->timer);
    a->req = NULL;
    if (gw_basic_pool_withdraw(&a->job)) {
        unlink_asking(a);
        gw_basic_job_free(&a->job);
    }
}

static void
on_client_left(void *asking)
{
    give_up(asking);
}

static void
on_late(struct gw_timer *t)
{
    struct asking *a = (struct asking *)((char *)t - offsetof(struct asking, timer));
    struct gw_req *req = a->req;

    gw_counter_add(&a->worker->busy, 1);
    give_up(a);
    req->pending = (struct gw_pending){0};
    refuse(req, GW_ERR_PASSWORD_BUSY);
    gw_req_resume(req, GW_NEXT);
}

/* For as long as was set when it was asked, or is by now: whichever is less. */
static void
remember(const struct asking *a, uint64_t now_ms)
{
    const struct worker *w = a->worker;
    long long ms = a->remember_ms < w->remember_ms ? a->remember_ms : w->remember_ms;

    gw_basic_memory_put(w->memory, &a->proof, now_ms, now_ms + (uint64_t)ms);
}

/* The user may have gone, or have another password by now. */
static void
judge(struct asking *a, struct gw_req *req)
{
    struct gw_basic_user *u = a->job.right ? gw_basic_users_find(req->world, a->name) : NULL;
    uint64_t now_ms = gw_world_now_ms(req->world);

    if (u == NULL || strcmp(u->hash, a->job.hash) != 0) {
        refuse(req, GW_ERR_PASSWORD_WRONG);
        return;
    }
    remember(a, now_ms);
    let_in(req, u, "basic");
}

static void
on_checked(struct gw_basic_job *job)
{
    struct asking *a = (struct asking *)job;
    struct gw_req *req = a->req;

    unlink_asking(a);
    if (req != NULL) {
        gw_wheel_cancel(&a->timer);
        req->pending = (struct gw_pending){0};
        judge(a, req);
    }
    gw_basic_job_free(job);
    if (req != NULL) {
        gw_req_resume(req, GW_NEXT);
    }
}

/* ---- the check ---------------------------------------------------------------------------- */

struct words {
    struct gw_str name, password; /* the arena's; the password with a NUL behind it */
};

/* "NAME:PASSWORD" in base64; the name ends at the first colon.  bcrypt ends at a NUL: with one in
 * it a password would be another's. */
static bool
read_words(struct gw_req *req, struct gw_str credential, struct words *out)
{
    char *text = gw_arena_alloc(req->arena, credential.n + 1);
    size_t n = 0;

    if (!gw_base64_read(credential, text, &n) || memchr(text, '\0', n) != NULL) {
        return false;
    }
    out->password = (struct gw_str){text, n};
    out->name = (struct gw_str){text, gw_str_find(out->password, ':')};
    if (out->name.n == n || out->name.n == 0) {
        return false;
    }
    out->password = gw_str_skip(out->password, out->name.n + 1);
    return true;
}

static struct asking *
asking_new(struct gw_req *req, const struct gw_basic_settings *s, const struct words *words,
           const struct gw_basic_user *u)
{
    struct asking *a = gw_mem_alloc(sizeof(*a));

    a->req = req;
    a->name = words->name;
    a->remember_ms = s->remember_ms;
    a->timer.fire = on_late;
    a->job.done = on_checked;
    a->job.known = u != NULL && u->cost > 0 && u->cost <= s->cost;
    if (a->job.known) {
        memcpy(a->job.hash, u->hash, sizeof(u->hash));
    } else {
        unsigned cost = gw_basic_users_cost(req->world);

        gw_bcrypt_nobody(a->job.hash, cost <= s->cost ? cost : (unsigned)s->cost);
    }
    return a;
}

static enum gw_verdict
ask(struct gw_req *req, struct worker *w, const struct gw_basic_settings *s, struct asking *a,
    struct gw_str network)
{
    uint64_t wait_ms = 0;
    enum gw_basic_answer answer =
        gw_basic_pool_ask(&a->job, req->world, s, a->name, network, &wait_ms);

    if (answer != GW_BASIC_ASKED) {
        gw_basic_job_free(&a->job);
        say_limit(req, w, s, answer, wait_ms);
        return GW_NEXT;
    }
    link_asking(w, a);
    gw_wheel_set(gw_world_wheel(req->world), &a->timer,
                 gw_world_now_ms(req->world) + (uint64_t)s->wait_ms);
    req->pending = (struct gw_pending){.cancel = on_client_left, .arg = a};
    return GW_WAIT;
}

/* Were these words right a moment ago, from the same network? */
static bool
is_remembered(struct gw_basic_memory *m, const struct gw_basic_settings *s, const struct asking *a,
              uint64_t now_ms)
{
    struct gw_basic_guesses g = {
        .limit = s->user_failures > 0 ? s->user_failures : s->address_failures,
        .window_ms = (uint64_t)s->window_ms,
    };

    return s->remember_ms > 0 && a->job.known && gw_basic_memory_has(m, &a->proof, now_ms, &g);
}

static enum gw_verdict
look_up(struct gw_req *req, const struct gw_basic_settings *s, const struct words *words,
        struct gw_str network)
{
    struct worker *w = worker_of(req->world);
    struct gw_basic_memory *memory = memory_of(w, s);
    struct gw_basic_user *u = gw_basic_users_find(req->world, words->name);
    struct asking *a = asking_new(req, s, words, u);
    struct gw_str hash = gw_str_of(a->job.hash);
    bool good = gw_basic_memory_proof(memory, a->name, hash, words->password, network, &a->proof);

    if (good && is_remembered(memory, s, a, gw_world_now_ms(req->world))) {
        gw_basic_job_free(&a->job);
        gw_counter_add(&w->remembered, 1);
        let_in(req, u, "basic-remembered");
        return GW_NEXT;
    }
    if (!good || !gw_basic_memory_digest(memory, a->name, hash, words->password, a->job.digest)) {
        gw_basic_job_free(&a->job);
        refuse(req, GW_ERR_PASSWORD_BUSY);
        return GW_NEXT;
    }
    a->job.password = gw_mem_strndup(words->password);
    return ask(req, w, s, a, network);
}

/* An address that may not try any more learns nothing, not even from what is remembered. */
static enum gw_verdict
check(struct gw_req *req, const struct gw_basic_settings *s, const struct words *words)
{
    struct gw_str network = network_of(req);

    if (words->password.n == 0) { /* nobody's, as in ks-core */
        refuse(req, GW_ERR_PASSWORD_WRONG);
        return GW_NEXT;
    }
    uint64_t wait_ms = gw_basic_pool_wait(s, network);
    if (wait_ms > 0) {
        say_limit(req, worker_of(req->world), s, GW_BASIC_TOO_MANY_ADDRESS, wait_ms);
        return GW_NEXT;
    }
    return look_up(req, s, words, network);
}

enum gw_verdict
gw_basic_check(struct gw_req *req, const struct gw_basic_settings *s, struct gw_str credential)
{
    struct words words = {0};
    enum gw_verdict v = GW_NEXT;

    if (req->dry) {
        req->decision.authentication = "basic, not checked by explain";
        return GW_NEXT;
    }
    if (read_words(req, credential, &words)) {
        v = check(req, s, &words);
        OPENSSL_cleanse((char *)(uintptr_t)words.password.p, words.password.n);
    } else {
        refuse(req, GW_ERR_BASIC_MALFORMED);
    }
    return v;
}

/* Below /oauth/ a name and a password are a client's of ks-core (RFC 6749, 2.3.1) and no user's. */
bool
gw_basic_is_ours(const struct gw_req *req, const struct gw_basic_settings *s, struct gw_str scheme)
{
    return scheme.n == sizeof("Basic") - 1 && s->mode == GW_BASIC_USERS &&
           gw_str_eq_nocase(scheme, GW_STR("Basic")) &&
           !(req->decision.route == GW_ROUTE_CORE &&
             gw_str_has_prefix(req->info.path, GW_STR("/oauth/")));
}

/* Of a request that was let in before the last change of a user. */
static enum gw_err
review(const struct gw_req *req)
{
    const struct gw_basic_user *was = req->slot[GW_SLOT_basic];

    if (was == NULL ||
        gw_basic_user_may_stay(was, gw_basic_users_find(req->world, was->subject.name))) {
        return GW_ERR_OK;
    }
    return GW_ERR_USER_DISABLED;
}

/* ---- the module --------------------------------------------------------------------------- */

static void
stop(struct gw_world *world)
{
    struct worker *w = worker_of(world);

    while (w->asking != NULL) {
        struct asking *a = w->asking;

        unlink_asking(a);
        gw_wheel_cancel(&a->timer);
        gw_basic_pool_leave(&a->job);
    }
    gw_basic_memory_free(w->memory);
    w->memory = NULL;
    w->entries = w->remember_ms = 0;
}

static void
write_metrics(struct gw_buf *out, struct gw_world *const *worlds, size_t n)
{
    unsigned long long sum[3] = {0};
    struct gw_basic_pool_stats pool;

    for (size_t i = 0; i < n; i++) {
        const struct worker *w = worker_of(worlds[i]);

        sum[0] += gw_counter_read(&w->remembered);
        sum[1] += gw_counter_read(&w->limited);
        sum[2] += gw_counter_read(&w->busy);
    }
    gw_basic_pool_stats(&pool);
    gw_buf_printf(out,
                  "# HELP ksgate_passwords_total Names and passwords by what became of them.\n"
                  "# TYPE ksgate_passwords_total counter\n"
                  "ksgate_passwords_total{result=\"right\"} %llu\n"
                  "ksgate_passwords_total{result=\"wrong\"} %llu\n"
                  "ksgate_passwords_total{result=\"remembered\"} %llu\n"
                  "ksgate_passwords_total{result=\"limited\"} %llu\n"
                  "ksgate_passwords_total{result=\"busy\"} %llu\n"
                  "# HELP ksgate_passwords_waiting Passwords that wait for a thread.\n"
                  "# TYPE ksgate_passwords_waiting gauge\n"
                  "ksgate_passwords_waiting %llu\n"
                  "# HELP ksgate_password_failures Users and addresses with failures lately.\n"
                  "# TYPE ksgate_password_failures gauge\n"
                  "ksgate_password_failures %llu\n",
                  pool.right, pool.wrong, sum[0], sum[1], sum[2], pool.waiting, pool.tracked);
}

const struct gw_module gw_mod_basic = {
    .name = "basic",
    .about = "Checks names and passwords by the registered users.",
    .views = (const struct gw_view *const[]){&view, &gw_basic_users_view, NULL},
    .review = review,
    .stop = stop,
    .metrics = write_metrics,
};
