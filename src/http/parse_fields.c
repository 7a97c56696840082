#include "http/parse_private.h"

#include <assert.h>

#include "http/chars.h"

#define FIELDS_AT_FIRST 24 /* more than most requests have */

struct gw_header *
gw_parse_add_field(struct gw_parser *p, struct gw_headers *h)
{
    if (h->n == h->size) {
        h->size = h->size == 0 ? FIELDS_AT_FIRST : h->size * 2;
        h->list =
            gw_arena_more(p->arena, h->list, h->n * sizeof(*h->list), h->size * sizeof(*h->list));
    }
    return &h->list[h->n++];
}

static bool
is_space(char c)
{
    return c == ' ' || c == '\t';
}

static bool
fail(struct gw_parser *p, enum gw_err err, const char *what, struct gw_str name)
{
    (void)gw_parse_fail(p, err, "header \"%s\" %s", gw_parse_name(name).text, what);
    return false;
}

/* The field whose line begins at s; returns where the next line begins, or NULL. */
static const char *
cut_line(const char *s, const char *end, struct gw_header *out)
{
    const char *colon = s;

    while (gw_char_is(*colon, GW_CHAR_TOKEN)) { /* the LF before end is none */
        colon++;
    }
    if (colon == s || *colon != ':') {
        return NULL;
    }
    const char *cr = memchr(colon, '\r', (size_t)(end - colon));
    if (cr == NULL || end - cr < 2 || cr[1] != '\n') {
        return NULL;
    }
    const char *from = colon + 1;
    const char *to = cr;
    while (from < to && is_space(*from)) {
        from++;
    }
    while (to > from && is_space(to[-1])) {
        to--;
    }
    out->name = (struct gw_str){s, (size_t)(colon - s)};
    out->value = (struct gw_str){from, (size_t)(to - from)};
    out->id = (unsigned short)gw_header_id(out->name);
    out->clean = from == colon + 2 && colon[1] == ' ' && to == cr;
    return cr + 2;
}

bool
gw_parse_fields(struct gw_parser *p, struct gw_str lines, struct gw_headers *out)
{
    const char *s = lines.p;
    const char *end = lines.p + lines.n;
    struct gw_header *h = NULL;

    assert(lines.n > 0 && end[-1] == '\n'); /* it is where llhttp stopped */
    while (end - s > 2) {
        if (is_space(*s)) {
            return fail(p, GW_ERR_BAD_HEADER, "is folded over two lines (obs-fold)",
                        h == NULL ? GW_STR_NONE : h->name);
        }
        if (out->n == p->limits->headers) {
            gw_parse_fail_too_many(p, lines);
            return false;
        }
        h = gw_parse_add_field(p, out);
        s = cut_line(s, end, h);
        if (s == NULL) { /* a line of ": value" passes llhttp */
            (void)gw_parse_fail(p, GW_ERR_BAD_HEADER, "a header line has no name");
            return false;
        }
        out->present |= UINT64_C(1) << h->id;
    }
    if (end - s != 2 || s[0] != '\r' || s[1] != '\n') { /* LF alone passes llhttp here */
        (void)gw_parse_fail(p, GW_ERR_BAD_HEADER, "the headers do not end with CR LF");
        return false;
    }
    return true;
}
