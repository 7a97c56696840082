/*
 * jwt.c - who asks?
 *
 * By the credential that the request brings (jwt_credential.h).  No credential: anonymous, and
 * what that may do is not decided here.  A bad one: 401, except where everybody may come anyway.
 */
#include <string.h>

#include "gateway/module.h"
#include "modules/basic.h"
#include "modules/jwt_cache.h"
#include "modules/jwt_check.h"
#include "modules/jwt_credential.h"
#include "modules/jwt_status.h"
#include "modules/jwt_users.h"
#include "modules/login_use.h"
#include "modules/slots.h"

/* The session's own check was by whom its first token named. */
static bool
is_of_revoked(const struct gw_req *req, const struct gw_login_session *n)
{
    return !gw_str_eq(req->subject.name, n->user) &&
           gw_jwt_check_session_is_revoked(req->world, req->subject.name, n->begun_ms);
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

/* "Bearer TOKEN", with one space and no other word (RFC 6750, 2.1). */
static enum gw_err
check_credential(struct gw_req *req, const struct gw_jwt_settings *s,
                 const struct gw_jwt_credential *c, gw_jwt_step_fn *step)
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
    enum gw_err err = gw_jwt_check(req, s, c->token, step);
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
    if (err == GW_ERR_OK && gw_jwt_check_is_revoked(req)) {
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
judge(struct gw_req *req, const struct gw_jwt_settings *s, gw_jwt_step_fn *step)
{
    struct gw_jwt_credential c;
    struct gw_str session = GW_STR_NONE;
    enum gw_err ended = GW_ERR_OK;
    const char *why;

    if (s->login != NULL && gw_login_use(req, s->login, step, s, &session, &ended) == GW_WAIT) {
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
        err = check_credential(req, s, &c, step);
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
    if (req->subject.trusted || (req->dry && req->subject.name.p != NULL)) {
        if (req->decision.authentication == NULL) {
            req->decision.authentication = req->subject.trusted ? "admin-socket" : "given";
        }
        return GW_NEXT;
    }
    gw_jwt_anonymous(&req->subject);
    req->decision.authentication = "anonymous";
    return judge(req, conf, authenticate);
}

/* Whatever its token says: that may have come after the time that counts. */
static enum gw_err
review_session(const struct gw_req *req)
{
    const struct gw_login_use *u = req->slot[GW_SLOT_login];

    if (gw_login_use_was_left(u)) {
        return GW_ERR_SESSION_ENDED;
    }
    return gw_jwt_check_session_is_revoked(req->world, u->session.user, u->session.begun_ms)
               ? GW_ERR_TOKEN_REVOKED
               : GW_ERR_OK;
}

/* Of a request that was let in before the last logout, or change of what is revoked, or who is
 * registered. */
static enum gw_err
review(const struct gw_req *req)
{
    enum gw_err err =
        req->slot[GW_SLOT_jwt] != NULL && is_by_session(req) ? review_session(req) : GW_ERR_OK;

    return err != GW_ERR_OK ? err : gw_jwt_check_again(req);
}

static bool
open_conf(void *conf, struct gw_loader *loader)
{
    struct gw_jwt_settings *s = conf;

    bool good = gw_jwt_places_open(&s->places, loader);

    if (!gw_jwt_issuers_open(s, loader)) {
        return false;
    }
    if (!good) {
        gw_jwt_issuers_close(s);
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
    gw_jwt_source_on_removed(gw_jwt_check_forget_key);
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

static void
write_metrics(struct gw_buf *out, struct gw_world *const *worlds, size_t n)
{
    gw_jwt_check_metrics(out, worlds, n);
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
    .views = (const struct gw_view *const[]){&gw_jwt_check_view, &gw_jwt_users_view, NULL},
    .on = {[GW_ACCESS] = authenticate},
    .review = review,
    .stop = gw_jwt_presence_stop,
    .metrics = write_metrics,
};
