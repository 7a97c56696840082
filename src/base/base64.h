/*
 * base64.h - bytes as text (RFC 4648): base64url for tokens and keys, base64 for Basic.
 *
 * What is read is canonical or refused: two texts never mean the same bytes.
 */
#ifndef GW_BASE_BASE64_H
#define GW_BASE_BASE64_H

#include "base/buf.h"

/* Appends the bytes in base64url without padding (section 5; RFC 7515, 2). */
void gw_base64url_add(struct gw_buf *out, const void *bytes, size_t n);

/* ... and in base64 with padding (section 4), as `base64 -d` reads it. */
void gw_base64_add(struct gw_buf *out, const void *bytes, size_t n);

/* Reads base64 with its padding (section 4) into `out`, which has room for text.n bytes.  False
 * when it is none: another length, a character that is no digit, unused bits that are set. */
bool gw_base64_read(struct gw_str text, void *out, size_t *n);

#endif
