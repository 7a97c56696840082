/*
 * parse_private.h - what the parse_*.c files share; nobody else includes it.
 */
#ifndef GW_HTTP_PARSE_PRIVATE_H
#define GW_HTTP_PARSE_PRIVATE_H

#include "http/parse.h"

/* Notes why the message is refused; a response's errors become UPSTREAM_*. */
enum gw_parse gw_parse_fail(struct gw_parser *p, enum gw_err err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Notes what llhttp found wrong, and in which of the header lines of `text`: in that of text[at],
 * or in none when there is no such byte. */
enum gw_parse gw_parse_fail_llhttp(struct gw_parser *p, struct gw_str text, size_t at);

/* The same for more than `limit` bytes of lines: names the largest line of them. */
enum gw_parse gw_parse_fail_too_large(struct gw_parser *p, struct gw_str text, const char *what);

/* The same for more lines than limits->headers. */
void gw_parse_fail_too_many(struct gw_parser *p, struct gw_str lines);

/* A header's name as it may stand in p->detail: cut, other bytes than a name's are '?'. */
struct gw_parse_name {
    char text[48];
};
struct gw_parse_name gw_parse_name(struct gw_str name);

/* The start line, from base + p->skip: MORE, ERROR, or DONE with p->line_end, the
 * spans, the version and the status filled in. */
enum gw_parse gw_parse_line(struct gw_parser *p, const char *base, size_t n);

/* Room for one more field of the list. */
struct gw_header *gw_parse_add_field(struct gw_parser *p, struct gw_headers *h);

/* Cuts the header lines from s on into fields that point there, and checks each byte of them, in
 * one pass.  Returns where the head ends; NULL: not all of it is there, or something in it wants a
 * closer look, and what *out holds means nothing.  What it takes llhttp takes, and as the same
 * fields: t/fuzz/request.c and response.c hold the two together. */
const char *gw_parse_scan(struct gw_parser *p, const char *s, const char *end,
                          struct gw_headers *out);

/* Cuts lines (header lines and the empty one, which llhttp has found valid) into fields, and
 * holds that nothing but fields is there.  False: p->err is set. */
bool gw_parse_fields(struct gw_parser *p, struct gw_str lines, struct gw_headers *out);

/* What the fields of a complete head mean, and what is refused in them.  False: p->err is set. */
bool gw_parse_rules(struct gw_parser *p);

/* llhttp's callbacks while it decodes chunks. */
int gw_parse_on_body(llhttp_t *http, const char *at, size_t n);
int gw_parse_on_chunk_header(llhttp_t *http);

#endif
