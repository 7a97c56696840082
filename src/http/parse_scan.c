#include "http/parse_private.h"

#include "http/chars.h"

static bool
is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* The line at s, which ends before end: where the next begins, or NULL when it is not a plain
 * one that is complete. */
static const char *
scan_line(const char *s, const char *end, struct gw_header *out)
{
    const char *colon = s;

    while (colon < end && gw_char_is(*colon, GW_CHAR_TOKEN)) {
        colon++;
    }
    if (colon == s || end - colon < 3 || *colon != ':') {
        return NULL;
    }
    const char *from = colon + 1;
    bool clean = *from == ' ' && !is_space(from[1]);
    while (from < end && is_space(*from)) {
        from++;
    }
    const char *cr = gw_chars_value_end(from, end);
    if (end - cr < 2 || cr[0] != '\r' || cr[1] != '\n') {
        return NULL;
    }
    const char *to = cr;
    while (to > from && is_space(to[-1])) {
        to--;
    }
    out->name = (struct gw_str){s, (size_t)(colon - s)};
    out->value = (struct gw_str){from, (size_t)(to - from)};
    out->id = (unsigned short)gw_header_id(out->name);
    out->clean = clean && to == cr;
    return cr + 2;
}

const char *
gw_parse_scan(struct gw_parser *p, const char *s, const char *end, struct gw_headers *out)
{
    while (end - s >= 2 && s[0] != '\r') {
        struct gw_header *h = gw_parse_add_field(p, out);

        s = scan_line(s, end, h);
        if (s == NULL || out->n > p->limits->headers) {
            return NULL;
        }
        out->present |= UINT64_C(1) << h->id;
    }
    /* What is transferred in chunks is llhttp's business from its head on. */
    bool plain = end - s >= 2 && s[1] == '\n' && !gw_headers_has(out, GW_H_TRANSFER_ENCODING);
    return plain ? s + 2 : NULL;
}
