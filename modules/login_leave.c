/*
 * login_leave.c - /-/logout: a browser's session ends, here and at the provider.
 *
 * Nobody else's page can do that to a user: it has to be a POST that the browser shows to be from a
 * page of this site.  A GET shows such a page.
 */
#include "base/clock.h"
#include "modules/jwt_site.h"
#include "modules/login_cookies.h"
#include "modules/login_ended.h"
#include "modules/login_flow.h"
#include "modules/login_page.h"
#include "modules/login_state.h"
#include "modules/login_use.h"
#include "modules/login_wait.h"

/* In the request's arena. */
struct leave {
    const struct gw_login_settings *s;
    struct gw_login_use *use; /* NULL: nobody was logged in */
};

/* Where it leads in the end; none: the request does not say which site this is. */
static struct gw_str
end_of(const struct gw_req *req, const struct gw_login_settings *s)
{
    struct gw_str base = gw_login_base(req, s);

    if (s->after_logout[0] != '/' || base.n == 0) {
        return gw_str_of(s->after_logout);
    }
    return gw_str_of(gw_arena_printf(req->arena, "%.*s%s", GW_STR_ARG(base), s->after_logout));
}

/* OpenID Connect RP-Initiated Logout 1.0, 2. */
static struct gw_str
location_at(struct gw_req *req, const struct leave *l, const char *url)
{
    struct gw_str hint =
        l->s->token == GW_LOGIN_ID_TOKEN ? l->use->session.token : l->use->session.id_token;
    struct gw_buf out = {0};

    gw_buf_puts(&out, url);
    gw_buf_puts(&out, strchr(url, '?') == NULL ? "?" : "");
    gw_login_form_add(&out, "client_id", gw_str_of(l->s->client_id));
    if (hint.n > 0) {
        gw_login_form_add(&out, "id_token_hint", hint);
    }
    gw_login_form_add(&out, "post_logout_redirect_uri", end_of(req, l->s));
    struct gw_str location = gw_arena_str(req->arena, gw_buf_text(&out));
    gw_buf_fini(&out);
    return location;
}

static bool
is_html(const struct gw_req *req)
{
    struct gw_str accept = gw_headers_value(&req->head->headers, GW_H_ACCEPT);

    return accept.n == 0 || !gw_str_has_prefix_nocase(accept, GW_STR("application/json"));
}

/* A script can't follow a redirect to another site: it is told where to go. */
static enum gw_verdict
go(struct gw_req *req, struct gw_str location)
{
    struct gw_buf body = {0};

    if (is_html(req)) {
        return gw_login_go(req, location);
    }
    gw_buf_puts(&body, "{\"location\":");
    gw_buf_json(&body, location);
    gw_buf_puts(&body, "}\n");
    struct gw_str text = gw_arena_str(req->arena, gw_buf_text(&body));
    gw_buf_fini(&body);
    return gw_req_reply(req, 200, GW_STR("application/json"), text);
}

/* A provider that can't be asked keeps nobody here. */
static enum gw_verdict
on_endpoints(struct gw_req *req, const struct gw_login_answer *a, void *arg)
{
    const struct leave *l = arg;
    const char *url = a->url[GW_LOGIN_END_SESSION];

    if (a->url[GW_LOGIN_REVOCATION] != NULL && l->use->session.refresh.n > 0) {
        gw_login_revoke(req->world, l->s->provider, l->use->session.refresh,
                        l->use->session.got_ms);
    }
    return go(req, url == NULL ? end_of(req, l->s) : location_at(req, l, url));
}

/* From now on nobody is in by it, whichever worker has them. */
static void
end_session(struct gw_req *req, const struct gw_login_settings *s, const struct gw_login_session *n)
{
    uint64_t last_ms = n->begun_ms + (uint64_t)s->session_max_ms;
    size_t n_worlds;
    struct gw_world *const *worlds = gw_world_all(req->world, &n_worlds);

    if (!gw_login_ended_add(GW_LOGIN_SESSIONS, n->id, last_ms, gw_clock_wall_ms())) {
        return;
    }
    for (size_t i = 0; i < n_worlds; i++) {
        gw_world_review(worlds[i]);
    }
}

enum gw_verdict
gw_login_leave(struct gw_req *req, const struct gw_login_settings *s)
{
    struct gw_login_use *use = gw_login_open_cookie(req, s);
    struct gw_str name = gw_login_cookie_name(req, s);

    if (!gw_str_eq(req->head->method, GW_STR("POST"))) {
        return gw_login_leave_page(req,
                                   use != NULL && use->good &&
                                       !gw_login_ended_has(GW_LOGIN_SESSIONS, use->session.id));
    }
    const char *foreign = gw_jwt_site_foreign(req, &s->jwt->places);
    if (foreign != NULL) {
        gw_login_count(req->world, GW_LOGIN_N_LEFT_FOREIGN);
        return gw_req_fail(req, GW_ERR_CROSS_SITE, "%s", foreign);
    }
    gw_login_cookie_clear(req, name);
    gw_login_cookie_clear(req, gw_login_cookie_other(req, name, "done"));
    gw_login_count(req->world, GW_LOGIN_N_LEFT);
    if (use == NULL || !use->good) {
        return go(req, end_of(req, s));
    }
    end_session(req, s, &use->session);
    struct leave *l = gw_arena_alloc(req->arena, sizeof(*l));
    *l = (struct leave){.s = s, .use = use};
    return gw_login_wait(req, s->provider, GW_LOGIN_ASK_ENDPOINTS, GW_STR_NONE, on_endpoints, l);
}
