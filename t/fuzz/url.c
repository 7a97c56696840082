/* Any bytes as a target, path, query, host and backend's URL.  What gw_path_check() lets through
 * keeps its meaning when it is decoded once, twice or three times. */
#include <assert.h>
#include <stdlib.h>

#include "http/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool
inside(struct gw_str part, struct gw_str whole)
{
    return part.n == 0 || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

/* Neither "." nor "..", with or without parameters. */
static void
no_dots(struct gw_str segment)
{
    segment.n = gw_str_find(segment, ';');
    assert(!gw_str_eq(segment, GW_STR(".")) && !gw_str_eq(segment, GW_STR("..")));
}

static size_t
count(struct gw_str s, char c)
{
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++) {
        n += s.p[i] == c;
    }
    return n;
}

static void
check_path(struct gw_arena *a, struct gw_str path)
{
    const char *why = NULL;
    enum gw_err err = gw_path_check(path, &why);

    assert((err == GW_ERR_OK) == (why == NULL));
    if (err != GW_ERR_OK) {
        return;
    }
    struct gw_str decoded = path;
    for (int times = 0; times < 4 && decoded.p != NULL; times++) {
        assert(count(decoded, '/') == count(path, '/'));
        for (struct gw_str rest = decoded; rest.n > 0;) {
            no_dots(gw_str_cut(&rest, '/'));
        }
        for (size_t i = 0; i < decoded.n; i++) {
            unsigned char c = (unsigned char)decoded.p[i];
            assert(c >= ' ' && c != 0x7f && c != '\\');
        }
        decoded = gw_path_decode(a, decoded);
        assert(times > 0 || decoded.p != NULL);
    }
}

static void
check_target(struct gw_arena *a, struct gw_str text)
{
    const struct gw_str methods[] = {GW_STR("GET"), GW_STR("OPTIONS")};

    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        struct gw_target_parts parts;

        if (gw_target_split(methods[i], text, &parts) != GW_ERR_OK) {
            continue;
        }
        assert(parts.path.n > 0 && (parts.path.p[0] == '/' || gw_str_eq(parts.path, GW_STR("*"))));
        assert(inside(parts.query, text) && inside(parts.authority, text));
        assert(!parts.absolute || gw_host_ok(parts.authority));
        check_path(a, parts.path);
        struct gw_str value = GW_STR_NONE;
        if (gw_query_get(a, parts.query, GW_STR("a"), &value)) {
            assert(value.n < parts.query.n);
        }
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char *copy = malloc(n > 0 ? n : 1);
    struct gw_str text = {copy, n};
    struct gw_arena *a = gw_arena_new();
    const char *why = NULL;
    struct gw_url u;

    assert(copy != NULL);
    if (n > 0) {
        memcpy(copy, data, n);
    }
    check_target(a, text);
    check_path(a, text);
    if (gw_url_parse(text, &u, &why)) {
        assert(inside(u.host, text) && inside(u.path, text));
        assert(u.host.n > 0 && u.port <= 65535);
        assert(u.path.n == 0 || (u.path.p[0] == '/' && u.path.p[u.path.n - 1] != '/'));
    } else {
        assert(why != NULL);
    }
    (void)gw_path_under(text, GW_STR("/a"));
    gw_arena_free(a);
    free(copy);
    return 0;
}
