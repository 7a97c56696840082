#include "modules/login_use.h"

#include <assert.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "modules/jwt_check.h"
#include "modules/login_ask.h"
#include "modules/login_cookies.h"
#include "modules/login_ended.h"
#include "modules/login_id.h"
#include "modules/login_return.h"
#include "modules/login_seal.h"
#include "modules/login_state.h"
#include "modules/slots.h"

#define CHAIN_MAX 8 /* refreshes one after the other that a late cookie has missed */

/* ---- the cookie --------------------------------------------------------------------------- */

struct gw_login_use *
gw_login_open_cookie(struct gw_req *req, const struct gw_login_settings *s)
{
    struct gw_str name = gw_login_cookie_name(req, s);
    struct gw_str bytes;
    bool there;
    struct gw_str text = gw_login_cookie_read(req, name, &there);

    if (!there) {
        return NULL;
    }
    struct gw_login_use *u = gw_arena_alloc(req->arena, sizeof(*u));
    *u = (struct gw_login_use){.name = name, .req = req};
    u->good = text.n > 0 &&
              gw_login_open(req->arena, &s->keys, GW_LOGIN_SESSION, name, text, &bytes) &&
              gw_login_session_unpack(req->arena, bytes, s->tag, &u->session);
    if (!u->good) {
        u->over = true;
        if (!req->dry) {
            gw_login_count(req->world, GW_LOGIN_N_BAD_COOKIE);
        }
    }
    return u;
}

/* The ID token only where it takes no second cookie: a provider can do without at the logout. */
bool
gw_login_give(struct gw_req *req, const struct gw_login_settings *s, struct gw_str name,
              struct gw_login_session *session)
{
    struct gw_str bytes = gw_login_session_pack(req->arena, session, s->tag);

    if (session->id_token.n > 0 && gw_login_sealed_length(bytes.n) > GW_LOGIN_COOKIE_BYTES) {
        session->id_token = GW_STR_NONE;
        bytes = gw_login_session_pack(req->arena, session, s->tag);
    }
    if (bytes.n == 0 || gw_login_sealed_length(bytes.n) > (size_t)s->cookie_bytes) {
        return false;
    }
    struct gw_str text = gw_login_seal(req->arena, &s->keys, GW_LOGIN_SESSION, name, bytes);
    if (text.n == 0) {
        return false;
    }
    gw_login_cookie_write(req, name, text, -1);
    return true;
}

/* ---- refreshed ---------------------------------------------------------------------------- */

/* Until when (wall) a browser may come with it: its own end, or the session's. */
static uint64_t
end_of(const struct gw_login_session *n, const struct gw_login_settings *s)
{
    uint64_t last_ms = n->begun_ms + (uint64_t)s->session_max_ms;

    return n->expires_ms < last_ms ? n->expires_ms : last_ms;
}

static bool
is_due(const struct gw_login_session *n, const struct gw_login_settings *s, uint64_t now_ms)
{
    uint64_t life = n->expires_ms > n->got_ms ? n->expires_ms - n->got_ms : 0;

    return n->refresh.n > 0 && now_ms >= n->got_ms + life / 100 * (uint64_t)s->refresh_percent;
}

static struct gw_str
copy(struct gw_req *req, const char *text, struct gw_str otherwise)
{
    return text == NULL ? otherwise : gw_arena_str(req->arena, gw_str_of(text));
}

/* NULL; or why the session is none any more. */
static const char *
fault_of(struct gw_login_use *u, const struct gw_login_settings *s, const struct gw_login_answer *a)
{
    struct gw_str subject;

    if (a->id.text == NULL) {
        return NULL;
    }
    const struct gw_login_expected e = {.issuer = gw_str_of(s->issuer),
                                        .client_id = gw_str_of(s->client_id),
                                        .subject = u->session.subject,
                                        .now_ms = a->got_ms};
    return gw_login_id_fault(u->req->arena, gw_str_of(a->id.text), &e, &subject);
}

/* False: there is no new token of the kind that says who it is; the session has what there is. */
static bool
renew(struct gw_login_use *u, const struct gw_login_settings *s, const struct gw_login_answer *a)
{
    struct gw_login_session *n = &u->session;
    const struct gw_login_grant *token = s->token == GW_LOGIN_ID_TOKEN ? &a->id : &a->access;

    n->refresh = copy(u->req, a->refresh.text, n->refresh); /* the one of before may be used up */
    if (token->text == NULL) {
        n->got_ms = a->got_ms;
        u->renewed = true;
        return false;
    }
    n->token = copy(u->req, token->text, GW_STR_NONE);
    if (s->token != GW_LOGIN_ID_TOKEN) {
        n->id_token = copy(u->req, a->id.text, n->id_token);
    }
    n->got_ms = a->got_ms;
    n->expires_ms = token->expires_ms;
    u->renewed = true;
    return true;
}

static void
leave(struct gw_login_use *u)
{
    *u->prev = u->next;
    if (u->next != NULL) {
        u->next->prev = u->prev;
    }
    u->prev = NULL;
}

static void
on_cancel(void *arg)
{
    leave(arg);
}

static void
link_in(struct gw_login_use *u, struct gw_login_use **list)
{
    u->next = *list;
    u->prev = list;
    if (u->next != NULL) {
        u->next->prev = &u->next;
    }
    *list = u;
}

/* They are taken out of the flight first: what one of them does may be its end. */
static void
wake(struct gw_login_use *first)
{
    static _Thread_local struct gw_login_use *woken;

    assert(woken == NULL); /* nobody is told from within a step */
    woken = first;
    if (first != NULL) {
        first->prev = &woken;
    }
    while (woken != NULL) {
        struct gw_login_use *u = woken;
        struct gw_req *req = u->req;

        leave(u);
        req->pending = (struct gw_pending){0};
        enum gw_verdict v = u->step(req, u->conf);
        if (v != GW_WAIT) {
            gw_req_resume(req, v);
        }
    }
}

static void
on_told(struct gw_login_question *q, struct gw_login_answer *a)
{
    struct gw_login_flight *flight = q->owner;
    uint64_t wall_ms = gw_clock_wall_ms();
    uint64_t left_ms = q->expires_ms > wall_ms ? q->expires_ms - wall_ms : 0;

    gw_login_count(q->world, a->outcome == GW_LOGIN_GOOD     ? GW_LOGIN_N_REFRESHED
                             : a->outcome == GW_LOGIN_DENIED ? GW_LOGIN_N_REFRESH_DENIED
                                                             : GW_LOGIN_N_REFRESH_FAILED);
    gw_login_flight_land(flight, a,
                         gw_login_flight_until(q->provider, a, left_ms, gw_world_now_ms(q->world)));
    struct gw_login_use *first = flight->users;
    flight->users = NULL;
    wake(first);
}

static struct gw_login_flight *
start(struct gw_req *req, const struct gw_login_settings *s, const struct gw_login_session *n,
      const unsigned char key[GW_LOGIN_FLIGHT_KEY])
{
    struct gw_login_flight *flight = gw_login_flights_begin(
        gw_login_flights_of(req->world), key, gw_world_now_ms(req->world), (size_t)s->remembered);
    struct gw_login_question *q = gw_mem_alloc(sizeof(*q));
    struct gw_buf form = {0};

    gw_login_form_add(&form, "grant_type", GW_STR("refresh_token"));
    gw_login_form_add(&form, "refresh_token", n->refresh);
    q->kind = GW_LOGIN_ASK_REFRESH;
    q->provider = gw_login_provider_ref(s->provider);
    q->world = req->world;
    q->told = on_told;
    q->owner = flight;
    q->form = form.p; /* the question's now */
    q->got_ms = n->got_ms;
    q->expires_ms = end_of(n, s);
    memcpy(q->key, key, sizeof(q->key));
    gw_login_ask(q);
    return flight;
}

/* ---- a request ---------------------------------------------------------------------------- */

enum freshness {
    FRESH,   /* good for now */
    WAITS,   /* for the flight */
    IN_VAIN, /* its time is over, and the provider can't be asked */
    ENDED,   /* for good */
    REVOKED, /* and by whom that is for */
    LEFT,    /* and by its user: this browser's cookie may be another session's by now */
};

/* One answer: FRESH: taken over, so look again. */
static enum freshness
take(struct gw_login_use *u, const struct gw_login_settings *s, const struct gw_login_answer *a,
     bool expired)
{
    const char *why;

    switch (a->outcome) {
    case GW_LOGIN_GOOD:
        why = fault_of(u, s, a);
        if (why == NULL) {
            return renew(u, s, a) ? FRESH : expired ? ENDED : IN_VAIN;
        }
        gw_log_debug("login: a session ends, request %.*s: %s", GW_STR_ARG(u->req->request_id),
                     why);
        return ENDED;
    case GW_LOGIN_DENIED:
        return expired ? ENDED : IN_VAIN; /* the token itself is as good as it was */
    case GW_LOGIN_AWAY:
    case GW_LOGIN_ODD:
        break;
    }
    return IN_VAIN;
}

/* As fresh as it can be without waiting; may_ask: a refresh is begun when it is time. */
static enum freshness
freshen(struct gw_login_use *u, const struct gw_login_settings *s, bool may_ask,
        struct gw_login_flight **flight)
{
    uint64_t now_ms = gw_clock_wall_ms();
    unsigned char key[GW_LOGIN_FLIGHT_KEY];

    for (unsigned i = 0; i < CHAIN_MAX && is_due(&u->session, s, now_ms); i++) {
        bool expired = now_ms >= u->session.expires_ms;

        if (gw_jwt_check_token_is_revoked(u->req, u->session.token)) {
            return REVOKED;
        }
        gw_login_flight_key(s->tag, u->session.refresh, key);
        *flight = gw_login_flights_get(gw_login_flights_of(u->req->world), key, u->session.got_ms,
                                       gw_world_now_ms(u->req->world));
        if (*flight == NULL && may_ask && !u->asked) {
            u->asked = true;
            *flight = start(u->req, s, &u->session, key);
        }
        if (*flight == NULL || (*flight)->answer == NULL) {
            return !expired ? FRESH : *flight == NULL ? IN_VAIN : WAITS;
        }
        enum freshness f = take(u, s, (*flight)->answer, expired);
        if (f != FRESH) {
            return f == IN_VAIN && !expired ? FRESH : f;
        }
    }
    return now_ms < u->session.expires_ms ? FRESH : ENDED;
}

/* FRESH; or why it is over whatever its token says. */
static enum freshness
standing(const struct gw_login_use *u, const struct gw_login_settings *s)
{
    const struct gw_login_session *n = &u->session;

    if (gw_login_ended_has(GW_LOGIN_SESSIONS, n->id)) {
        return LEFT;
    }
    if (gw_jwt_check_session_is_revoked(u->req->world, n->user, n->begun_ms)) {
        return REVOKED;
    }
    return gw_clock_wall_ms() >= n->begun_ms + (uint64_t)s->session_max_ms ? ENDED : FRESH;
}

static enum gw_err
end(struct gw_login_use *u, enum freshness f)
{
    u->good = false;
    u->over = true;
    return f == REVOKED ? GW_ERR_TOKEN_REVOKED : GW_ERR_SESSION_ENDED;
}

bool
gw_login_use_was_left(const struct gw_login_use *u)
{
    return gw_login_ended_has(GW_LOGIN_SESSIONS, u->session.id);
}

void
gw_login_use_end(struct gw_login_use *u)
{
    (void)end(u, REVOKED);
}

/* Whoever sends a credential in a header means that one: the session is not even looked at. */
static bool
may_have_session(const struct gw_req *req)
{
    const struct gw_headers *h = &req->head->headers;

    return gw_headers_has(h, GW_H_COOKIE) && !gw_headers_has(h, GW_H_AUTHORIZATION) &&
           !gw_headers_has(h, GW_H_X_KUBESPHERE_AUTHORIZATION) &&
           !gw_login_path_is_ours(req->target.path);
}

enum gw_verdict
gw_login_use(struct gw_req *req, const struct gw_login_settings *s,
             enum gw_verdict (*step)(struct gw_req *req, const void *conf), const void *conf,
             struct gw_str *token, enum gw_err *err)
{
    struct gw_login_use *u = req->slot[GW_SLOT_login];
    struct gw_login_flight *flight = NULL;

    *token = GW_STR_NONE;
    *err = GW_ERR_OK;
    if (!may_have_session(req)) {
        return GW_NEXT;
    }
    if (u == NULL) {
        u = gw_login_open_cookie(req, s);
        req->slot[GW_SLOT_login] = u;
    }
    if (u == NULL || !u->good) {
        return GW_NEXT;
    }
    enum freshness f = standing(u, s);
    if (f == FRESH) {
        f = freshen(u, s, !req->dry, &flight);
    }
    switch (f) {
    case FRESH:
        *token = u->session.token;
        break;
    case WAITS:
        u->asked = true; /* what it is told then is the last word for this request */
        u->step = step;
        u->conf = conf;
        link_in(u, &flight->users);
        req->pending = (struct gw_pending){.cancel = on_cancel, .arg = u};
        return GW_WAIT;
    case IN_VAIN:
        *err = GW_ERR_LOGIN_UNAVAILABLE;
        break;
    case ENDED:
    case REVOKED:
    case LEFT:
        *err = end(u, f);
        break;
    }
    return GW_NEXT;
}

/* What has come of it since the request came: a refresh, or its end. */
static void
look_again(struct gw_login_use *u, const struct gw_login_settings *s)
{
    struct gw_login_flight *flight = NULL;
    enum freshness f = standing(u, s);

    if (f == FRESH) {
        f = freshen(u, s, false, &flight);
    }
    if (f == LEFT) {
        u->good = false; /* the answer to the logout has taken the cookie away */
    } else if (f == ENDED || f == REVOKED) {
        (void)end(u, f);
    }
}

void
gw_login_use_settle(struct gw_req *req, const struct gw_login_settings *s)
{
    struct gw_login_use *u = req->slot[GW_SLOT_login];

    if (u == NULL) {
        return;
    }
    if (u->good) {
        look_again(u, s);
    }
    if (u->good && u->renewed && !gw_login_give(req, s, u->name, &u->session)) {
        gw_log_warn("login: a refreshed session is larger than login.cookie_bytes, or could not "
                    "be sealed: it ends");
        (void)end(u, ENDED);
    }
    if (u->over) {
        gw_login_cookie_clear(req, u->name);
    }
    if (u->renewed || u->over) {
        gw_login_keep_private(req);
    }
}
