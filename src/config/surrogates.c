#include "config/surrogates.h"

#include <ctype.h>
#include <stdint.h>

#define ESCAPE 6 /* the length of \ud83d */

/* The code unit of an escape \uXXXX at the front of s; 0 when there is none. */
static uint32_t
code_unit(struct gw_str s)
{
    uint32_t unit = 0;

    if (s.n < ESCAPE || s.p[0] != '\\' || s.p[1] != 'u') {
        return 0;
    }
    for (size_t i = 2; i < ESCAPE; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (!isxdigit(c)) {
            return 0;
        }
        unit = unit * 16 + (uint32_t)(isdigit(c) ? c - '0' : tolower(c) - 'a' + 10);
    }
    return unit;
}

/* The code point of a pair at the front of s; 0 when there is none. */
static uint32_t
pair(struct gw_str s)
{
    uint32_t high = code_unit(s);

    if (high < 0xd800 || high > 0xdbff) {
        return 0;
    }
    uint32_t low = code_unit(gw_str_skip(s, ESCAPE));
    return low < 0xdc00 || low > 0xdfff ? 0 : 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

/* Only in JSON is every text double-quoted; in a YAML block the same bytes may stand
 * for themselves. */
static bool
is_json(struct gw_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (!isspace((unsigned char)text.p[i])) {
            return text.p[i] == '{' || text.p[i] == '[';
        }
    }
    return false;
}

struct gw_str
gw_surrogates_join(struct gw_str text, struct gw_buf *out)
{
    struct gw_str rest = text;

    if (!is_json(text)) {
        return text;
    }
    for (size_t at = gw_str_find(rest, '\\'); at < rest.n; at = gw_str_find(rest, '\\')) {
        uint32_t point = pair(gw_str_skip(rest, at));

        gw_buf_add(out, rest.p, at);
        rest = gw_str_skip(rest, at);
        if (point != 0) {
            gw_buf_printf(out, "\\U%08x", (unsigned)point);
            rest = gw_str_skip(rest, (size_t)2 * ESCAPE);
        } else { /* with the escaped character: in "\\ud83d" the second one starts nothing */
            size_t n = rest.n < 2 ? rest.n : 2;
            gw_buf_add(out, rest.p, n);
            rest = gw_str_skip(rest, n);
        }
    }
    if (out->n == 0) {
        return text;
    }
    gw_buf_str(out, rest);
    return gw_buf_text(out);
}
