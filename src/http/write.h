/*
 * write.h - HTTP/1 heads and chunk frames as bytes, in one canonical form.
 *
 * A gw_out is a growing run of bytes in an arena (heads are bounded by limits before they
 * come here).  Lines are "Name: value\r\n", nothing else.
 */
#ifndef GW_HTTP_WRITE_H
#define GW_HTTP_WRITE_H

#include "base/arena.h"
#include "http/headers.h"
#include "http/parse.h"

struct gw_out {
    struct gw_arena *arena;
    char *p;
    size_t n, size;
};

void gw_out_init(struct gw_out *o, struct gw_arena *a, size_t expected);
void gw_out_add(struct gw_out *o, const char *p, size_t n);
void gw_out_str(struct gw_out *o, struct gw_str s);
void gw_out_u64(struct gw_out *o, uint64_t v);

/* Room for n bytes behind what is there: write them, then say with gw_out_took() where they ended.
 * For lines of several parts, which so take one look at the room there is. */
char *gw_out_room(struct gw_out *o, size_t n);

static inline void
gw_out_took(struct gw_out *o, const char *end)
{
    o->n = (size_t)(end - o->p);
}

/* Copies s to `at`, where there is room, and returns the place behind it. */
static inline char *
gw_put(char *at, struct gw_str s)
{
    return s.n == 0 ? at : (char *)memcpy(at, s.p, s.n) + s.n;
}
#define GW_PUT(at, lit) ((char *)memcpy((at), (lit), sizeof(lit) - 1) + sizeof(lit) - 1)

/* "METHOD target HTTP/1.1\r\n" */
void gw_out_request_line(struct gw_out *o, struct gw_str method, struct gw_str target);

/* "HTTP/1.1 status reason\r\n"; an empty reason becomes the standard one. */
void gw_out_status_line(struct gw_out *o, unsigned status, struct gw_str reason);
struct gw_str gw_status_reason(unsigned status);

void gw_out_header(struct gw_out *o, struct gw_str name, struct gw_str value);

/* Copies the headers that `keep` (NULL: all) accepts; runs of clean neighbouring lines go as
 * one copy.  keep is asked in order, once per header. */
typedef bool gw_keep_fn(const struct gw_header *h, void *arg);
void gw_out_headers(struct gw_out *o, const struct gw_headers *h, gw_keep_fn *keep, void *arg);

/* Writes "hex\r\n" into line[20]; returns its length. */
size_t gw_chunk_line(char line[20], size_t n);

/* "0\r\n", the trailers, "\r\n" */
void gw_out_last_chunk(struct gw_out *o, const struct gw_headers *trailers);

#endif
