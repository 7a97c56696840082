#include "modules/login_page.h"

#include "http/write.h"
#include "modules/login_settings.h"

/* ---- who asks ----------------------------------------------------------------------------- */

static struct gw_str
header(const struct gw_req *req, struct gw_str name)
{
    const struct gw_header *h = gw_headers_find(&req->head->headers, name);

    return h == NULL ? GW_STR_NONE : h->value;
}

static bool
accepts_html(const struct gw_req *req)
{
    struct gw_str list = gw_headers_value(&req->head->headers, GW_H_ACCEPT);

    while (list.n > 0) {
        struct gw_str one = gw_str_cut(&list, ',');

        if (gw_str_eq_nocase(gw_str_trim(gw_str_cut(&one, ';')), GW_STR("text/html"))) {
            return true;
        }
    }
    return false;
}

/* Sec-Fetch-Mode is the browser's own word (all of today send it over TLS, and to localhost).  What
 * is only fetched in advance must not make a user log in, and within a frame of a page the provider
 * would not show itself. */
bool
gw_login_is_navigation(const struct gw_req *req)
{
    struct gw_str method = req->head->method;
    struct gw_str mode = header(req, GW_STR("sec-fetch-mode"));
    struct gw_str dest = header(req, GW_STR("sec-fetch-dest"));

    if ((!gw_str_eq(method, GW_STR("GET")) && !gw_str_eq(method, GW_STR("HEAD"))) ||
        req->head->upgrade || header(req, GW_STR("sec-purpose")).n > 0) {
        return false;
    }
    if (mode.n > 0) {
        return gw_str_eq_nocase(mode, GW_STR("navigate")) &&
               (dest.n == 0 || gw_str_eq_nocase(dest, GW_STR("document")));
    }
    return accepts_html(req) && header(req, GW_STR("x-requested-with")).n == 0;
}

/* ---- redirects ---------------------------------------------------------------------------- */

/* Where the browser has been is nobody's business: there may be a code in it.  On a page, whose
 * form has to show that it is ours, no-referrer would make that "Origin: null" (Fetch, 3.1). */
static void
add_discretion(struct gw_req *req, const char *policy)
{
    gw_edits_set(req, &req->down, GW_STR("Referrer-Policy"), gw_str_of(policy));
}

enum gw_verdict
gw_login_go(struct gw_req *req, struct gw_str location)
{
    gw_edits_set(req, &req->down, GW_STR("Location"), location);
    gw_edits_set(req, &req->down, GW_STR("Cache-Control"), GW_STR("no-store"));
    add_discretion(req, "no-referrer");
    return gw_req_reply(req, 302, GW_STR_NONE, GW_STR(""));
}

/* ---- pages -------------------------------------------------------------------------------- */

static void
add_escaped(struct gw_out *out, struct gw_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        gw_out_str(out, c == '<'   ? GW_STR("&lt;")
                        : c == '>' ? GW_STR("&gt;")
                        : c == '&' ? GW_STR("&amp;")
                        : c == '"' ? GW_STR("&quot;")
                                   : (struct gw_str){&s.p[i], 1});
    }
}

static void
begin_page(struct gw_req *req, struct gw_out *out, struct gw_str title)
{
    gw_out_init(out, req->arena, 1024);
    gw_out_str(out, GW_STR("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                           "<meta name=\"viewport\" content=\"width=device-width\"><title>"));
    add_escaped(out, title);
    gw_out_str(out, GW_STR("</title></head>\n<body><h1>"));
    add_escaped(out, title);
    gw_out_str(out, GW_STR("</h1>\n"));
}

static void
add_paragraph(struct gw_out *out, struct gw_str text)
{
    if (text.n > 0) {
        gw_out_str(out, GW_STR("<p>"));
        add_escaped(out, text);
        gw_out_str(out, GW_STR("</p>\n"));
    }
}

/* gw_login_return_ok() has no '"' or '<' in it, and '&' is escaped in the query. */
static void
add_login(struct gw_req *req, struct gw_out *out, struct gw_str back)
{
    struct gw_buf href = {0};

    gw_buf_puts(&href, GW_LOGIN_PATH "?");
    if (back.n > 0) {
        gw_login_form_add(&href, "return", back);
    }
    gw_out_str(out, GW_STR("<p><a href=\""));
    add_escaped(out, gw_arena_str(req->arena, gw_buf_text(&href)));
    gw_out_str(out, GW_STR("\">Log in</a></p>\n"));
    gw_buf_fini(&href);
}

static void
add_logout(struct gw_out *out)
{
    gw_out_str(out, GW_STR("<form method=\"post\" action=\"" GW_LOGIN_LEAVE "\">"
                           "<button>Log out</button></form>\n"));
}

static struct gw_str
end_page(struct gw_req *req, struct gw_out *out)
{
    gw_out_str(out, GW_STR("</body></html>\n"));
    gw_edits_set(req, &req->down, GW_STR("Content-Security-Policy"),
                 GW_STR("default-src 'none'; base-uri 'none'; frame-ancestors 'none'"));
    add_discretion(req, "same-origin");
    return (struct gw_str){out->p, out->n};
}

void
gw_login_refusal_page(struct gw_req *req, const char *more, struct gw_str back)
{
    struct gw_out out;

    begin_page(req, &out, GW_STR("You are not logged in"));
    add_paragraph(&out, gw_str_of(gw_err_text(req->err)));
    add_paragraph(&out, gw_str_of(more));
    add_paragraph(&out,
                  gw_str_of(gw_arena_printf(req->arena, "Request %.*s, error %s",
                                            GW_STR_ARG(req->request_id), gw_err_name(req->err))));
    add_login(req, &out, back);
    add_logout(&out);
    req->reply.content_type = GW_STR("text/html; charset=utf-8");
    req->reply.body = end_page(req, &out);
}

enum gw_verdict
gw_login_refuse(struct gw_req *req, enum gw_err err, const char *more, struct gw_str back)
{
    if (!gw_login_is_navigation(req)) {
        return gw_req_fail(req, err, "%s", more);
    }
    req->err = err;
    req->detail = more;
    req->reply.status = (unsigned)gw_err_status(err);
    gw_login_refusal_page(req, more, back);
    if (req->reply.status == 503) {
        gw_edits_set(req, &req->down, GW_STR("Retry-After"), GW_STR("1"));
    }
    return GW_REPLY;
}

enum gw_verdict
gw_login_leave_page(struct gw_req *req, bool logged_in)
{
    struct gw_out out;

    begin_page(req, &out, logged_in ? GW_STR("You are logged in") : GW_STR("You are logged out"));
    if (logged_in) {
        add_logout(&out);
    } else {
        add_login(req, &out, GW_STR_NONE);
    }
    return gw_req_reply(req, 200, GW_STR("text/html; charset=utf-8"), end_page(req, &out));
}
