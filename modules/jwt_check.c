#include "modules/jwt_check.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "modules/counter.h"
#include "modules/jwt_cache.h"
#include "modules/jwt_revoked.h"
#include "modules/jwt_token.h"
#include "modules/jwt_users.h"
#include "modules/slots.h"

/* In place of a set's serial while there was none: no pass has been looked at by it. */
#define NO_SET UINT64_MAX

/* What a worker has made for the settings of one config. */
struct worker {
    uint64_t serial; /* of the settings; 0: nothing made yet */
    struct gw_jwt_verifiers *verifiers;
    struct gw_jwt_cache *cache; /* NULL: none */
    bool registered;            /* users have to be */
    struct gw_world *world;
    struct gw_jwt_revoked *revoked; /* a reference; NULL: none */
    uint64_t revoked_serial;        /* its own, or NO_SET */
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
    w->revoked_serial = NO_SET;
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
const struct gw_view gw_jwt_check_view = {
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
    struct worker *w = gw_world_index(req->world, &gw_jwt_check_view);

    if (w->serial != s->serial) {
        clear_worker(w); /* other keys: what was good may be so no longer */
        w->serial = s->serial;
        w->registered = s->users == GW_JWT_USERS_REGISTERED;
        w->verifiers = gw_jwt_verifiers_new(s, gw_world_id(req->world));
        w->cache = s->token_cache > 0 ? gw_jwt_cache_new((size_t)s->token_cache) : NULL;
    }
    return w;
}

/* ---- a token -----------------------------------------------------------------------------------
 */

static void
on_pass_left(void *pass)
{
    gw_jwt_pass_unref(pass);
}

/* Since the revocations last changed it was not looked at.  As long as it is not known what is
 * registered, nobody knows whether it has been revoked. */
static enum gw_err
look_up_revocation(const struct worker *w, struct gw_jwt_pass *p, uint64_t now_ms)
{
    if (gw_jwt_revoked_has(w->revoked, p, now_ms)) {
        return GW_ERR_TOKEN_REVOKED;
    }
    if (!gw_world_knows(w->world)) {
        return GW_ERR_REGISTRY_UNKNOWN;
    }
    p->checked = w->revoked_serial;
    return GW_ERR_OK;
}

/* The request is the pass's from now on, if it is still good.  Takes the reference. */
static enum gw_err
let_in(struct gw_req *req, const struct worker *w, struct gw_jwt_pass *p, const char *how,
       uint64_t now_ms)
{
    enum gw_err err = GW_ERR_OK;

    gw_arena_defer(req->arena, on_pass_left, p);
    if (p->checked != w->revoked_serial) {
        err = look_up_revocation(w, p, now_ms);
    }
    if (err != GW_ERR_OK) {
        struct counts *counts = gw_world_state(req->world, &gw_jwt_rows, sizeof(*counts));

        gw_counter_add(&counts->revoked, !req->dry && err == GW_ERR_TOKEN_REVOKED);
        return err;
    }
    req->slot[GW_SLOT_jwt] = p;
    req->subject = p->common->subject;
    req->subject.name = gw_jwt_pass_name(p);
    req->decision.authentication = how;
    req->decision.issuer = p->common->issuer;
    req->decision.key_id = p->common->key_id;
    return GW_ERR_OK;
}

static void
count_cache(const struct worker *w, struct counts *counts)
{
    gw_counter_set(&counts->passes, gw_jwt_cache_count(w->cache));
    gw_counter_set(&counts->bytes, gw_jwt_cache_bytes(w->cache));
}

/* Its key may be one that the issuer has made since: then the request waits (req->pending) for that
 * to be found out, and goes on with the step.  What is to be said until then. */
static enum gw_err
look_for_key(struct gw_req *req, const struct gw_jwt_settings *s,
             const struct gw_jwt_finding *found, uint64_t now_ms, gw_jwt_step_fn *step,
             const void *conf)
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

/* GW_ERR_OK and the claims; or why not, and with req->pending set the request waits to know more.
 */
static enum gw_err
read_claims(struct gw_req *req, const struct gw_jwt_settings *s, const struct worker *w,
            struct gw_str token, uint64_t now_ms, struct gw_jwt_claims *claims,
            gw_jwt_step_fn *step, const void *conf)
{
    const struct gw_jwt_finding *before = gw_jwt_wait_found(req);
    struct gw_jwt_finding found = {.why = ""};

    if (before != NULL) {
        found = *before;
    } else {
        found.err = gw_jwt_verify(w->verifiers, req->arena, token, now_ms, claims, &found.why);
        found.lacking = claims->lacking;
    }
    if (found.err == GW_ERR_OK) {
        return GW_ERR_OK;
    }
    enum gw_err err = look_for_key(req, s, &found, now_ms, step, conf);
    if (req->pending.cancel == NULL) {
        gw_log_debug("token refused, request %.*s: %s", GW_STR_ARG(req->request_id), found.why);
    }
    return err;
}

/* *pass: with a reference; or untouched, and why. */
static enum gw_err
verify(struct gw_req *req, const struct gw_jwt_settings *s, struct worker *w, struct gw_str token,
       uint64_t now_ms, gw_jwt_step_fn *step, struct gw_jwt_pass **pass)
{
    struct counts *counts = gw_world_state(req->world, &gw_jwt_rows, sizeof(*counts));
    struct gw_jwt_claims claims = {0};
    enum gw_err err = read_claims(req, s, w, token, now_ms, &claims, step, s);

    if (err != GW_ERR_OK || req->pending.cancel != NULL) {
        gw_counter_add(&counts->refused, !req->dry && req->pending.cancel == NULL);
        return err;
    }
    struct gw_jwt_cache *cache = req->dry ? NULL : w->cache;
    struct gw_jwt_pass *p = gw_jwt_pass_new(cache, &claims);
    if (cache != NULL) {
        gw_jwt_cache_put(cache, token, p);
        count_cache(w, counts);
    }
    gw_counter_add(&counts->verified, !req->dry);
    *pass = p;
    return GW_ERR_OK;
}

enum gw_err
gw_jwt_check(struct gw_req *req, const struct gw_jwt_settings *s, struct gw_str token,
             gw_jwt_step_fn *step)
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
        enum gw_err err = verify(req, s, w, token, now_ms, step, &p);

        if (p == NULL) {
            return err;
        }
        how = "jwt";
    }
    return let_in(req, w, p, how, now_ms);
}

enum gw_err
gw_jwt_check_try(struct gw_req *req, const struct gw_jwt_settings *s, struct gw_str token,
                 gw_jwt_step_fn *step, const void *conf, struct gw_str *user)
{
    struct gw_jwt_claims claims = {0};
    enum gw_err err =
        read_claims(req, s, worker_of(req, s), token, gw_clock_wall_ms(), &claims, step, conf);

    if (err != GW_ERR_OK || req->pending.cancel != NULL) {
        return err;
    }
    *user = gw_arena_str(req->arena, claims.subject.name);
    if (s->users != GW_JWT_USERS_REGISTERED || gw_jwt_users_have(req->world, *user)) {
        return GW_ERR_OK;
    }
    return gw_world_knows(req->world) ? GW_ERR_TOKEN_USER : GW_ERR_REGISTRY_UNKNOWN;
}

/* ---- what ends it ------------------------------------------------------------------------------
 */

void
gw_jwt_check_forget_key(struct gw_world *world, const struct gw_jwt_key *key)
{
    struct worker *w = gw_world_index(world, &gw_jwt_check_view);
    struct counts *counts = gw_world_state(world, &gw_jwt_rows, sizeof(*counts));

    if (w->cache != NULL) {
        gw_jwt_cache_forget_key(w->cache, key);
        count_cache(w, counts);
    }
}

bool
gw_jwt_check_is_revoked(const struct gw_req *req)
{
    const struct worker *w = gw_world_index(req->world, &gw_jwt_check_view);
    struct gw_jwt_pass *p = req->slot[GW_SLOT_jwt];

    return p->checked != w->revoked_serial &&
           look_up_revocation(w, p, gw_clock_wall_ms()) == GW_ERR_TOKEN_REVOKED;
}

enum gw_err
gw_jwt_check_again(const struct gw_req *req)
{
    const struct worker *w = gw_world_index(req->world, &gw_jwt_check_view);
    const struct gw_jwt_pass *p = req->slot[GW_SLOT_jwt];

    if (p == NULL) {
        return GW_ERR_OK;
    }
    if (gw_jwt_revoked_has_new(w->revoked, p, gw_clock_wall_ms())) {
        return GW_ERR_TOKEN_REVOKED;
    }
    return w->registered && !gw_jwt_users_have(req->world, gw_jwt_pass_name(p)) ? GW_ERR_TOKEN_USER
                                                                                : GW_ERR_OK;
}

bool
gw_jwt_check_session_is_revoked(const struct gw_world *world, struct gw_str user, uint64_t begun_ms)
{
    const struct worker *w = gw_world_index(world, &gw_jwt_check_view);

    return gw_jwt_revoked_has_user(w->revoked, user, begun_ms, gw_clock_wall_ms());
}

bool
gw_jwt_check_token_is_revoked(const struct gw_req *req, struct gw_str token)
{
    const struct worker *w = gw_world_index(req->world, &gw_jwt_check_view);
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

/* ---- metrics -----------------------------------------------------------------------------------
 */

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

void
gw_jwt_check_metrics(struct gw_buf *out, struct gw_world *const *worlds, size_t n)
{
    gw_counted_write(out, counted, worlds, n, &gw_jwt_rows, sizeof(struct counts));
}
