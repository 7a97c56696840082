#include "modules/request_select.h"

#include "http/url.h"

#define WORKSPACE GW_STR("kubesphere.io/workspace=")

bool
gw_request_select_watch(struct gw_arena *a, struct gw_str query)
{
    struct gw_str v;

    return gw_query_get(a, query, GW_STR("watch"), &v) && !gw_str_eq(v, GW_STR("0")) &&
           !gw_str_eq_nocase(v, GW_STR("false"));
}

/* Not there, or a whole number of 64 bits. */
static bool
number_ok(struct gw_arena *a, struct gw_str query, struct gw_str name)
{
    struct gw_str v;
    uint64_t n;

    if (!gw_query_get(a, query, name, &v)) {
        return true;
    }
    bool minus = v.n > 0 && v.p[0] == '-';
    bool sign = minus || (v.n > 0 && v.p[0] == '+');

    return gw_str_u64(sign ? gw_str_skip(v, 1) : v, &n) &&
           n <= (uint64_t)INT64_MAX + (minus ? 1 : 0);
}

/* One term of a field selector, "key=value", "key==value" or "key!=value". */
struct term {
    struct gw_str key, value;
    bool equal;
};

/* Takes the term before the next comma that is not escaped off the front of *rest. */
static struct gw_str
cut_term(struct gw_str *rest)
{
    size_t i = 0;

    while (i < rest->n && rest->p[i] != ',') {
        i += rest->p[i] == '\\' ? 2 : 1;
    }
    i = i > rest->n ? rest->n : i;
    struct gw_str term = {rest->p, i};

    *rest = i == rest->n ? GW_STR_NONE : gw_str_skip(*rest, i + 1);
    return term;
}

static bool
needs_escape(char c)
{
    return c == '\\' || c == ',' || c == '=';
}

/* A backslash may stand before a comma, '=' and itself, and they need one. */
static bool
unescape(struct gw_arena *a, struct gw_str *value)
{
    char *out = gw_arena_raw(a, value->n + 1);
    size_t n = 0;

    for (size_t i = 0; i < value->n; i++) {
        char c = value->p[i];

        if (c == '=') {
            return false;
        }
        if (c == '\\' && (++i == value->n || !needs_escape(value->p[i]))) {
            return false;
        }
        out[n++] = value->p[i];
    }
    out[n] = '\0';
    *value = (struct gw_str){out, n};
    return true;
}

static bool
read_term(struct gw_arena *a, struct gw_str text, struct term *t)
{
    size_t i = 0;

    while (i < text.n && text.p[i] != '=' &&
           !gw_str_has_prefix(gw_str_skip(text, i), GW_STR("!="))) {
        i++;
    }
    if (i == text.n) {
        return false;
    }
    struct gw_str rest = gw_str_skip(text, i);
    size_t op =
        gw_str_has_prefix(rest, GW_STR("=")) && !gw_str_has_prefix(rest, GW_STR("==")) ? 1 : 2;

    *t = (struct term){
        .key = {text.p, i}, .value = gw_str_skip(rest, op), .equal = text.p[i] == '='};
    return unescape(a, &t->value);
}

/* Whether a name can be a segment of a path. */
static bool
is_segment(struct gw_str name)
{
    return !gw_str_eq(name, GW_STR(".")) && !gw_str_eq(name, GW_STR("..")) &&
           gw_str_find(name, '/') == name.n && gw_str_find(name, '%') == name.n;
}

struct gw_str
gw_request_select_name(struct gw_arena *a, struct gw_str query)
{
    struct gw_str rest;
    struct gw_str name = GW_STR_NONE;
    bool found = false;

    if (!gw_query_get(a, query, GW_STR("fieldSelector"), &rest) ||
        !number_ok(a, query, GW_STR("limit")) || !number_ok(a, query, GW_STR("timeoutSeconds"))) {
        return GW_STR_NONE;
    }
    while (rest.n > 0) {
        struct gw_str text = cut_term(&rest);
        struct term t;

        if (text.n == 0) {
            continue;
        }
        if (!read_term(a, text, &t)) {
            return GW_STR_NONE;
        }
        if (!found && t.equal && gw_str_eq(t.key, GW_STR("metadata.name"))) {
            found = true;
            name = t.value;
        }
    }
    return is_segment(name) ? name : GW_STR_NONE;
}

struct gw_str
gw_request_select_workspace(struct gw_arena *a, struct gw_str query)
{
    struct gw_str v;

    if (!gw_query_get(a, query, GW_STR("labelSelector"), &v) || !gw_str_has_prefix(v, WORKSPACE)) {
        return GW_STR_NONE;
    }
    return gw_str_skip(v, WORKSPACE.n);
}
