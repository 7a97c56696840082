/*
 * login_callback.c - /-/login/callback: a browser comes back from the provider.
 *
 *     its state is one of ours -> tokens for the code -> are they for this login, and good? -> in
 */
#include "base/clock.h"
#include "base/log.h"
#include "http/url.h"
#include "modules/jwt_check.h"
#include "modules/login_cookies.h"
#include "modules/login_flow.h"
#include "modules/login_id.h"
#include "modules/login_page.h"
#include "modules/login_random.h"
#include "modules/login_state.h"
#include "modules/login_use.h"
#include "modules/login_wait.h"

#define DONE_S 10 /* who is refused so soon after a login is not sent to log in again */

/* In the request's arena. */
struct back {
    const struct gw_login_settings *s;
    struct gw_login_begun begun;
    struct gw_login_session session;
    struct gw_str *user; /* whom the token names */
};

static enum gw_verdict
refuse(struct gw_req *req, const struct back *b, enum gw_err err, const char *more, const char *why)
{
    enum gw_login_count what = err == GW_ERR_LOGIN_STATE         ? GW_LOGIN_N_STATE
                               : err == GW_ERR_LOGIN_DENIED      ? GW_LOGIN_N_DENIED
                               : err == GW_ERR_LOGIN_UNAVAILABLE ? GW_LOGIN_N_UNAVAILABLE
                               : err == GW_ERR_LOGIN_FAILED || err == GW_ERR_SESSION_TOO_LARGE
                                   ? GW_LOGIN_N_FAILED
                                   : GW_LOGIN_N_TOKEN;

    gw_login_count(req->world, what);
    gw_log_debug("login refused, request %.*s: %s", GW_STR_ARG(req->request_id), why);
    return gw_login_refuse(req, err, more, b->begun.back);
}

/* ---- in ----------------------------------------------------------------------------------- */

static enum gw_verdict
let_in(struct gw_req *req, const struct back *b)
{
    struct gw_str name = gw_login_cookie_name(req, b->s);
    struct gw_login_session session = b->session;

    session.user = *b->user;
    if (!gw_login_give(req, b->s, name, &session)) {
        return refuse(req, b, GW_ERR_SESSION_TOO_LARGE, "", "the session is too large");
    }
    gw_login_cookie_write(req, gw_login_cookie_other(req, name, "done"), GW_STR("1"), DONE_S);
    gw_login_count(req->world, GW_LOGIN_N_OK);
    return gw_login_go(req, b->begun.back);
}

/* By the same way as any token; it may have to wait for a key. */
static enum gw_verdict
judge(struct gw_req *req, const void *arg)
{
    const struct back *b = arg;
    enum gw_err err = gw_jwt_check_try(req, b->s->jwt, b->session.token, judge, b, b->user);

    if (req->pending.cancel != NULL) {
        return GW_WAIT;
    }
    if (err == GW_ERR_OK &&
        gw_jwt_check_session_is_revoked(req->world, *b->user, b->session.begun_ms)) {
        err = GW_ERR_TOKEN_REVOKED; /* of a time that is still to come */
    }
    if (err == GW_ERR_OK) {
        return let_in(req, b);
    }
    return refuse(req, b, err, "the identity provider's token is not taken",
                  "the token is not good");
}

/* ---- the tokens --------------------------------------------------------------------------- */

/* The ID token is for this login, whichever token says who it is. */
static const char *
check_id(struct gw_req *req, struct back *b, const struct gw_login_answer *a)
{
    const struct gw_login_settings *s = b->s;
    const struct gw_login_expected e = {.issuer = gw_str_of(s->issuer),
                                        .client_id = gw_str_of(s->client_id),
                                        .nonce = b->begun.nonce,
                                        .now_ms = a->got_ms};

    if (a->id.text == NULL) {
        return s->wants_id_token ? "there is no ID token" : NULL;
    }
    struct gw_str text = gw_arena_str(req->arena, gw_str_of(a->id.text));
    const char *fault = gw_login_id_fault(req->arena, text, &e, &b->session.subject);
    if (fault == NULL && s->token == GW_LOGIN_ACCESS_TOKEN) {
        b->session.id_token = text;
    }
    return fault;
}

static enum gw_verdict
on_tokens(struct gw_req *req, const struct gw_login_answer *a, void *arg)
{
    struct back *b = arg;
    const struct gw_login_grant *token = b->s->token == GW_LOGIN_ID_TOKEN ? &a->id : &a->access;

    switch (a->outcome) {
    case GW_LOGIN_GOOD:
        break;
    case GW_LOGIN_DENIED:
        return refuse(req, b, GW_ERR_LOGIN_DENIED, "the code was used before, or is too old",
                      a->trouble);
    case GW_LOGIN_AWAY:
        return refuse(req, b, GW_ERR_LOGIN_UNAVAILABLE, "", a->trouble);
    case GW_LOGIN_ODD:
        return refuse(req, b, GW_ERR_LOGIN_FAILED, "", a->trouble);
    }
    const char *fault = check_id(req, b, a);
    if (fault != NULL) {
        return refuse(req, b, GW_ERR_LOGIN_FAILED, fault, fault);
    }
    b->session.token = gw_arena_str(req->arena, gw_str_of(token->text));
    b->session.refresh = gw_arena_str(req->arena, gw_str_of(a->refresh.text));
    if (!gw_login_random_id(&b->session.id)) {
        return refuse(req, b, GW_ERR_INTERNAL, "there are no random numbers", "no random numbers");
    }
    b->user = gw_arena_alloc(req->arena, sizeof(*b->user));
    b->session.begun_ms = a->got_ms;
    b->session.got_ms = a->got_ms;
    b->session.expires_ms = token->expires_ms;
    return judge(req, b);
}

/* ---- the code ----------------------------------------------------------------------------- */

/* RFC 6749, 4.1.3; RFC 7636, 4.5. */
static enum gw_verdict
ask_for_tokens(struct gw_req *req, struct back *b, struct gw_str code)
{
    struct gw_str base = gw_login_base(req, b->s);
    struct gw_buf form = {0};

    gw_login_form_add(&form, "grant_type", GW_STR("authorization_code"));
    gw_login_form_add(&form, "code", code);
    gw_login_form_add(
        &form, "redirect_uri",
        gw_str_of(gw_arena_printf(req->arena, "%.*s" GW_LOGIN_BACK, GW_STR_ARG(base))));
    gw_login_form_add(&form, "code_verifier", b->begun.verifier);
    struct gw_str text = gw_arena_str(req->arena, gw_buf_text(&form));
    gw_buf_fini(&form);
    return gw_login_wait(req, b->s->provider, GW_LOGIN_ASK_CODE, text, on_tokens, b);
}

static struct gw_str
parameter(const struct gw_req *req, struct gw_str name)
{
    struct gw_str value = GW_STR_NONE;

    (void)gw_query_get(req->arena, req->target.query, name, &value);
    return value;
}

/* Which provider it comes from, where that says so: a code of another one would be shown to this
 * one (RFC 9207). */
static bool
is_foreign(const struct gw_req *req, const struct gw_login_settings *s)
{
    struct gw_str iss;

    return gw_query_get(req->arena, req->target.query, GW_STR("iss"), &iss) &&
           !gw_str_eq(iss, gw_str_of(s->issuer));
}

enum gw_verdict
gw_login_come_back(struct gw_req *req, const struct gw_login_settings *s)
{
    struct back *b = gw_arena_alloc(req->arena, sizeof(*b));
    struct gw_str error = parameter(req, GW_STR("error"));
    struct gw_str code = parameter(req, GW_STR("code"));

    b->s = s;
    if (!gw_login_begun_take(req, s, parameter(req, GW_STR("state")), &b->begun)) {
        b->begun.back = GW_STR_NONE;
        return refuse(req, b, GW_ERR_LOGIN_STATE, "", "no cookie fits its state");
    }
    if (is_foreign(req, s)) {
        return refuse(req, b, GW_ERR_LOGIN_FAILED, "it is another provider's answer",
                      "its iss is not login.issuer");
    }
    if (error.n > 0) {
        char *word = gw_arena_alloc(req->arena, 48);

        gw_login_error_word(error, word);
        return refuse(req, b, GW_ERR_LOGIN_DENIED, word, word);
    }
    if (code.n == 0) {
        return refuse(req, b, GW_ERR_LOGIN_FAILED, "there is no code in it", "there is no code");
    }
    return ask_for_tokens(req, b, code);
}
