/* path_loose.c - a segment as the most lenient of servers reads it.
 *
 * Some don't mind case; some cut parameters off (";x=1"), trim what is blank, or a dot at the end;
 * and some decode once more, and find a '?' or '#' then.
 */
#include "http/chars.h"
#include "http/url.h"

#define SHORT 256 /* bytes; no word that policy looks for is as long in any spelling */

static bool
is_escape(struct gw_str s, size_t at)
{
    return s.n - at >= 3 && s.p[at] == '%' && gw_char_is(s.p[at + 1], GW_CHAR_HEX) &&
           gw_char_is(s.p[at + 2], GW_CHAR_HEX);
}

/* Decodes to `to`, which may be the text itself; what is no escape stays. */
static size_t
decode(struct gw_str s, char *to)
{
    size_t n = 0;

    for (size_t at = 0; at < s.n; at++) {
        if (!is_escape(s, at)) {
            to[n++] = s.p[at];
            continue;
        }
        to[n++] = (char)(gw_char_hex(s.p[at + 1]) << 4 | gw_char_hex(s.p[at + 2]));
        at += 2;
    }
    return n;
}

/* The word that is left of it. */
static struct gw_str
stripped(struct gw_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == ';' || s.p[i] == '?' || s.p[i] == '#') {
            s.n = i;
        }
    }
    while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '.')) {
        s.n--;
    }
    while (s.n > 0 && s.p[0] == ' ') {
        s = gw_str_skip(s, 1);
    }
    return s;
}

bool
gw_path_segment_sounds(struct gw_str segment, struct gw_str word)
{
    char text[SHORT];

    if (segment.n <= word.n) { /* reading it loosely makes it shorter */
        return segment.n == word.n && gw_str_eq_nocase(segment, word);
    }
    if (gw_str_eq_nocase(stripped(segment), word)) {
        return true;
    }
    while (segment.n <= SHORT && gw_str_find(segment, '%') < segment.n) {
        size_t n = decode(segment, text);

        if (n == segment.n) {
            break;
        }
        segment = (struct gw_str){text, n};
        if (gw_str_eq_nocase(stripped(segment), word)) {
            return true;
        }
    }
    return false;
}
