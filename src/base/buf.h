/*
 * buf.h - text that grows: logs, JSON answers, generated pages.
 *
 * Not for bodies on a request's way; those live in the connection's own queue.
 */
#ifndef GW_BASE_BUF_H
#define GW_BASE_BUF_H

#include <stddef.h>

#include "base/str.h"

/* Start with {0}.  p is NUL-terminated whenever it is not NULL. */
struct gw_buf {
    char *p; /* owned; heap */
    size_t n, size;
};

void gw_buf_add(struct gw_buf *b, const void *bytes, size_t n);
void gw_buf_str(struct gw_buf *b, struct gw_str s);
void gw_buf_puts(struct gw_buf *b, const char *s);
void gw_buf_printf(struct gw_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* s as a JSON string with its quotes.  Bytes that are no UTF-8 become U+FFFD. */
void gw_buf_json(struct gw_buf *b, struct gw_str s);

/* The text so far; borrowed until the next call. */
struct gw_str gw_buf_text(const struct gw_buf *b);

/* Empties it and keeps the memory. */
void gw_buf_reset(struct gw_buf *b);

void gw_buf_fini(struct gw_buf *b);

#endif
