#include "modules/jwt_credential.h"

#include "gateway/module.h"
#include "modules/jwt_cookies.h"
#include "modules/jwt_site.h"
#include "modules/jwt_token.h"
#include "modules/jwt_upgrade.h"

/* ---- the two headers ---------------------------------------------------------------------- */

/* Two credentials are two identities: which one is meant, nobody behind us would know. */
static bool
find_in_headers(const struct gw_headers *h, struct gw_jwt_credential *out)
{
    struct gw_str first;
    struct gw_str second;

    if (!gw_headers_only(h, GW_H_AUTHORIZATION, &first) ||
        !gw_headers_only(h, GW_H_X_KUBESPHERE_AUTHORIZATION, &second) ||
        (first.p != NULL && second.p != NULL && !gw_str_eq(first, second))) {
        return false;
    }
    struct gw_str value = first.p != NULL ? first : second;
    if (value.p != NULL) {
        out->from = first.p != NULL ? "Authorization" : "X-KubeSphere-Authorization";
        out->scheme = gw_str_cut(&value, ' ');
        out->token = value;
    }
    return true;
}

/* ---- other places, which hold nothing but a token ----------------------------------------- */

/* False: another one was found before. */
static bool
add_token(struct gw_jwt_credential *out, struct gw_str token, const char *from)
{
    if (out->scheme.p != NULL) {
        return gw_str_eq_nocase(out->scheme, GW_STR("Bearer")) && gw_str_eq(out->token, token);
    }
    out->scheme = GW_STR("Bearer");
    out->token = token;
    out->from = from;
    return true;
}

static bool
is_websocket(const struct gw_req *req)
{
    return req->head->upgrade &&
           gw_headers_list_has(&req->head->headers, GW_H_UPGRADE, GW_STR("websocket"));
}

/* As Kubernetes has it: one token, and beside it another protocol for the answer to name. */
static enum gw_err
find_in_protocols(struct gw_req *req, struct gw_jwt_credential *out, const char **why)
{
    struct gw_jwt_protocols p;
    struct gw_str token;

    gw_jwt_protocols_read(&req->head->headers, &p);
    out->in_protocols = p.n_tokens > 0;
    if (p.n_tokens == 0 || !is_websocket(req)) {
        return GW_ERR_OK;
    }
    if (p.n_tokens > 1) {
        *why = "Sec-WebSocket-Protocol has two tokens";
        return GW_ERR_TWO_CREDENTIALS;
    }
    if (p.n_others == 0) {
        *why = "Sec-WebSocket-Protocol must name another protocol beside the token";
        return GW_ERR_TOKEN_MALFORMED;
    }
    if (!gw_jwt_base64url(req->arena, p.encoded, &token)) {
        *why = "in Sec-WebSocket-Protocol it has to be base64url without padding";
        return GW_ERR_TOKEN_MALFORMED;
    }
    return add_token(out, token, "Sec-WebSocket-Protocol") ? GW_ERR_OK : GW_ERR_TWO_CREDENTIALS;
}

static enum gw_err
find_in_query(struct gw_req *req, struct gw_jwt_credential *out, const char **why)
{
    struct gw_str token;
    unsigned n = gw_jwt_query_token(req->arena, req->target.query, &token);

    out->in_query = n > 0;
    if (n > 1) {
        *why = "the query has two";
        return GW_ERR_TWO_CREDENTIALS;
    }
    if (n == 1 && token.p == NULL) {
        *why = "the query's access_token is not escaped as it should be";
        return GW_ERR_TOKEN_MALFORMED;
    }
    return n == 0 || add_token(out, token, "access_token") ? GW_ERR_OK : GW_ERR_TWO_CREDENTIALS;
}

/* A browser adds its cookies by itself, so they give way to a header, which somebody has set. */
static enum gw_err
find_in_cookies(struct gw_req *req, const struct gw_jwt_places *p, struct gw_jwt_credential *out,
                const char **why)
{
    bool alone = out->scheme.p == NULL;
    struct gw_str token;

    if (!gw_jwt_cookie_get(&req->head->headers, p->hidden[0], &token)) {
        *why = gw_arena_printf(req->arena, "there are two cookies %s", p->cookie);
        return GW_ERR_TWO_CREDENTIALS;
    }
    if (token.n == 0) {
        return GW_ERR_OK;
    }
    out->by_cookie = alone;
    if (!add_token(out, token, "cookie")) {
        return GW_ERR_TWO_CREDENTIALS;
    }
    *why = alone ? gw_jwt_site_missing(req, p) : NULL;
    return *why == NULL ? GW_ERR_OK : GW_ERR_CROSS_SITE;
}

/* It is in cookies too, and no more meant than these. */
static enum gw_err
use_session(struct gw_req *req, const struct gw_jwt_places *p, struct gw_str token,
            struct gw_jwt_credential *out, const char **why)
{
    out->in_session = true;
    out->by_cookie = true;
    (void)add_token(out, token, "session");
    *why = gw_jwt_site_missing(req, p);
    return *why == NULL ? GW_ERR_OK : GW_ERR_CROSS_SITE;
}

enum gw_err
gw_jwt_credential_find(struct gw_req *req, const struct gw_jwt_places *p, struct gw_str session,
                       struct gw_jwt_credential *out, const char **why)
{
    enum gw_err err = GW_ERR_OK;

    *out = (struct gw_jwt_credential){0};
    *why = NULL;
    if (req->head == NULL) {
        return GW_ERR_OK;
    }
    const struct gw_headers *h = &req->head->headers;
    if (!find_in_headers(h, out)) {
        return GW_ERR_TWO_CREDENTIALS;
    }
    bool header = out->scheme.p != NULL;
    out->in_cookies = p->n_hidden > 0 && gw_headers_has(h, GW_H_COOKIE);
    if (gw_headers_has(h, GW_H_SEC_WEBSOCKET_PROTOCOL)) {
        err = find_in_protocols(req, out, why);
    }
    if (p->query_token && req->head->upgrade && req->target.has_query) {
        const char *second = NULL;
        enum gw_err also = find_in_query(req, out, &second); /* to be taken out in any case */

        *why = err == GW_ERR_OK ? second : *why;
        err = err == GW_ERR_OK ? also : err;
    }
    if (err == GW_ERR_OK && session.n > 0 && out->scheme.p == NULL) {
        return use_session(req, p, session, out, why);
    }
    if (err == GW_ERR_OK && out->in_cookies && !header) {
        err = find_in_cookies(req, p, out, why);
    }
    return err;
}

/* ---- who gets to see it ------------------------------------------------------------------- */

static void
hide_protocol(struct gw_req *req)
{
    struct gw_str rest = gw_jwt_protocols_without(req->arena, &req->head->headers);

    gw_edits_remove(req, &req->up, GW_STR("sec-websocket-protocol"));
    if (rest.n > 0) {
        gw_edits_add(req, &req->up, GW_STR("Sec-WebSocket-Protocol"), rest);
    }
}

static void
hide_query(struct gw_req *req)
{
    struct gw_str target = req->to.target;

    if (target.n == 0) { /* as received, in whichever form */
        target = gw_str_of(gw_arena_printf(req->arena, "%.*s?%.*s", GW_STR_ARG(req->target.path),
                                           GW_STR_ARG(req->target.query)));
    }
    req->to.target = gw_jwt_target_without(req->arena, target);
}

void
gw_jwt_credential_settle(struct gw_req *req, const struct gw_jwt_places *p,
                         const struct gw_jwt_credential *c, bool good)
{
    if (c->in_cookies) {
        gw_jwt_cookies_hide(req, p->hidden, p->n_hidden);
    }
    if (c->in_protocols) {
        hide_protocol(req);
    }
    if (c->in_query) {
        hide_query(req);
    }
    if (!good || gw_headers_has(&req->head->headers, GW_H_AUTHORIZATION) ||
        gw_headers_has(&req->head->headers, GW_H_X_KUBESPHERE_AUTHORIZATION)) {
        return;
    }
    if (req->decision.route == GW_ROUTE_CORE || req->keep_authorization) {
        gw_edits_add(req, &req->up, GW_STR("Authorization"),
                     gw_str_of(gw_arena_printf(req->arena, "Bearer %.*s", GW_STR_ARG(c->token))));
    }
    if (c->by_cookie && !req->dry && !req->head->upgrade) {
        gw_jwt_site_greet(req, p);
    }
}

void
gw_jwt_credential_withdraw(struct gw_req *req)
{
    struct gw_edits *e = &req->up;
    unsigned n = 0;

    for (unsigned i = 0; i < e->n_add; i++) {
        if (!gw_str_eq(e->add[i].name, GW_STR("Authorization"))) {
            e->add[n++] = e->add[i];
        }
    }
    e->n_add = n;
}
