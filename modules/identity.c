/*
 * identity.c - the backend is told who asks, by nobody but us.
 *
 * Identity headers of the client never get here: forward leaves out every name that
 * gw_header_is_identity() knows, on all routes and on upgrades.  This step adds ours, and takes
 * the credential out where the backend has no use for it.
 */
#include "gateway/module.h"
#include "http/chars.h"

static const char hex[] = "0123456789ABCDEF";

/* Of a header value, as it is: printable ASCII.  '%' is not, so that an escaped value is never
 * the same as a plain one. */
static bool
is_plain(char c)
{
    return c >= 0x20 && c < 0x7f && c != '%';
}

/* ASCII only, as everywhere in HTTP. */
static char
lower(char c)
{
    unsigned char u = (unsigned char)c;

    return (char)(u >= 'A' && u <= 'Z' ? u | 0x20U : u);
}

static char *
put_escaped(char *out, char c)
{
    *out++ = '%';
    *out++ = hex[(unsigned char)c >> 4];
    *out++ = hex[(unsigned char)c & 15];
    return out;
}

/* The value itself when it can be sent so; else percent-escaped, spaces too. */
static struct gw_str
value_of(struct gw_arena *a, struct gw_str s)
{
    if (s.n == 0 || (s.p[0] != ' ' && s.p[s.n - 1] != ' ' && gw_chars_need_no_escape(s))) {
        return s;
    }
    char *text = gw_arena_raw(a, s.n * 3);
    char *out = text;
    for (size_t i = 0; i < s.n; i++) {
        if (is_plain(s.p[i]) && s.p[i] != ' ') {
            *out++ = s.p[i];
        } else {
            out = put_escaped(out, s.p[i]);
        }
    }
    return (struct gw_str){text, (size_t)(out - text)};
}

/* "X-Remote-Extra-" and the key, lower-cased and escaped, as Kubernetes does. */
static struct gw_str
extra_name(struct gw_arena *a, struct gw_str key)
{
    const struct gw_str prefix = GW_STR("X-Remote-Extra-");
    char *text = gw_arena_raw(a, prefix.n + key.n * 3);
    char *out = text + prefix.n;

    memcpy(text, prefix.p, prefix.n);
    for (size_t i = 0; i < key.n; i++) {
        char c = lower(key.p[i]);

        if (gw_char_is(c, GW_CHAR_TOKEN) && c != '%') {
            *out++ = c;
        } else {
            out = put_escaped(out, c);
        }
    }
    return (struct gw_str){text, (size_t)(out - text)};
}

static void
add_identity(struct gw_req *req)
{
    const struct gw_subject *s = &req->subject;

    gw_edits_add(req, &req->up, GW_STR("X-Remote-User"), value_of(req->arena, s->name));
    if (s->uid.n > 0) {
        gw_edits_add(req, &req->up, GW_STR("X-Remote-Uid"), value_of(req->arena, s->uid));
    }
    for (unsigned i = 0; i < s->n_groups; i++) {
        gw_edits_add(req, &req->up, GW_STR("X-Remote-Group"), value_of(req->arena, s->groups[i]));
    }
    for (unsigned i = 0; i < s->n_extra; i++) {
        gw_edits_add(req, &req->up, extra_name(req->arena, s->extra[i].key),
                     value_of(req->arena, s->extra[i].value));
    }
}

/* The core and the console judge the credential themselves. */
static bool
keeps_credential(const struct gw_req *req)
{
    unsigned kind = req->decision.route;

    return req->keep_authorization || kind == GW_ROUTE_CORE || kind == GW_ROUTE_CONSOLE;
}

static enum gw_verdict
tell(struct gw_req *req, const void *conf)
{
    const struct gw_headers *h = &req->head->headers;

    (void)conf;
    if (!keeps_credential(req)) {
        if (gw_headers_has(h, GW_H_AUTHORIZATION)) {
            gw_edits_remove(req, &req->up, GW_STR("authorization"));
        }
        if (gw_headers_has(h, GW_H_X_KUBESPHERE_AUTHORIZATION)) {
            gw_edits_remove(req, &req->up, GW_STR("x-kubesphere-authorization"));
        }
    }
    if (req->identity_headers && req->subject.name.n > 0) {
        add_identity(req);
    }
    return GW_NEXT;
}

const struct gw_module gw_mod_identity = {
    .name = "identity",
    .about = "Tells the backend who asks, in headers that only the gateway can set.",
    .routes = GW_ON_ALL,
    .on = {[GW_REWRITE] = tell},
};
