#include "http/parse_private.h"

#include "http/url.h"

/* Each header of a message is looked up among what Connection names: both at their most would be
 * work without end. */
#define OPTIONS_MAX 32

/* The fields that decide how a message is read, found in one walk over all. */
struct found {
    const struct gw_header *host, *length, *coding, *expect;
    unsigned n_host, n_length, n_coding;
    unsigned n_options; /* that Connection names */
};

static unsigned
count_elements(struct gw_str list)
{
    unsigned n = 0;

    for (; list.n > 0; n++) {
        (void)gw_str_cut(&list, ',');
    }
    return n;
}

static void
find(const struct gw_headers *h, struct found *f)
{
    for (unsigned i = 0; i < h->n; i++) {
        const struct gw_header *field = &h->list[i];

        switch (field->id) {
        case GW_H_HOST:
            f->host = field;
            f->n_host++;
            break;
        case GW_H_CONTENT_LENGTH:
            f->length = field;
            f->n_length++;
            break;
        case GW_H_TRANSFER_ENCODING:
            f->coding = field;
            f->n_coding++;
            break;
        case GW_H_EXPECT:
            if (f->expect == NULL || gw_str_eq_nocase(f->expect->value, GW_STR("100-continue"))) {
                f->expect = field; /* the first that can't be met stays */
            }
            break;
        case GW_H_CONNECTION:
            f->n_options += count_elements(field->value);
            break;
        default:
            break;
        }
    }
}

static bool
fail(struct gw_parser *p, enum gw_err err, const char *why)
{
    (void)gw_parse_fail(p, err, "%s", why);
    return false;
}

/* Some coding of the list is neither chunked nor identity: one that we don't have (501). */
static bool
has_unknown_coding(struct gw_str list)
{
    while (list.n > 0) {
        struct gw_str one = gw_str_trim(gw_str_cut(&list, ','));
        if (gw_header_name_ok(one) && !gw_str_eq_nocase(one, GW_STR("chunked")) &&
            !gw_str_eq_nocase(one, GW_STR("identity"))) {
            return true;
        }
    }
    return false;
}

static bool
coding_rules(struct gw_parser *p, const struct found *f)
{
    if (p->head.minor == 0) {
        return fail(p, GW_ERR_BAD_FRAMING, "Transfer-Encoding with HTTP/1.0");
    }
    if (f->n_length > 0) {
        return fail(p, GW_ERR_BAD_FRAMING, "Content-Length beside Transfer-Encoding");
    }
    if (f->n_coding > 1) {
        return fail(p, GW_ERR_BAD_FRAMING, "two Transfer-Encoding headers");
    }
    if (gw_str_eq_nocase(f->coding->value, GW_STR("chunked"))) {
        return true;
    }
    if (has_unknown_coding(f->coding->value)) {
        return fail(p, GW_ERR_NOT_IMPLEMENTED,
                    "Transfer-Encoding names a coding other than chunked");
    }
    return fail(p, GW_ERR_BAD_FRAMING, "Transfer-Encoding is not exactly \"chunked\"");
}

/* llhttp takes a space behind the number, and no tab.  What it would not read, a head that comes in
 * one piece may not say either. */
static bool
tab_follows(struct gw_str value)
{
    const char *s = value.p + value.n;

    while (*s == ' ') {
        s++;
    }
    return *s == '\t';
}

/* Reads what the head says of the body's length into p->head; llhttp must have read the same. */
static bool
framing(struct gw_parser *p, const struct found *f)
{
    struct gw_head *h = &p->head;

    if (f->n_coding > 0) {
        h->body = GW_BODY_CHUNKED;
        return coding_rules(p, f) &&
               ((p->http.flags & F_CHUNKED) != 0 ||
                fail(p, GW_ERR_BAD_FRAMING, "Transfer-Encoding can be read in two ways"));
    }
    if (f->n_length > 1) {
        return fail(p, GW_ERR_BAD_FRAMING, "two Content-Length headers");
    }
    if (f->n_length == 1) {
        if (!gw_str_u64(f->length->value, &h->length) ||
            (p->plain ? tab_follows(f->length->value) : h->length != p->http.content_length)) {
            return fail(p, GW_ERR_BAD_FRAMING, "Content-Length is not one decimal number");
        }
        if (h->length > INT64_MAX) { /* to many a backend that is a negative number, or none */
            return fail(p, GW_ERR_BAD_FRAMING, "Content-Length is larger than 2^63 - 1");
        }
        /* Nothing is a body of no bytes too: one question less for all who ask. */
        h->body = h->length > 0 ? GW_BODY_LENGTH : GW_BODY_NONE;
    }
    return true;
}

static bool
persistence(struct gw_parser *p, const struct found *f)
{
    struct gw_head *h = &p->head;
    const struct gw_headers *list = &h->headers;

    h->keep_alive = h->minor == 1;
    if (f->n_options > OPTIONS_MAX) {
        (void)gw_parse_fail(p, GW_ERR_BAD_HEADER, "Connection names more than %d options",
                            OPTIONS_MAX);
        return false;
    }
    if (f->n_options == 0) {
        return true;
    }
    if (gw_headers_list_has(list, GW_H_CONNECTION, GW_STR("close"))) {
        h->keep_alive = false;
    } else if (h->minor == 0) {
        h->keep_alive = gw_headers_list_has(list, GW_H_CONNECTION, GW_STR("keep-alive"));
    }
    return true;
}

static bool
target_rules(struct gw_parser *p, const struct found *f)
{
    struct gw_target_parts parts;
    enum gw_err err = gw_target_split(p->head.method, p->head.target, &parts);

    if (err != GW_ERR_OK) {
        return fail(p, err,
                    "the request target is neither a path, nor an http URL, nor * of OPTIONS");
    }
    if (parts.absolute && f->n_host == 1 && !gw_str_eq_nocase(parts.authority, f->host->value)) {
        return fail(p, GW_ERR_BAD_HOST, "Host and the request target name different hosts");
    }
    return true;
}

static bool
host_rules(struct gw_parser *p, const struct found *f)
{
    if (f->n_host == 0 && p->head.minor == 1) {
        return fail(p, GW_ERR_BAD_HOST, "HTTP/1.1 without a Host header");
    }
    if (f->n_host > 1) {
        return fail(p, GW_ERR_BAD_HOST, "two Host headers");
    }
    if (f->n_host == 1 && !gw_host_ok(f->host->value)) {
        return fail(p, GW_ERR_BAD_HOST, "the Host header is not a host and port");
    }
    return p->head.target.p[0] == '/' || target_rules(p, f);
}

static bool
request_rules(struct gw_parser *p, const struct found *f)
{
    struct gw_head *h = &p->head;

    if (!framing(p, f) || !host_rules(p, f) || !persistence(p, f)) {
        return false;
    }
    if (f->expect != NULL) {
        if (!gw_str_eq_nocase(f->expect->value, GW_STR("100-continue"))) {
            return fail(p, GW_ERR_BAD_EXPECTATION, "Expect is not 100-continue");
        }
        h->expect_continue = h->minor == 1; /* RFC 9110, 10.1.1: ignored in HTTP/1.0 */
    }
    /* An upgrade after a body would start in its middle for whoever does not wait for it. */
    h->upgrade = gw_headers_has(&h->headers, GW_H_UPGRADE) && h->minor == 1 &&
                 h->body == GW_BODY_NONE &&
                 gw_headers_list_has(&h->headers, GW_H_CONNECTION, GW_STR("upgrade"));
    return true;
}

static bool
response_rules(struct gw_parser *p, const struct found *f)
{
    struct gw_head *h = &p->head;
    bool never_has_body = h->status < 200 || h->status == 204;

    if (!framing(p, f) || !persistence(p, f)) {
        return false;
    }
    h->upgrade = h->status == 101;
    if (p->request_head || h->status == 304) {
        h->body = GW_BODY_NONE; /* the length is that of another answer */
        h->length = 0;
    } else if (never_has_body) {
        /* It has none, but a backend that announces one may send it: don't trust it again. */
        h->keep_alive = h->keep_alive && h->body == GW_BODY_NONE;
        h->body = GW_BODY_NONE;
        h->length = 0;
    } else if (h->body == GW_BODY_NONE && f->n_length == 0) {
        h->body = GW_BODY_TO_CLOSE;
        h->keep_alive = false;
    }
    return true;
}

bool
gw_parse_rules(struct gw_parser *p)
{
    struct found f = {0};

    find(&p->head.headers, &f);
    return p->kind == GW_PARSE_REQUEST ? request_rules(p, &f) : response_rules(p, &f);
}
