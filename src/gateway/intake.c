#include "gateway/intake.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/map.h"
#include "gateway/conf.h"
#include "gateway/relax.h"
#include "gateway/session_private.h"
#include "gateway/worlds.h"

#define ID_MAX 128

static bool
is_mapped(const unsigned char address[16])
{
    static const unsigned char v4_mapped[12] = {[10] = 0xff, [11] = 0xff};

    return memcmp(address, v4_mapped, sizeof(v4_mapped)) == 0;
}

static struct gw_str
peer_text(struct gw_req *req, const unsigned char address[16])
{
    char *text = gw_arena_raw(req->arena, INET6_ADDRSTRLEN);

    if (!is_mapped(address)) {
        inet_ntop(AF_INET6, address, text, INET6_ADDRSTRLEN);
        return gw_str_of(text);
    }
    char *p = text;
    for (int i = 12; i < 16; i++) { /* as inet_ntop() does, without its snprintf() */
        unsigned v = address[i];

        if (v >= 100) {
            *p++ = (char)('0' + v / 100);
        }
        if (v >= 10) {
            *p++ = (char)('0' + v / 10 % 10);
        }
        *p++ = (char)('0' + v % 10);
        *p++ = '.';
    }
    p[-1] = '\0';
    return (struct gw_str){text, (size_t)(p - text) - 1};
}

static struct gw_str
without_port(struct gw_str peer)
{
    size_t first = gw_str_find(peer, ':');
    size_t last = peer.n;

    while (last > 0 && peer.p[last - 1] != ':') {
        last--;
    }
    if (peer.n > 0 && peer.p[0] == '[') {
        return (struct gw_str){peer.p + 1, gw_str_find(peer, ']') - 1};
    }
    return last > 0 && first == last - 1 ? (struct gw_str){peer.p, first} : peer;
}

struct gw_str
gw_intake_address(struct gw_req *req, struct gw_str text)
{
    struct gw_str alone = without_port(text);
    unsigned char address[16] = {[10] = 0xff, [11] = 0xff};
    char copy[INET6_ADDRSTRLEN];

    if (alone.n == 0 || alone.n >= sizeof(copy)) {
        return alone;
    }
    memcpy(copy, alone.p, alone.n);
    copy[alone.n] = '\0';
    return inet_pton(AF_INET, copy, address + 12) == 1 || inet_pton(AF_INET6, copy, address) == 1
               ? peer_text(req, address)
               : alone;
}

/* One line of the chain, from its right end.  False when its end was found: *found is it. */
static bool
walk_chain(struct gw_req *req, struct gw_str list, const struct gw_settings *set,
           struct gw_str *found)
{
    while (list.n > 0) {
        size_t at = list.n;
        char text[INET6_ADDRSTRLEN];
        unsigned char address[16] = {[10] = 0xff, [11] = 0xff};

        while (at > 0 && list.p[at - 1] != ',') {
            at--;
        }
        struct gw_str last = gw_str_trim(gw_str_skip(list, at));
        list.n = at > 0 ? at - 1 : 0;
        if (last.n == 0 || last.n >= sizeof(text)) {
            return false;
        }
        memcpy(text, last.p, last.n);
        text[last.n] = '\0';
        if (inet_pton(AF_INET, text, address + 12) != 1 &&
            inet_pton(AF_INET6, text, address) != 1) {
            return false;
        }
        /* IPv4 written as IPv6 ("::ffff:1.2.3.4") is the same client as without */
        *found = is_mapped(address) && memchr(last.p, ':', last.n) != NULL ? peer_text(req, address)
                                                                           : last;
        if (!gw_settings_trusts(set, address)) {
            return false;
        }
    }
    return true;
}

/* The nearest address that is not one of our own proxies', from the right (RFC 7239, 7.4; the
 * left end of the list is whatever the client wrote).  Some proxies add a line of their own
 * instead of a word to the last one: all lines are one list. */
struct gw_str
gw_intake_forwarded(struct gw_req *req, const struct gw_settings *set)
{
    const struct gw_headers *h = &req->head->headers;
    struct gw_str found = req->peer_ip;

    for (unsigned i = h->n; i > 0; i--) {
        const struct gw_header *line = &h->list[i - 1];

        if (line->id == GW_H_X_FORWARDED_FOR && !walk_chain(req, line->value, set, &found)) {
            break;
        }
    }
    return found;
}

static bool
id_ok(struct gw_str id)
{
    if (id.n == 0 || id.n > ID_MAX) {
        return false;
    }
    for (size_t i = 0; i < id.n; i++) {
        char c = id.p[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              c == '-' || c == '_' || c == '.' || c == ':')) {
            return false;
        }
    }
    return true;
}

static char *
put_hex(char *at, uint64_t v, unsigned digits)
{
    while (digits > 0) {
        *at++ = "0123456789abcdef"[v >> (4 * --digits) & 15];
    }
    return at;
}

/* Unique among workers, restarts and machines as far as 64 random bits go; not secret.  The
 * random part and the upper half of the count seldom change. */
static struct gw_str
new_id(struct gw_req *req)
{
    static _Thread_local char front[20];
    static _Thread_local uint32_t count;
    char *text = gw_arena_raw(req->arena, 25);

    if ((count & 0xffff) == 0) {
        static _Thread_local uint64_t base;

        if (base == 0) {
            struct {
                uint64_t us, ms;
                void *where;
            } seed = {gw_clock_mono_us(), gw_clock_wall_ms(), &base};

            base = gw_hash((struct gw_str){(const char *)&seed, sizeof(seed)}) | 1;
        }
        put_hex(put_hex(front, base, 16), count >> 16, 4);
    }
    memcpy(text, front, sizeof(front));
    *put_hex(text + sizeof(front), count++, 4) = '\0';
    return (struct gw_str){text, 24};
}

/* The admin socket's file mode has decided about whoever opened it.  What a proxy passes on was
 * asked by somebody else: a gateway, this one or another, whose extension has that socket for a
 * backend would let everybody be the administrator. */
static bool
is_admin(const struct gw_req *req, const struct gw_session *s)
{
    const struct gw_headers *h = &req->head->headers;

    return s->trusted && !gw_headers_has(h, GW_H_FORWARDED) &&
           !gw_headers_has(h, GW_H_X_FORWARDED_FOR);
}

static void
note_client(struct gw_req *req, const struct gw_session *s)
{
    const struct gw_settings *set = &s->message->conf->settings;
    struct gw_str id = gw_headers_value(&req->head->headers, GW_H_X_REQUEST_ID);
    bool admin = is_admin(req, s);

    req->peer_trusted = admin || (set->n_trusted > 0 && gw_settings_trusts(set, s->address));
    req->peer_ip = s->trusted ? GW_STR("unix") : peer_text(req, s->address);
    req->client_ip =
        req->peer_trusted && !s->trusted ? gw_intake_forwarded(req, set) : req->peer_ip;
    req->request_id = id_ok(id) ? id : new_id(req);
    if (admin) {
        req->subject = (struct gw_subject){.name = GW_STR("admin-socket"), .trusted = true};
        req->decision.authentication = "admin-socket";
    }
}

/* What is decided about is what the backend gets: one text, in one place. */
static enum gw_err
add_query(struct gw_req *req, struct gw_str method, struct gw_str query)
{
    const struct gw_conf *c = req->snapshot;
    struct gw_head *head = gw_arena_alloc(req->arena, sizeof(*head));
    const char *mark = req->target.has_query ? "" : "?";

    *head = *req->head;
    head->target = gw_str_of(gw_arena_printf(req->arena, "%.*s%s%.*s", GW_STR_ARG(head->target),
                                             mark, GW_STR_ARG(query)));
    if ((long long)head->target.n > c->settings.limits.target) {
        return GW_ERR_TARGET_TOO_LONG;
    }
    req->head = head;
    /* or a cache in front would give the answer to those who have sent no such header */
    gw_edits_add(req, &req->down, GW_STR("Vary"),
                 gw_str_of(gw_header_name(GW_H_X_KUBESPHERE_RAWQUERY)));
    return gw_target_split(method, head->target, &req->target);
}

enum gw_err
gw_intake_target(struct gw_req *req, struct gw_str method)
{
    const struct gw_headers *h = &req->head->headers;
    enum gw_err err = gw_target_split(method, req->head->target, &req->target);
    struct gw_str query = GW_STR_NONE;

    if (err != GW_ERR_OK || req->target.query.n > 0 ||
        !gw_headers_has(h, GW_H_X_KUBESPHERE_RAWQUERY)) {
        return err;
    }
    if (!gw_headers_only(h, GW_H_X_KUBESPHERE_RAWQUERY, &query)) {
        req->detail = "X-KubeSphere-Rawquery is there twice";
        return GW_ERR_BAD_TARGET;
    }
    return query.n == 0 ? GW_ERR_OK : add_query(req, method, query);
}

/* What the parser can't see as wrong, since it knows no paths. */
static enum gw_err
check_target(struct gw_req *req)
{
    const char *why = NULL;
    enum gw_err err = gw_intake_target(req, req->head->method);

    if (err == GW_ERR_OK && gw_str_eq(req->target.path, GW_STR("*"))) {
        return GW_ERR_OK; /* OPTIONS *: about the server as a whole */
    }
    if (err == GW_ERR_OK) {
        err = gw_path_check(req->target.path, &why);
        if (err != GW_ERR_OK) {
            err = gw_relax_path(req, req->snapshot, &why);
        }
        req->detail = why;
    }
    if (err == GW_ERR_OK && gw_str_eq(req->head->method, GW_STR("TRACE"))) {
        /* It would send the caller's credentials back into a page's hands (RFC 9110, 9.3.8). */
        err = GW_ERR_BAD_METHOD;
        req->detail = "TRACE is not served";
        gw_edits_add(req, &req->down, GW_STR("Allow"), GW_METHODS);
    }
    return err;
}

/* Inside a tunnel of HTTP/2 or TLS there would be requests that nobody has been asked about. */
static bool
hides_requests(const struct gw_headers *h)
{
    static const struct gw_str names[] = {{"h2c", 3}, {"h2", 2}, {"http", 4}, {"tls", 3}};

    for (unsigned i = 0; i < h->n; i++) {
        struct gw_str rest = h->list[i].value;

        while (h->list[i].id == GW_H_UPGRADE && rest.n > 0) {
            struct gw_str protocol = gw_str_cut(&rest, ',');
            struct gw_str name = gw_str_trim(gw_str_cut(&protocol, '/'));

            for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
                if (gw_str_eq_nocase(name, names[k])) {
                    return true;
                }
            }
        }
    }
    return false;
}

static enum gw_err
check_body(struct gw_req *req, const struct gw_settings *set)
{
    if (set->limits.body >= 0 && req->head->body == GW_BODY_LENGTH &&
        req->head->length > (uint64_t)set->limits.body) {
        req->detail =
            gw_arena_printf(req->arena, "limits.body is %lld bytes, and Content-Length %llu",
                            set->limits.body, (unsigned long long)req->head->length);
        return GW_ERR_BODY_TOO_LARGE;
    }
    return GW_ERR_OK;
}

static void
route(struct gw_req *req, const struct gw_session *s)
{
    struct gw_str authority = req->target.authority;

    req->host = authority.n > 0 ? authority : gw_headers_value(&req->head->headers, GW_H_HOST);
    req->plan = gw_conf_route(s->message->conf, req->host, req->target.path);
    req->decision.route = req->plan->route;
}

struct gw_req *
gw_intake(struct gw_session *s, bool parsed)
{
    struct gw_message *m = s->message;
    struct gw_parser *p = &m->parser;
    struct gw_req *req = gw_arena_alloc(m->arena, sizeof(*req));

    req->arena = m->arena;
    req->session = s;
    req->world = s->all->world;
    req->snapshot = m->conf;
    req->head = &p->head;
    /* An upgrade may be ignored (RFC 9110, 7.8): then it is an ordinary request. */
    p->head.upgrade = p->head.upgrade && !hides_requests(&p->head.headers);
    req->decision.start_us = m->start_us;
    req->decision.wall_ms = gw_loop_wall_ms(s->conn.loop);
    req->decision.head_us = s->conn.loop->now_us - m->start_us;
    req->decision.rule = -2;
    note_client(req, s);
    req->err = parsed ? check_target(req) : p->err;
    if (!parsed && p->detail[0] != '\0') {
        req->detail = p->detail;
    }
    if (req->err == GW_ERR_OK) {
        req->err = check_body(req, &m->conf->settings);
    }
    if (req->err == GW_ERR_OK) {
        route(req, s);
    } else {
        req->plan = &m->conf->plans[GW_ROUTE_CONSOLE];
        req->decision.route = GW_N_ROUTES;
        req->decision.end = "refused";
    }
    return req;
}
