/*
 * jwt.c - who asks?
 *
 * By the credential that the request brings (jwt_credential.h).  No credential: anonymous, and
 * what that may do is not decided here.  A bad one: 401, except where everybody may come anyway.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "gateway/module.h"
#include "modules/basic.h"
#include "modules/counter.h"
#include "modules/jwt.h"
#include "modules/jwt_cache.h"
#include "modules/jwt_credential.h"
#include "modules/jwt_revoked.h"
#include "modules/jwt_status.h"
#include "modules/jwt_token.h"
#include "modules/jwt_users.h"
#include "modules/jwt_wait.h"
#include "modules/login_use.h"
#include "modules/slots.h"

/* What a worker has made for the settings of one config. */
struct worker {
    uint64_t serial; /* of the settings; 0: nothing made yet */
    struct gw_jwt_verifiers *verifiers;
    struct gw_jwt_cache *cache; /* NULL: none */
    bool registered;            /* users have to be */
    struct gw_world *world;
    struct gw_jwt_revoked *revoked; /* a reference; NULL: none */
    uint64_t revoked_serial;        /* its own */
};

struct counts {
    atomic_ullong cached, verified, refused, revoked; /* tokens */
    atomic_ullong passes, bytes;                      /* in the cache now */
    atomic_ullong revocations, revoked_bytes;         /* in force now; the same in all workers */
};

static void *
open_worker(struct gw_world *world)
{
    struct worker *w = gw_mem_alloc(sizeof(*w));

    (void)gw_world_state(world, &gw_jwt_rows, sizeof(struct counts)); /* before others look at it */
    gw_jwt_presence_prepare(world);
    w->world = world;
    return w;
}

static void
clear_worker(struct worker *w)
{
    gw_jwt_verifiers_free(w->verifiers);
    gw_jwt_cache_free(w->cache);
    w->verifiers = NULL;
    w->cache = NULL;
}

static void
close_worker(void *index)
{
    struct worker *w = index;

    clear_worker(w);
    gw_piece_unref((struct gw_piece *)w->revoked);
    free(w);
}

/* Each pass is looked at once more before it is used again; whoever is within already, now. */
static void
put_revoked(void *index, const char *key, struct gw_piece *set)
{
    struct worker *w = index;
    struct counts *counts = gw_world_state(w->world, &gw_jwt_rows, sizeof(*counts));

    (void)key;
    gw_piece_unref((struct gw_piece *)w->revoked);
    w->revoked = (struct gw_jwt_revoked *)gw_piece_ref(set);
    w->revoked_serial = gw_jwt_revoked_serial(w->revoked);
    gw_counter_set(&counts->revocations, gw_jwt_revoked_count(w->revoked));
    gw_counter_set(&counts->revoked_bytes, gw_jwt_revoked_bytes(w->revoked));
    if (gw_jwt_revoked_is_news(w->revoked)) {
        gw_world_doubt(w->world);
    }
}

/* What a worker has of this module: its passes, and what is revoked. */
static const struct gw_view view = {
    .name = "jwt",
    .kinds = (const char *const[]){GW_JWT_REVOKED_KIND, NULL},
    .compile = gw_jwt_revocation_compile,
    .gather = gw_jwt_revoked_gather,
    .open = open_worker,
    .close = close_worker,
    .put = put_revoked,
};

static struct worker *
worker_of(const struct gw_req *req, const struct gw_jwt_settings *s)
{
    struct worker *w = gw_world_index(req->world, &view);

    if (w->serial != s->serial) {
        clear_worker(w); /* other keys: what was good may be so no longer */
        w->serial = s->serial;
        w->registered = s->users == GW_JWT_USERS_REGISTERED;
        w->verifiers = gw_jwt_verifiers_new(s, gw_world_id(req->world));
        w->cache = s->token_cache > 0 ? gw_jwt_cache_new((size_t)s->token_cache) : NULL;
    }
    return w;
}

static void
on_pass_left(void *pass)
{
    gw_jwt_pass_unref(pass);
}

/* Since the revocations last changed it was not looked at. */
static bool
is_revoked(const struct worker *w, struct gw_jwt_pass *p, uint64_t now_ms)
{
    if (gw_jwt_revoked_has(w->revoked, p, now_ms)) {
        return true;
    }
    p->checked = w->revoked_serial;
    return false;
}

/* The request is the pass's from now on, if it is still good.  Takes the reference. */
static enum gw_err
let_in(struct gw_req *req, const struct worker *w, struct gw_jwt_pass *p, const char *how,
       uint64_t now_ms)
{
    gw_arena_defer(req->arena, on_pass_left, p);
    if (p->checked != w->revoked_serial && is_revoked(w, p, now_ms)) {
        struct counts *counts = gw_world_state(req->world, &gw_jwt_rows, sizeof(*counts));

        gw_counter_add(&counts->revoked, !req->dry);
        return GW_ERR_TOKEN_REVOKED;
    }
    req->slot[GW_SLOT_jwt] = p;
    req->subject = p->common->subject;
    req->subject.name = gw_jwt_pass_name(p);
    req->decision.authentication = how;
    req->decision.issuer = p->common->issuer;
    req->decision.key_id = p->common->key_id;
    return GW_ERR_OK;
}

/* The key has left its issuer's set for good: what it has signed is no longer let in. */
static void
forget_key(struct gw_world *world, const struct gw_jwt_key *key)
{
    struct worker *w = gw_world_index(world, &view);
    struct counts *counts = gw_world_state(world, &gw_jwt_rows, sizeof(*counts));

    if (w->cache != NULL) {
        gw_jwt_cache_forget_key(w->cache, key);
        gw_counter_set(&counts->passes, gw_jwt_cache_count(w->cache));
        gw_counter_set(&counts->bytes, gw_jwt_cache_bytes(w->cache));
    }
}

static enum gw_verdict authenticate(struct gw_req *req, const void *conf);

/* Its key may be one that the issuer has made since: then the request waits (req->pending) for that
 * to be found out, and goes on with the step.  What is to be said until then. */
static enum gw_err
look_for_key(struct gw_req *req, const struct gw_jwt_settings *s,
             const struct gw_jwt_finding *found, uint64_t now_ms,
             enum gw_verdict (*step)(struct gw_req *req, const void *conf), const void *conf)
{
    if (found->lacking == NULL || req->dry) {
        return found->err;
    }
    switch (gw_jwt_wait(req, found, now_ms, s->key_sets.wait_ms, step, conf)) {
    case GW_JWT_WAITS:
    case GW_JWT_KNOWN:
        return found->err;
    case GW_JWT_UNSURE:
        return GW_ERR_KEYS_UNAVAILABLE;
    }
    abort();
}

/* *pass: with a reference; or untouched, and why. */
static enum gw_err
verify(struct gw_req *req, const struct gw_jwt_settings *s, struct worker *w, struct gw_str token,
       uint64_t now_ms, struct gw_jwt_pass **pass)
{
    struct counts *counts = gw_world_state(req->world, &gw_jwt_rows, sizeof(*counts));
    const struct gw_jwt_finding *before = gw_jwt_wait_found(req);
    struct gw_jwt_claims claims = {.lacking = before == NULL ? NULL : before->lacking};
    const char *why = before == NULL ? "" : before->why;
    enum gw_err err = before == NULL
                          ? gw_jwt_verify(w->verifiers, req->arena, token, now_ms, &claims, &why)
                          : before->err;

    if (err != GW_ERR_OK) {
        const struct gw_jwt_finding found = {.lacking = claims.lacking, .why = why, .err = err};

        err = look_for_key(req, s, &found, now_ms, authenticate, s);
        if (req->pending.cancel != NULL) {
            return err;
        }
        gw_log_debug("token refused, request %.*s: %s", GW_STR_ARG(req->request_id), why);
        gw_counter_add(&counts->refused, !req->dry);
        return err;
    }
    struct gw_jwt_cache *cache = req->dry ? NULL : w->cache;
    struct gw_jwt_pass *p = gw_jwt_pass_new(cache, &claims);
    if (cache != NULL) {
        gw_jwt_cache_put(cache, token, p);
        gw_counter_set(&counts->passes, gw_jwt_cache_count(w->cache));
        gw_counter_set(&counts->bytes, gw_jwt_cache_bytes(w->cache));
    }
    gw_counter_add(&counts->verified, !req->dry);
    *pass = p;
    return GW_ERR_OK;
}

enum gw_err
gw_jwt_try(struct gw_req *req, const struct gw_jwt_settings *s, struct gw_str token,
           enum gw_verdict (*step)(struct gw_req *req, const void *conf), const void *conf,
           struct gw_str *user)
{
    struct worker *w = worker_of(req, s);
    uint64_t now_ms = gw_clock_wall_ms();
    const struct gw_jwt_finding *before = gw_jwt_wait_found(req);
    struct gw_jwt_claims claims = {.lacking = before == NULL ? NULL : before->lacking};
    const char *why = before == NULL ? "" : before->why;
    enum gw_err err = before == NULL
                          ? gw_jwt_verify(w->verifiers, req->arena, token, now_ms, &claims, &why)
                          : before->err;

    if (err == GW_ERR_OK) {
        *user = gw_arena_str(req->arena, claims.subject.name);
        return s->users == GW_JWT_USERS_REGISTERED &&
                       !gw_jwt_users_have(req->world, claims.subject.name)
                   ? GW_ERR_TOKEN_USER
                   : GW_ERR_OK;
    }
    const struct gw_jwt_finding found = {.lacking = claims.lacking, .why = why, .err = err};
    err = look_for_key(req, s, &found, now_ms, step, conf);
    if (req->pending.cancel == NULL) {
        gw_log_debug("token refused, request %.*s: %s", GW_STR_ARG(req->request_id), why);
    }
    return err;
}

bool
gw_jwt_session_is_revoked(const struct gw_world *world, struct gw_str user, uint64_t begun_ms)
{
    const struct worker *w = gw_world_index(world, &view);

    return gw_jwt_revoked_has_user(w->revoked, user, begun_ms, gw_clock_wall_ms());
}

bool
gw_jwt_token_is_revoked(const struct gw_req *req, struct gw_str token)
{
    const struct worker *w = gw_world_index(req->world, &view);
    struct gw_str issuer = GW_STR_NONE;
    struct gw_str id = GW_STR_NONE;
    struct gw_jwt_token parts;
    const char *why;

    if (gw_jwt_revoked_count(w->revoked) == 0) {
        return false;
    }
    if (gw_jwt_token_split(&parts, req->arena, token, &why) == GW_ERR_OK) {
        (void)(gw_jwt_text(parts.claims, "iss", &issuer) && gw_jwt_text(parts.claims, "jti", &id));
    }
    return gw_jwt_revoked_has_token(w->revoked, token, issuer, id, gw_clock_wall_ms());
}

/* The session's own check was by whom its first token named. */
static bool
is_of_revoked(const struct gw_req *req, const struct gw_login_session *n)
{
    return !gw_str_eq(req->subject.name, n->user) &&
           gw_jwt_session_is_revoked(req->world, req->subject.name, n->begun_ms);
}

static bool
is_by_session(const struct gw_req *req)
{
    const struct gw_login_use *u = req->slot[GW_SLOT_login];

    return u != NULL && u->good && req->decision.credential != NULL &&
           strcmp(req->decision.credential, "session") == 0;
}

/* What is revoked is over for the session, too: no refresh makes it good again. */
static enum gw_err
check_session(struct gw_req *req, enum gw_err err)
{
    struct gw_login_use *u = req->slot[GW_SLOT_login];

    if (err == GW_ERR_OK && is_of_revoked(req, &u->session)) {
        err = GW_ERR_TOKEN_REVOKED;
    }
    if (err == GW_ERR_TOKEN_REVOKED) {
        gw_login_use_end(u);
    }
    return err;
}

static enum gw_err
check_token(struct gw_req *req, const struct gw_jwt_settings *s, struct gw_str token)
{
    struct worker *w = worker_of(req, s);
    uint64_t now_ms = req->decision.wall_ms != 0 ? req->decision.wall_ms : gw_clock_wall_ms();
    struct gw_jwt_pass *p =
        w->cache == NULL || req->dry ? NULL : gw_jwt_cache_get(w->cache, token, now_ms);

    const char *how = "jwt-cached";
    if (p != NULL) {
        struct counts *counts = gw_world_state(req->world, &gw_jwt_rows, sizeof(*counts));

        gw_counter_add(&counts->cached, 1);
        p->refs++;
    } else {
        enum gw_err err = verify(req, s, w, token, now_ms, &p);

        if (p == NULL) {
            return err;
        }
        how = "jwt";
    }
    return let_in(req, w, p, how, now_ms);
}

/* "Bearer TOKEN", with one space and no other word (RFC 6750, 2.1). */
static enum gw_err
check_credential(struct gw_req *req, const struct gw_jwt_settings *s,
                 const struct gw_jwt_credential *c)
{
    if (s->basic.mode != GW_BASIC_OFF && gw_str_eq_nocase(c->scheme, GW_STR("Basic")) &&
        req->decision.route == GW_ROUTE_CORE) {
        req->decision.authentication = "basic, left to the core";
        return GW_ERR_OK; /* only the core knows passwords: it gets the header as it is */
    }
    if (!gw_str_eq_nocase(c->scheme, GW_STR("Bearer"))) {
        return GW_ERR_BAD_SCHEME;
    }
    if (c->token.n == 0 || gw_str_find(c->token, ' ') < c->token.n) {
        return GW_ERR_TOKEN_MALFORMED;
    }
    enum gw_err err = check_token(req, s, c->token);
    if (err == GW_ERR_OK && s->users == GW_JWT_USERS_REGISTERED &&
        !gw_jwt_users_have(req->world, req->subject.name)) {
        return GW_ERR_TOKEN_USER;
    }
    return err;
}

/* A credential that is no good makes its sender nobody.  Whether that is good enough is for rbac
 * to say: the paths to log in by are open to all, and an expired token must not be in the way. */
static void
turn_away(struct gw_req *req, enum gw_err err)
{
    gw_jwt_anonymous(&req->subject);
    req->slot[GW_SLOT_jwt] = NULL;
    req->decision.authentication = gw_err_name(err);
    req->credential_err = err;
}

/* It may have been revoked while the token cache was asked. */
static void
on_confirmed(struct gw_req *req, enum gw_err err)
{
    const struct worker *w = gw_world_index(req->world, &view);
    struct gw_jwt_pass *p = req->slot[GW_SLOT_jwt];

    if (err == GW_ERR_OK && p->checked != w->revoked_serial &&
        is_revoked(w, p, gw_clock_wall_ms())) {
        err = GW_ERR_TOKEN_REVOKED;
    }
    if (err == GW_ERR_TOKEN_REVOKED && is_by_session(req)) {
        gw_login_use_end(req->slot[GW_SLOT_login]);
    }
    if (err != GW_ERR_OK) {
        turn_away(req, err);
        gw_jwt_credential_withdraw(req);
    }
}

static enum gw_verdict
confirm(struct gw_req *req, const struct gw_jwt_settings *s, struct gw_str token,
        struct gw_jwt_pass *p)
{
    enum gw_err err = GW_ERR_OK;
    enum gw_verdict v =
        gw_jwt_presence_ask(req, &s->presence, s->serial, token, p, on_confirmed, &err);

    if (v == GW_NEXT && err != GW_ERR_OK) {
        turn_away(req, err);
        gw_jwt_credential_withdraw(req);
    }
    return v;
}

static enum gw_verdict
judge(struct gw_req *req, const struct gw_jwt_settings *s)
{
    struct gw_jwt_credential c;
    struct gw_str session = GW_STR_NONE;
    enum gw_err ended = GW_ERR_OK;
    const char *why;

    if (s->login != NULL &&
        gw_login_use(req, s->login, authenticate, s, &session, &ended) == GW_WAIT) {
        return GW_WAIT; /* for the session to be refreshed; then all of this once more */
    }
    enum gw_err err = gw_jwt_credential_find(req, &s->places, session, &c, &why);

    if (err == GW_ERR_TWO_CREDENTIALS) {
        req->err = err;
        req->detail = why;
        return GW_FAIL;
    }
    req->decision.credential = c.from;
    if (err == GW_ERR_OK && c.scheme.p == NULL) {
        err = ended; /* there was a session, and nothing else */
    }
    if (err == GW_ERR_OK && gw_basic_is_ours(req, &s->basic, c.scheme)) {
        gw_jwt_credential_settle(req, &s->places, &c, false);
        return gw_basic_check(req, &s->basic, c.token);
    }
    if (err == GW_ERR_OK && c.scheme.p != NULL) {
        err = check_credential(req, s, &c);
        if (req->pending.cancel != NULL) {
            return GW_WAIT; /* for a key; then all of this once more */
        }
        if (c.in_session) {
            err = check_session(req, err);
        }
    }
    if (c.in_cookies || c.in_protocols || c.in_query || c.in_session) {
        gw_jwt_credential_settle(req, &s->places, &c, err == GW_ERR_OK && c.scheme.p != NULL);
    }
    if (err != GW_ERR_OK) {
        turn_away(req, err);
        req->credential_detail = why;
        return GW_NEXT;
    }
    struct gw_jwt_pass *p = req->slot[GW_SLOT_jwt];
    return p != NULL && p->asks && !req->dry ? confirm(req, s, c.token, p) : GW_NEXT;
}

static enum gw_verdict
authenticate(struct gw_req *req, const void *conf)
{
    if (req->subject.trusted || (req->dry && req->subject.name.n > 0)) {
        if (req->decision.authentication == NULL) {
            req->decision.authentication = req->subject.trusted ? "admin-socket" : "given";
        }
        return GW_NEXT;
    }
    gw_jwt_anonymous(&req->subject);
    req->decision.authentication = "anonymous";
    return judge(req, conf);
}

/* Its token may have come after the time that counts. */
static bool
is_of_ended_session(const struct gw_req *req)
{
    const struct gw_login_use *u = req->slot[GW_SLOT_login];

    return is_by_session(req) &&
           gw_jwt_session_is_revoked(req->world, u->session.user, u->session.begun_ms);
}

/* Of a request that was let in before the last change of what is revoked, or who is registered. */
static enum gw_err
review(const struct gw_req *req)
{
    const struct worker *w = gw_world_index(req->world, &view);
    struct gw_jwt_pass *p = req->slot[GW_SLOT_jwt];

    if (p != NULL &&
        (gw_jwt_revoked_has_new(w->revoked, p, gw_clock_wall_ms()) || is_of_ended_session(req))) {
        return GW_ERR_TOKEN_REVOKED;
    }
    return p != NULL && w->registered && !gw_jwt_users_have(req->world, gw_jwt_pass_name(p))
               ? GW_ERR_TOKEN_USER
               : GW_ERR_OK;
}

static bool
open_conf(void *conf, struct gw_loader *loader)
{
    struct gw_jwt_settings *s = conf;

    if (!gw_jwt_places_open(&s->places, loader) || !gw_jwt_issuers_open(s, loader)) {
        return false;
    }
    loader->authentication = s;
    return true;
}

static void
close_conf(void *conf)
{
    gw_jwt_issuers_close(conf);
}

static void
use_conf(const void *conf, struct gw_world *const *worlds, size_t n)
{
    gw_jwt_source_on_removed(forget_key);
    if (conf != NULL) {
        gw_jwt_issuers_use(conf, worlds, n);
    } else {
        gw_jwt_fetch_stop();
    }
}

static const char *
state_file(const void *conf)
{
    return gw_jwt_issuers_file(conf);
}

#define AT(field) offsetof(struct counts, field)

/* clang-format off */
static const struct gw_counted counted[] = {
    {.name = "ksgate_tokens_total", .type = "counter", .help = "Tokens by how they were judged.",
     .label = "result=\"cached\"", .at = AT(cached)},
    {.label = "result=\"verified\"", .at = AT(verified)},
    {.label = "result=\"refused\"", .at = AT(refused)},
    {.label = "result=\"revoked\"", .at = AT(revoked)},
    {.name = "ksgate_token_cache_entries", .type = "gauge",
     .help = "Verified tokens that are remembered.", .at = AT(passes)},
    {.name = "ksgate_token_cache_bytes", .type = "gauge",
     .help = "Memory of the remembered tokens.", .at = AT(bytes)},
    {.name = "ksgate_revocations", .type = "gauge", .help = "Revocations that are known.",
     .at = AT(revocations), .shared = true},
    {.name = "ksgate_revocation_bytes", .type = "gauge",
     .help = "Memory of the known revocations, of all workers together.",
     .at = AT(revoked_bytes), .shared = true},
    {0},
};
/* clang-format on */

static void
write_metrics(struct gw_buf *out, struct gw_world *const *worlds, size_t n)
{
    gw_counted_write(out, counted, worlds, n, &gw_jwt_rows, sizeof(struct counts));
    gw_jwt_presence_metrics(out, worlds, n);
    gw_jwt_status_metrics(out);
}

const struct gw_module gw_mod_jwt = {
    .name = "jwt",
    .about = "Finds out who asks, by a JSON Web Token.",
    .section = "authentication",
    .settings = gw_jwt_rows,
    .conf_size = sizeof(struct gw_jwt_settings),
    .routes = GW_ON(GW_ROUTE_CORE) | GW_ON(GW_ROUTE_EXTENSIONS) | GW_ON(GW_ROUTE_ADMIN),
    .open = open_conf,
    .close = close_conf,
    .use = use_conf,
    .file = state_file,
    .views = (const struct gw_view *const[]){&view, &gw_jwt_users_view, NULL},
    .on = {[GW_ACCESS] = authenticate},
    .review = review,
    .stop = gw_jwt_presence_stop,
    .metrics = write_metrics,
};
