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
#include "modules/basic_asking.h"
#include "modules/counter.h"
#include "modules/slots.h"

static struct gw_basic_worker *
worker_of(struct gw_world *world)
{
    return gw_world_state(world, &gw_basic_users_view, sizeof(struct gw_basic_worker));
}

/* What was remembered for longer than may be any more is forgotten. */
static struct gw_basic_memory *
memory_of(struct gw_basic_worker *w, const struct gw_basic_settings *s)
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

/* Were these words right a moment ago, from the same network? */
static bool
is_remembered(struct gw_basic_memory *m, const struct gw_basic_settings *s,
              const struct gw_basic_asking *a, uint64_t now_ms)
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
    struct gw_basic_worker *w = worker_of(req->world);
    struct gw_basic_memory *memory = memory_of(w, s);
    struct gw_basic_user *u = gw_basic_users_find(req->world, words->name);
    struct gw_basic_asking *a = gw_basic_asking_new(req, s, words->name, u);
    struct gw_str hash = gw_str_of(a->job.hash);
    bool good = gw_basic_memory_proof(memory, a->name, hash, words->password, network, &a->proof);

    if (good && is_remembered(memory, s, a, gw_world_now_ms(req->world))) {
        gw_basic_job_free(&a->job);
        gw_counter_add(&w->remembered, 1);
        gw_basic_let_in(req, u, "basic-remembered");
        return GW_NEXT;
    }
    if (!gw_world_knows(req->world)) { /* whoever it is: names in files are not to be told apart */
        gw_basic_job_free(&a->job);
        gw_basic_refuse(req, GW_ERR_REGISTRY_UNKNOWN);
        return GW_NEXT;
    }
    if (!good || !gw_basic_memory_digest(memory, a->name, hash, words->password, a->job.digest)) {
        gw_basic_job_free(&a->job);
        gw_basic_refuse(req, GW_ERR_PASSWORD_BUSY);
        return GW_NEXT;
    }
    a->job.password = gw_mem_strndup(words->password);
    return gw_basic_asking_send(a, w, s, network);
}

/* An address that may not try any more learns nothing, not even from what is remembered. */
static enum gw_verdict
check(struct gw_req *req, const struct gw_basic_settings *s, const struct words *words)
{
    struct gw_str network = network_of(req);

    if (words->password.n == 0) { /* nobody's, as in ks-core */
        gw_basic_refuse(req, GW_ERR_PASSWORD_WRONG);
        return GW_NEXT;
    }
    uint64_t wait_ms = gw_basic_pool_wait(s, network);
    if (wait_ms > 0) {
        gw_basic_refuse_to_ask(req, worker_of(req->world), s, GW_BASIC_TOO_MANY_ADDRESS, wait_ms);
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
        gw_basic_refuse(req, GW_ERR_BASIC_MALFORMED);
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
    struct gw_basic_worker *w = worker_of(world);

    gw_basic_asking_stop(w);
    gw_basic_memory_free(w->memory);
    w->memory = NULL;
    w->entries = w->remember_ms = 0;
}

#define AT(field) offsetof(struct gw_basic_worker, field)

/* clang-format off */
static const struct gw_counted counted[] = {
    {.name = "ksgate_passwords_total", .type = "counter",
     .help = "Names and passwords by what became of them.",
     .label = "result=\"remembered\"", .at = AT(remembered)},
    {.label = "result=\"limited\"", .at = AT(limited)},
    {.label = "result=\"busy\"", .at = AT(busy)},
    {0},
};
/* clang-format on */

/* What was asked, the pool counts. */
static void
write_metrics(struct gw_buf *out, struct gw_world *const *worlds, size_t n)
{
    struct gw_basic_pool_stats pool;

    gw_basic_pool_stats(&pool);
    gw_counted_write(out, counted, worlds, n, &gw_basic_users_view, sizeof(struct gw_basic_worker));
    gw_buf_printf(out,
                  "ksgate_passwords_total{result=\"right\"} %llu\n"
                  "ksgate_passwords_total{result=\"wrong\"} %llu\n"
                  "# HELP ksgate_passwords_waiting Passwords that wait for a thread.\n"
                  "# TYPE ksgate_passwords_waiting gauge\n"
                  "ksgate_passwords_waiting %llu\n"
                  "# HELP ksgate_password_failures Users and addresses with failures lately.\n"
                  "# TYPE ksgate_password_failures gauge\n"
                  "ksgate_password_failures %llu\n",
                  pool.right, pool.wrong, pool.waiting, pool.tracked);
}

const struct gw_module gw_mod_basic = {
    .name = "basic",
    .about = "Checks names and passwords by the registered users.",
    .views = (const struct gw_view *const[]){&view, &gw_basic_users_view, NULL},
    .review = review,
    .stop = stop,
    .metrics = write_metrics,
};
