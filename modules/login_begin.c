/* login_begin.c - /-/login: a browser is sent to the provider. */
#include "base/clock.h"
#include "http/url.h"
#include "modules/login_flow.h"
#include "modules/login_page.h"
#include "modules/login_random.h"
#include "modules/login_return.h"
#include "modules/login_state.h"
#include "modules/login_wait.h"

/* In the request's arena. */
struct begin {
    const struct gw_login_settings *s;
    struct gw_str base, back;
};

static enum gw_verdict
refuse(struct gw_req *req, const struct begin *b, enum gw_err err, const char *more)
{
    gw_login_count(req->world,
                   err == GW_ERR_LOGIN_UNAVAILABLE ? GW_LOGIN_N_UNAVAILABLE : GW_LOGIN_N_FAILED);
    return gw_login_refuse(req, err, more, b->back);
}

/* RFC 6749, 4.1.1; RFC 7636, 4.3; OpenID Connect Core 1.0, 3.1.2.1. */
static struct gw_str
location_of(struct gw_req *req, const struct begin *b, const char *url, struct gw_str state,
            const struct gw_login_begun *begun)
{
    const struct gw_login_settings *s = b->s;
    struct gw_buf out = {0};
    struct gw_str callback =
        gw_str_of(gw_arena_printf(req->arena, "%.*s" GW_LOGIN_BACK, GW_STR_ARG(b->base)));

    gw_buf_puts(&out, url);
    gw_buf_puts(&out, strchr(url, '?') == NULL ? "?" : "");
    gw_login_form_add(&out, "response_type", GW_STR("code"));
    gw_login_form_add(&out, "client_id", gw_str_of(s->client_id));
    gw_login_form_add(&out, "redirect_uri", callback);
    gw_login_form_add(&out, "scope", s->scope);
    gw_login_form_add(&out, "state", state);
    gw_login_form_add(&out, "nonce", begun->nonce);
    gw_login_form_add(&out, "code_challenge", gw_login_challenge(req->arena, begun->verifier));
    gw_login_form_add(&out, "code_challenge_method", GW_STR("S256"));
    struct gw_str location = gw_arena_str(req->arena, gw_buf_text(&out));
    gw_buf_fini(&out);
    return location;
}

static enum gw_verdict
on_endpoints(struct gw_req *req, const struct gw_login_answer *a, void *arg)
{
    const struct begin *b = arg;
    struct gw_str state = gw_login_random(req->arena);
    const struct gw_login_begun begun = {
        .at_ms = gw_clock_wall_ms(),
        .nonce = gw_login_random(req->arena),
        .verifier = gw_login_random(req->arena),
        .back = b->back,
    };

    if (a->outcome != GW_LOGIN_GOOD || a->url[GW_LOGIN_AUTHORIZATION] == NULL) {
        return refuse(req, b, GW_ERR_LOGIN_UNAVAILABLE, "");
    }
    if (state.n == 0 || begun.nonce.n == 0 || begun.verifier.n == 0 ||
        !gw_login_begun_give(req, b->s, state, &begun)) {
        return refuse(req, b, GW_ERR_INTERNAL, "there are no random numbers");
    }
    gw_login_count(req->world, GW_LOGIN_N_BEGUN);
    return gw_login_go(req, location_of(req, b, a->url[GW_LOGIN_AUTHORIZATION], state, &begun));
}

enum gw_verdict
gw_login_begin(struct gw_req *req, const struct gw_login_settings *s)
{
    struct begin *b = gw_arena_alloc(req->arena, sizeof(*b));

    *b = (struct begin){.s = s, .base = gw_login_base(req, s)};
    if (!gw_query_get(req->arena, req->target.query, GW_STR("return"), &b->back)) {
        b->back = gw_str_of(s->after_login);
    } else if (!gw_login_return_ok(b->back)) {
        b->back = GW_STR_NONE;
        return gw_login_refuse(req, GW_ERR_BAD_REQUEST, "`return` is no path of this site",
                               GW_STR_NONE);
    }
    if (b->base.n == 0) {
        return gw_login_refuse(req, GW_ERR_BAD_HOST, "", GW_STR_NONE);
    }
    return gw_login_wait(req, s->provider, GW_LOGIN_ASK_ENDPOINTS, GW_STR_NONE, on_endpoints, b);
}
