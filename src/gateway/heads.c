/*
 * heads.c - what a message's head becomes on its way through.
 *
 * Everything is written anew in one canonical form.  Hop-by-hop headers end here (RFC 9110,
 * 7.6.1); what says who the client is (X-Forwarded-*, Forwarded, X-Remote-*) is the gateway's
 * word and nobody else's, unless the peer is a trusted proxy.
 */
#include "gateway/exchange.h"
#include "gateway/mapback.h"

struct filter {
    const struct gw_req *req;
    const struct gw_headers *all;
    const struct gw_edits *edits;
    bool connection_names; /* Connection names more than the usual words */
};

/* Headers that every message gets anew, or not at all. */
static bool
is_ours(unsigned id)
{
    switch ((enum gw_header_id)id) {
    case GW_H_HOST:
    case GW_H_CONTENT_LENGTH:
    case GW_H_X_REQUEST_ID:
    case GW_H_FORWARDED:
    case GW_H_X_FORWARDED_FOR:
    case GW_H_X_FORWARDED_HOST:
    case GW_H_X_FORWARDED_PORT:
    case GW_H_X_FORWARDED_PREFIX:
    case GW_H_X_FORWARDED_PROTO:
    case GW_H_X_KUBESPHERE_RAWQUERY: /* is the query by now (intake.h) */
    case GW_H_X_REAL_IP:
        return true;
    default:
        return false;
    }
}

/* Does Connection name anything that is_hop() would not drop anyway? */
static bool
names_more(const struct gw_headers *h)
{
    for (unsigned i = 0; i < h->n; i++) {
        struct gw_str rest = h->list[i].value;

        if (h->list[i].id != GW_H_CONNECTION) {
            continue;
        }
        while (rest.n > 0) {
            struct gw_str word = gw_str_trim(gw_str_cut(&rest, ','));

            if (!gw_str_eq_nocase(word, GW_STR("keep-alive")) &&
                !gw_str_eq_nocase(word, GW_STR("close")) &&
                !gw_str_eq_nocase(word, GW_STR("upgrade")) && word.n > 0) {
                return true;
            }
        }
    }
    return false;
}

static struct filter
filter_of(const struct gw_req *req, const struct gw_headers *h, const struct gw_edits *edits)
{
    return (struct filter){.req = req,
                           .all = h,
                           .edits = edits,
                           .connection_names = gw_headers_has(h, GW_H_CONNECTION) && names_more(h)};
}

/* "X_Forwarded_For" is another header to us, but the same variable to a CGI or WSGI backend; and
 * "Transfer_Encoding" there says how the body is framed; a credential that is spelt so has been
 * judged by nobody. */
static bool
folds_to_ours(struct gw_str name)
{
    enum gw_header_id id = gw_header_id_folded(name);

    return id != GW_H_OTHER && (is_ours(id) || gw_header_is_hop(id) ||
                                id == GW_H_X_KUBESPHERE_AUTHORIZATION || id == GW_H_X_CLIENT_IP);
}

/* KubeSphere's console says there for whom it asks, and ks-core believes that before all others. */
static bool
is_claim(const struct filter *f, unsigned id)
{
    return id == GW_H_X_CLIENT_IP && !f->req->peer_trusted;
}

static bool
keep_request(const struct gw_header *h, void *arg)
{
    const struct filter *f = arg;

    if (h->id != GW_H_OTHER && (is_ours(h->id) || gw_header_is_hop(h->id) || is_claim(f, h->id))) {
        return false;
    }
    if (h->id == GW_H_OTHER && (gw_header_is_identity(h->name) || folds_to_ours(h->name))) {
        return false;
    }
    return !(f->connection_names && gw_headers_list_has(f->all, GW_H_CONNECTION, h->name)) &&
           !(f->edits->n_remove > 0 && gw_edits_removes(f->edits, h->name));
}

static bool
keep_response(const struct gw_header *h, void *arg)
{
    const struct filter *f = arg;

    if (h->id != GW_H_OTHER &&
        (h->id == GW_H_CONTENT_LENGTH || h->id == GW_H_X_REQUEST_ID || gw_header_is_hop(h->id))) {
        return false;
    }
    if (f->req->to.map_back &&
        (h->id == GW_H_LOCATION || h->id == GW_H_SET_COOKIE || h->id == GW_H_REFRESH)) {
        return false;
    }
    return !(f->connection_names && gw_headers_list_has(f->all, GW_H_CONNECTION, h->name)) &&
           !(f->edits->n_remove > 0 && gw_edits_removes(f->edits, h->name));
}

static void
add_edits(struct gw_out *out, const struct gw_edits *e)
{
    for (unsigned i = 0; i < e->n_add; i++) {
        gw_out_header(out, e->add[i].name, e->add[i].value);
    }
}

static void
add_length(struct gw_out *out, uint64_t n)
{
    gw_out_str(out, GW_STR("Content-Length: "));
    gw_out_u64(out, n);
    gw_out_str(out, GW_STR("\r\n"));
}

/* What the proxies before us said, in all lines of that header, for our own word to follow. */
static void
add_chain(struct gw_out *out, const struct gw_req *req, enum gw_header_id id)
{
    const struct gw_headers *h = &req->head->headers;

    if (!req->peer_trusted || !gw_headers_has(h, id)) {
        return;
    }
    for (unsigned i = 0; i < h->n; i++) {
        if (h->list[i].id == id && h->list[i].value.n > 0) {
            gw_out_str(out, h->list[i].value);
            gw_out_str(out, GW_STR(", "));
        }
    }
}

static struct gw_str
believed(const struct gw_req *req, enum gw_header_id id, struct gw_str own)
{
    struct gw_str said =
        req->peer_trusted ? gw_headers_value(&req->head->headers, id) : GW_STR_NONE;

    return said.n > 0 ? said : own;
}

/* One word, since it stands in Forwarded, too, where more could say anything. */
static struct gw_str
protocol_of(const struct gw_req *req)
{
    struct gw_str own = req->client_tls ? GW_STR("https") : GW_STR("http");
    struct gw_str all = believed(req, GW_H_X_FORWARDED_PROTO, own);
    struct gw_str first = gw_str_trim(gw_str_cut(&all, ','));

    return gw_header_name_ok(first) ? first : own;
}

/* "for=" of RFC 7239: an IPv6 address goes in brackets and quotes. */
static char *
put_forwarded(char *at, const struct gw_req *req, struct gw_str proto)
{
    if (gw_str_find(req->peer_ip, ':') < req->peer_ip.n) {
        at = GW_PUT(gw_put(GW_PUT(at, "for=\"["), req->peer_ip), "]\"");
    } else {
        at = gw_put(GW_PUT(at, "for="), req->peer_ip);
    }
    if (req->host.n > 0) {
        at = GW_PUT(gw_put(GW_PUT(at, ";host=\""), req->host), "\"");
    }
    return GW_PUT(gw_put(GW_PUT(at, ";proto="), proto), "\r\n");
}

/* One line after the other, and all that is not the chains' into room that is looked for once. */
static void
add_client(struct gw_out *out, const struct gw_req *req)
{
    struct gw_str proto = protocol_of(req);
    struct gw_str host = believed(req, GW_H_X_FORWARDED_HOST, req->host);
    size_t room = 2 * req->peer_ip.n + req->client_ip.n + 2 * proto.n + host.n + req->host.n +
                  req->to.forwarded_prefix.n + req->request_id.n + 256;

    gw_out_str(out, GW_STR("X-Forwarded-For: "));
    add_chain(out, req, GW_H_X_FORWARDED_FOR);
    char *at = gw_put(gw_out_room(out, room), req->peer_ip);
    at = gw_put(GW_PUT(at, "\r\nX-Real-IP: "), req->client_ip);
    at = gw_put(GW_PUT(at, "\r\nX-Forwarded-Proto: "), proto);
    if (host.n > 0) {
        at = gw_put(GW_PUT(at, "\r\nX-Forwarded-Host: "), host);
    }
    if (req->to.forwarded_prefix.n > 0) {
        at = gw_put(GW_PUT(at, "\r\nX-Forwarded-Prefix: "), req->to.forwarded_prefix);
    }
    at = gw_put(GW_PUT(at, "\r\nX-Request-Id: "), req->request_id);
    at = GW_PUT(at, "\r\nForwarded: ");
    if (req->peer_trusted && gw_headers_has(&req->head->headers, GW_H_FORWARDED)) {
        gw_out_took(out, at);
        add_chain(out, req, GW_H_FORWARDED);
        at = gw_out_room(out, room);
    }
    gw_out_took(out, put_forwarded(at, req, proto));
}

static void
add_request_framing(struct gw_exchange *x, struct gw_out *out)
{
    const struct gw_head *head = x->req->head;

    x->chunk_up = head->body == GW_BODY_CHUNKED;
    if (x->chunk_up) {
        gw_out_str(out, GW_STR("Transfer-Encoding: chunked\r\n"));
    } else if (head->body == GW_BODY_LENGTH ||
               gw_headers_has(&head->headers, GW_H_CONTENT_LENGTH)) {
        add_length(out, head->length);
    }
    if (head->upgrade) {
        gw_out_str(out, GW_STR("Connection: Upgrade\r\n"));
        gw_out_header(out, GW_STR("Upgrade"), gw_headers_value(&head->headers, GW_H_UPGRADE));
    } else if (gw_headers_list_has(&head->headers, GW_H_TE, GW_STR("trailers"))) {
        gw_out_str(out, GW_STR("Connection: TE\r\nTE: trailers\r\n"));
    }
}

/* The target in origin form, byte for byte as received unless a step has rewritten it. */
static struct gw_str
target_of(const struct gw_req *req)
{
    if (req->to.target.n > 0) {
        return req->to.target;
    }
    if (!req->target.absolute) {
        return req->head->target;
    }
    /* What follows the authority: "/path?query", "?query" or nothing. */
    struct gw_str authority = req->target.authority;
    const char *end = req->head->target.p + req->head->target.n;
    struct gw_str rest = {authority.p + authority.n, (size_t)(end - authority.p) - authority.n};

    if (rest.n > 0 && rest.p[0] == '/') {
        return rest;
    }
    return gw_str_of(gw_arena_printf(req->arena, "/%.*s", GW_STR_ARG(rest)));
}

void
gw_heads_request(struct gw_exchange *x, struct gw_out *out)
{
    struct gw_req *req = x->req;
    struct filter f = filter_of(req, &req->head->headers, &req->up);
    bool own_host = !req->to.preserve_host || req->host.n == 0;

    gw_out_request_line(out, req->head->method, target_of(req));
    gw_out_header(out, GW_STR("Host"), own_host ? x->backend->endpoint->url.authority : req->host);
    gw_out_headers(out, &req->head->headers, keep_request, &f);
    add_client(out, req);
    add_edits(out, &req->up);
    add_request_framing(x, out);
    gw_out_str(out, GW_STR("\r\n"));
}

/* How the client learns where the answer ends (RFC 9112, 6.3). */
static void
add_response_framing(struct gw_exchange *x, struct gw_out *out)
{
    const struct gw_head *head = &x->parser.head;
    bool head_or_304 = x->req->head->head_request || head->status == 304;

    x->no_body = head_or_304 || head->status == 204 || head->status < 200;
    x->chunk_down = false;
    if (head_or_304) {
        struct gw_str n = gw_headers_value(&head->headers, GW_H_CONTENT_LENGTH);

        if (n.n > 0) {
            gw_out_header(out, GW_STR("Content-Length"), n);
        }
    } else if (x->no_body) {
        return;
    } else if (head->body == GW_BODY_LENGTH || head->body == GW_BODY_NONE) {
        add_length(out, head->body == GW_BODY_LENGTH ? head->length : 0);
    } else if (x->req->head->minor == 0) {
        gw_session_no_keep_alive(x->req->session); /* 1.0 knows no chunks: the close ends it */
    } else {
        x->chunk_down = true;
        gw_out_str(out, GW_STR("Transfer-Encoding: chunked\r\n"));
    }
}

static void
add_connection(struct gw_out *out, const struct gw_req *req)
{
    if (!gw_session_keep_alive(req->session)) {
        gw_out_str(out, GW_STR("Connection: close\r\n"));
    } else if (req->head->minor == 0) {
        gw_out_str(out, GW_STR("Connection: keep-alive\r\n"));
    }
}

void
gw_heads_response(struct gw_exchange *x, struct gw_out *out)
{
    struct gw_req *req = x->req;
    const struct gw_head *head = &x->parser.head;
    struct filter f = filter_of(req, &head->headers, &req->down);

    gw_out_status_line(out, head->status, head->reason);
    gw_out_headers(out, &head->headers, keep_response, &f);
    if (req->to.map_back) {
        gw_map_back(req, &head->headers, x->backend, out);
    }
    char *at = gw_out_room(out, req->request_id.n + sizeof("X-Request-Id: \r\n"));
    gw_out_took(out, GW_PUT(gw_put(GW_PUT(at, "X-Request-Id: "), req->request_id), "\r\n"));
    add_edits(out, &req->down);
    if (head->upgrade) {
        gw_out_str(out, GW_STR("Connection: Upgrade\r\n"));
        gw_out_header(out, GW_STR("Upgrade"), gw_headers_value(&head->headers, GW_H_UPGRADE));
    } else {
        add_response_framing(x, out);
        add_connection(out, req);
    }
    gw_out_str(out, GW_STR("\r\n"));
}

void
gw_heads_interim(const struct gw_req *req, const struct gw_head *head, struct gw_out *out)
{
    struct filter f = filter_of(req, &head->headers, &req->down);

    gw_out_status_line(out, head->status, head->reason);
    gw_out_headers(out, &head->headers, keep_response, &f);
    gw_out_str(out, GW_STR("\r\n"));
}
