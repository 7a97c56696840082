/*
 * chars.h - which bytes may stand where, by one look into a table.
 */
#ifndef GW_HTTP_CHARS_H
#define GW_HTTP_CHARS_H

#include <stdbool.h>

#include "base/str.h"

#define GW_CHAR_TOKEN    1u  /* tchar of RFC 9110, 5.6.2 */
#define GW_CHAR_TARGET   2u  /* visible ASCII but '#': a request target */
#define GW_CHAR_VALUE    4u  /* tab, space, visible ASCII, obs-text: a field value */
#define GW_CHAR_HEX      8u  /* a hexadecimal digit */
#define GW_CHAR_REG_NAME 16u /* unreserved and sub-delims of RFC 3986: a host name, but '%' */
#define GW_CHAR_SEGMENT  32u /* of a path, without a meaning of its own: not / % \ ? # */

extern const unsigned char gw_chars[256];

static inline bool
gw_char_is(char c, unsigned classes)
{
    return (gw_chars[(unsigned char)c] & classes) != 0;
}

/* The value of a hexadecimal digit, which c must be. */
static inline unsigned
gw_char_hex(char c)
{
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a' + 10);
}

/* Where the first byte from s on stands that is no GW_CHAR_VALUE or no GW_CHAR_TARGET, or end. */
const char *gw_chars_value_end(const char *s, const char *end);
const char *gw_chars_target_end(const char *s, const char *end);

/* Is all of it visible ASCII and spaces, without a '%'?  Then it needs no escaping in a header. */
bool gw_chars_need_no_escape(struct gw_str s);

#endif
