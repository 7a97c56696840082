/*
 * login.c - browsers log in at an OpenID Connect provider, so that no page behind the gateway needs
 * code of its own for that.
 *
 * The session that comes of it is a place where a token may come from (jwt_credential.h).  Here:
 * the paths of the login itself, and what browsers are told that are not logged in.
 */
#include "base/clock.h"
#include "gateway/module.h"
#include "modules/jwt_cookies.h"
#include "modules/login_ask.h"
#include "modules/login_cookies.h"
#include "modules/login_flow.h"
#include "modules/login_page.h"
#include "modules/login_return.h"
#include "modules/login_state.h"
#include "modules/login_use.h"
#include "modules/slots.h"

/* ---- our own paths ------------------------------------------------------------------------ */

/* For pages' scripts: who is logged in, and how long?  It was found out before (jwt.c). */
static enum gw_verdict
tell_session(struct gw_req *req, const struct gw_login_settings *s)
{
    const struct gw_login_use *u = req->slot[GW_SLOT_login];
    struct gw_buf out = {0};

    if (req->credential_err != GW_ERR_OK && u == NULL) { /* and not of a session that is over */
        req->err = req->credential_err;
        return GW_FAIL;
    }
    gw_buf_puts(&out, "{\"user\":");
    if (req->subject.anonymous) {
        gw_buf_puts(&out, "null");
    } else {
        gw_buf_json(&out, req->subject.name);
    }
    if (u != NULL && u->good) {
        gw_buf_puts(&out, ",\"tokenExpires\":\"");
        gw_clock_rfc3339(&out, u->session.expires_ms);
        gw_buf_puts(&out, "\",\"sessionEnds\":\"");
        gw_clock_rfc3339(&out, u->session.begun_ms + (uint64_t)s->session_max_ms);
        gw_buf_puts(&out,
                    u->session.refresh.n > 0 ? "\",\"refreshed\":true" : "\",\"refreshed\":false");
    }
    gw_buf_puts(&out, "}\n");
    struct gw_str body = gw_arena_str(req->arena, gw_buf_text(&out));
    gw_buf_fini(&out);
    return gw_req_reply(req, 200, GW_STR("application/json"), body);
}

typedef enum gw_verdict way_fn(struct gw_req *req, const struct gw_login_settings *s);

static const struct way {
    const char *path;
    way_fn *run;
    bool post; /* beside GET and HEAD */
} ways[] = {
    {GW_LOGIN_PATH, gw_login_begin, false},
    {GW_LOGIN_BACK, gw_login_come_back, false},
    {GW_LOGIN_ABOUT, tell_session, false},
    {GW_LOGIN_LEAVE, gw_login_leave, true},
};

static const struct way *
way_of(struct gw_str path)
{
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        if (gw_str_eq(path, gw_str_of(ways[i].path))) {
            return &ways[i];
        }
    }
    return NULL;
}

/* Open to all: whoever may not come in begins here. */
static enum gw_verdict
answer(struct gw_req *req, const void *conf)
{
    const struct way *w = way_of(req->target.path);
    struct gw_str method = req->head->method;

    if (req->decision.route != GW_ROUTE_ADMIN || w == NULL) {
        return GW_NEXT;
    }
    req->decision.allowed = GW_ALLOWED;
    req->decision.policy = "login";
    if (req->dry) {
        return GW_REPLY;
    }
    if (!gw_str_eq(method, GW_STR("GET")) && !gw_str_eq(method, GW_STR("HEAD")) &&
        !(w->post && gw_str_eq(method, GW_STR("POST")))) {
        gw_edits_set(req, &req->down, GW_STR("Allow"),
                     w->post ? GW_STR("GET, HEAD, POST") : GW_STR("GET, HEAD"));
        return gw_req_fail(req, GW_ERR_BAD_METHOD, "%s", "");
    }
    return w->run(req, conf);
}

/* ---- the cookies are nobody else's business ------------------------------------------------- */

static enum gw_verdict
hide(struct gw_req *req, const void *conf)
{
    const struct gw_login_settings *s = conf;

    if (!req->dry && gw_headers_has(&req->head->headers, GW_H_COOKIE)) {
        gw_jwt_cookies_hide(req, s->hidden, GW_LOGIN_PATTERNS);
    }
    return GW_NEXT;
}

/* ---- who is not logged in ---------------------------------------------------------------------
 */

/* Whoever sends a credential of his own has something else to mend than his session. */
static bool
is_to_log_in(const struct gw_req *req)
{
    const struct gw_headers *h = &req->head->headers;

    return req->reply.status == 401 && way_of(req->target.path) == NULL &&
           !gw_headers_has(h, GW_H_AUTHORIZATION) &&
           !gw_headers_has(h, GW_H_X_KUBESPHERE_AUTHORIZATION) && gw_login_is_navigation(req);
}

/* A challenge is for programs. */
static void
withdraw_challenge(struct gw_req *req)
{
    struct gw_edits *e = &req->down;
    unsigned n = 0;

    for (unsigned i = 0; i < e->n_add; i++) {
        if (!gw_str_eq(e->add[i].name, GW_STR("WWW-Authenticate"))) {
            e->add[n++] = e->add[i];
        }
    }
    e->n_add = n;
}

static struct gw_str
login_for(struct gw_req *req, struct gw_str back)
{
    struct gw_buf out = {0};

    gw_buf_puts(&out, GW_LOGIN_PATH "?");
    gw_login_form_add(&out, "return", back);
    struct gw_str location = gw_arena_str(req->arena, gw_buf_text(&out));
    gw_buf_fini(&out);
    return location;
}

/* Who has just logged in and is refused all the same would go round in a circle. */
static void
send_to_login(struct gw_req *req, const struct gw_login_settings *s)
{
    struct gw_str target = req->head->target;
    struct gw_str back = gw_login_return_ok(target) ? target : gw_str_of(s->after_login);
    struct gw_str done = gw_login_cookie_other(req, gw_login_cookie_name(req, s), "done");

    if (gw_jwt_cookie_is(&req->head->headers, done, GW_STR("1"))) {
        gw_login_refusal_page(req,
                              req->slot[GW_SLOT_login] == NULL
                                  ? "You have just logged in, but the browser has not kept the "
                                    "session's cookie, or the session was ended at once."
                                  : "You have just logged in, and what the identity provider says "
                                    "of you is not enough here.",
                              back);
        return;
    }
    withdraw_challenge(req);
    (void)gw_login_go(req, login_for(req, back));
}

static enum gw_verdict
settle(struct gw_req *req, const void *conf)
{
    const struct gw_login_settings *s = conf;

    gw_login_use_settle(req, s);
    if (is_to_log_in(req)) {
        send_to_login(req, s);
    }
    return GW_NEXT;
}

/* ---- the module -------------------------------------------------------------------------------
 */

static bool
is_wanted(const void *conf)
{
    return gw_login_is_on(conf);
}

static bool
open_conf(void *conf, struct gw_loader *loader)
{
    struct gw_login_settings *s = conf;

    if (!gw_login_is_on(s)) {
        return true;
    }
    if (!gw_login_settings_open(s, loader)) {
        return false;
    }
    ((struct gw_jwt_settings *)loader->authentication)->login = s;
    return true;
}

static void
close_conf(void *conf)
{
    gw_login_settings_close(conf);
}

static void
use_conf(const void *conf, struct gw_world *const *worlds, size_t n)
{
    if (conf != NULL && gw_login_is_on(conf)) {
        gw_login_ask_start(worlds, n);
    }
}

/* ---- metrics ----------------------------------------------------------------------------------
 */

static const struct {
    const char *name, *help;
} families[] = {
    {"ksgate_logins_total", "Logins of browsers, by what became of them."},
    {"ksgate_login_refreshes_total", "Refreshes of sessions, by what became of them."},
    {"ksgate_logouts_total", "Logouts, and those that another site wanted."},
    {"ksgate_login_cookies_total", "Session cookies that could not be opened."},
};

static const struct {
    const char *name, *result;
} lines[] = {
#define X(id, name, result) {name, result},
    GW_LOGIN_COUNTS(X)
#undef X
};

static void
write_metrics(struct gw_buf *out, struct gw_world *const *worlds, size_t n)
{
    for (size_t f = 0; f < sizeof(families) / sizeof(families[0]); f++) {
        gw_buf_printf(out, "# HELP %s %s\n# TYPE %s counter\n", families[f].name, families[f].help,
                      families[f].name);
        for (unsigned i = 0; i < GW_LOGIN_N_COUNTS; i++) {
            unsigned long long sum = 0;

            if (strcmp(lines[i].name, families[f].name) != 0) {
                continue;
            }
            for (size_t w = 0; w < n; w++) {
                sum += gw_login_counted(worlds[w], (enum gw_login_count)i);
            }
            gw_buf_printf(out, "%s{result=\"%s\"} %llu\n", lines[i].name, lines[i].result, sum);
        }
    }
}

const struct gw_module gw_mod_login = {
    .name = "login",
    .about = "Sends browsers to an identity provider to log in, and keeps them logged in.",
    .section = "login",
    .settings = gw_login_rows,
    .conf_size = sizeof(struct gw_login_settings),
    .routes = GW_ON_ALL,
    .wanted = is_wanted,
    .open = open_conf,
    .close = close_conf,
    .use = use_conf,
    .views = (const struct gw_view *const[]){&gw_login_view, NULL},
    .on = {[GW_ACCESS] = answer, [GW_REWRITE] = hide, [GW_RESPONSE] = settle},
    .metrics = write_metrics,
};
