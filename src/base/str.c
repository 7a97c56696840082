#include "base/str.h"

/* The last piece leaves GW_STR_NONE, so that "a," (two pieces, the second is empty) and "a"
 * (one piece) can be told apart by rest->p. */
struct gw_str
gw_str_cut(struct gw_str *rest, char sep)
{
    size_t at = gw_str_find(*rest, sep);
    struct gw_str piece = {rest->p, at};

    *rest = at < rest->n ? gw_str_skip(*rest, at + 1) : GW_STR_NONE;
    return piece;
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct gw_str
gw_str_trim(struct gw_str s)
{
    while (s.n > 0 && is_blank(s.p[0])) {
        s = gw_str_skip(s, 1);
    }
    while (s.n > 0 && is_blank(s.p[s.n - 1])) {
        s.n--;
    }
    return s;
}

bool
gw_str_u64(struct gw_str s, uint64_t *out)
{
    uint64_t value = 0;

    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9' || __builtin_mul_overflow(value, 10U, &value) ||
            __builtin_add_overflow(value, (uint64_t)(s.p[i] - '0'), &value)) {
            return false;
        }
    }
    if (s.n == 0) {
        return false;
    }
    *out = value;
    return true;
}

int
gw_str_cmp(struct gw_str a, struct gw_str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n == 0 ? 0 : memcmp(a.p, b.p, n);

    if (order != 0) {
        return order;
    }
    return (a.n > b.n) - (a.n < b.n);
}

struct gw_str
gw_str_pack(char **at, struct gw_str s)
{
    struct gw_str copy = {*at, s.n};

    if (s.n > 0) {
        memcpy(*at, s.p, s.n);
    }
    *at += s.n;
    return copy;
}
