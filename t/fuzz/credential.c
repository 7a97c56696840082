/* Any bytes as a request's head: what is found in it is a part of it, and what the backend would
 * get has no credential in any other place than Authorization, the same words twice never being two
 * requests. */
#include <assert.h>
#include <stdlib.h>

#include "gateway/module.h"
#include "modules/jwt_cookies.h"
#include "modules/jwt_credential.h"
#include "modules/jwt_upgrade.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const struct gw_parse_limits limits = {
    .head_bytes = 65536, .target_bytes = 16384, .headers = 128};

static const struct gw_jwt_places *
open_places(void)
{
    static struct gw_jwt_places p;
    static const char *const origins[] = {"https://console.example", NULL};
    static const char *const private[] = {"refreshToken", NULL};

    if (p.cookie == NULL) {
        struct gw_diag diag = {0};
        struct gw_loader l = {.arena = gw_arena_new_lasting(), .diag = &diag};

        p = (struct gw_jwt_places){.cookie = "t",
                                   .cookie_origins = origins,
                                   .cookie_private = private,
                                   .form_cookie = "f",
                                   .form_header = "x-f",
                                   .query_token = true};
        bool good = gw_jwt_places_open(&p, &l);
        assert(good);
    }
    return &p;
}

static struct gw_req *
request_of(struct gw_arena *a, const uint8_t *data, size_t n)
{
    struct gw_parser *p = gw_arena_alloc(a, sizeof(*p));
    struct gw_req *req = gw_arena_alloc(a, sizeof(*req));
    char *bytes = gw_arena_strndup(a, (const char *)data, n);
    size_t used = 0;

    gw_parser_start(p, GW_PARSE_REQUEST, &limits);
    enum gw_parse got = gw_parser_head(p, a, bytes, n, &used);
    if ((got != GW_PARSE_DONE && got != GW_PARSE_HEAD) ||
        gw_target_split(p->head.method, p->head.target, &req->target) != GW_ERR_OK) {
        return NULL;
    }
    req->arena = a;
    req->head = &p->head;
    req->host = gw_headers_value(&p->head.headers, GW_H_HOST);
    req->decision.route = GW_ROUTE_CORE;
    return req;
}

/* The headers as the backend gets them. */
static void
edit(struct gw_req *req, struct gw_headers *out)
{
    const struct gw_headers *h = &req->head->headers;

    out->list = gw_arena_alloc(req->arena, (h->n + req->up.n_add + 1) * sizeof(*out->list));
    for (unsigned i = 0; i < h->n; i++) {
        if (!gw_edits_removes(&req->up, h->list[i].name)) {
            out->list[out->n++] = h->list[i];
        }
    }
    for (unsigned i = 0; i < req->up.n_add; i++) {
        enum gw_header_id id = gw_header_id(req->up.add[i].name);

        assert(gw_header_name_ok(req->up.add[i].name));
        out->list[out->n++] = (struct gw_header){
            .name = req->up.add[i].name, .value = req->up.add[i].value, .id = (unsigned short)id};
    }
    for (unsigned i = 0; i < out->n; i++) {
        out->present |= (uint64_t)(out->list[i].id != GW_H_OTHER) << out->list[i].id;
    }
}

static void
nothing_is_left(struct gw_req *req, const struct gw_jwt_places *p)
{
    struct gw_headers h = {0};
    struct gw_jwt_protocols protocols;
    struct gw_str token;

    edit(req, &h);
    for (size_t i = 0; i < p->n_hidden; i++) {
        assert(gw_jwt_cookie_get(&h, p->hidden[i], &token) && token.p == NULL);
    }
    gw_jwt_protocols_read(&h, &protocols);
    assert(protocols.n_tokens == 0);
    struct gw_str query = req->to.target.n > 0 ? req->to.target : req->head->target;
    (void)gw_str_cut(&query, '?');
    assert(!req->head->upgrade || gw_jwt_query_token(req->arena, query, &token) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const struct gw_jwt_places *p = open_places();
    struct gw_arena *a = gw_arena_new();
    struct gw_req *req = request_of(a, data, n);
    struct gw_jwt_credential c;
    const char *why = NULL;

    if (req != NULL) {
        enum gw_err err = gw_jwt_credential_find(req, p, GW_STR_NONE, &c, &why);

        assert(err == GW_ERR_OK || err == GW_ERR_TWO_CREDENTIALS || err == GW_ERR_TOKEN_MALFORMED ||
               err == GW_ERR_CROSS_SITE);
        assert((c.scheme.p != NULL) == (c.from != NULL));
        assert(err != GW_ERR_CROSS_SITE || (c.by_cookie && why != NULL));
        assert(!c.in_query || req->head->upgrade);
        if (err != GW_ERR_TWO_CREDENTIALS) { /* else it ends here */
            gw_jwt_credential_settle(req, p, &c, err == GW_ERR_OK && c.scheme.p != NULL);
            nothing_is_left(req, p);
        }
    }
    gw_arena_free(a);
    return 0;
}
