#include "modules/jwt_cookies.h"

#include "http/write.h"

/* One "name=value", without the blanks around it. */
static struct gw_str
next_pair(struct gw_str *rest)
{
    return gw_str_trim(gw_str_cut(rest, ';'));
}

static struct gw_str
name_of(struct gw_str pair)
{
    return gw_str_trim((struct gw_str){pair.p, gw_str_find(pair, '=')});
}

static struct gw_str
value_of(struct gw_str pair)
{
    size_t at = gw_str_find(pair, '=');

    return at == pair.n ? GW_STR_NONE : gw_str_trim(gw_str_skip(pair, at + 1));
}

bool
gw_jwt_cookie_next(const struct gw_headers *h, struct gw_jwt_cookie *c)
{
    while (c->rest.n == 0) {
        if (c->line == h->n) {
            return false;
        }
        const struct gw_header *line = &h->list[c->line++];
        c->rest = line->id == GW_H_COOKIE ? line->value : GW_STR_NONE;
    }
    struct gw_str pair = next_pair(&c->rest);
    c->name = name_of(pair);
    c->value = value_of(pair);
    return true;
}

bool
gw_jwt_cookie_get(const struct gw_headers *h, struct gw_str name, struct gw_str *value)
{
    *value = GW_STR_NONE;
    for (unsigned i = 0; gw_headers_has(h, GW_H_COOKIE) && i < h->n; i++) {
        struct gw_str rest = h->list[i].id == GW_H_COOKIE ? h->list[i].value : GW_STR_NONE;

        while (rest.n > 0) {
            struct gw_str pair = next_pair(&rest);
            struct gw_str found = value_of(pair);

            if (found.n == 0 || !gw_str_eq(name_of(pair), name)) {
                continue;
            }
            if (value->n > 0 && !gw_str_eq(*value, found)) {
                return false;
            }
            *value = found;
        }
    }
    return true;
}

bool
gw_jwt_cookie_is(const struct gw_headers *h, struct gw_str name, struct gw_str value)
{
    for (unsigned i = 0; gw_headers_has(h, GW_H_COOKIE) && i < h->n; i++) {
        struct gw_str rest = h->list[i].id == GW_H_COOKIE ? h->list[i].value : GW_STR_NONE;

        while (rest.n > 0) {
            struct gw_str pair = next_pair(&rest);

            if (gw_str_eq(name_of(pair), name) && gw_str_eq(value_of(pair), value)) {
                return true;
            }
        }
    }
    return false;
}

static bool
is_one_of(struct gw_str name, const struct gw_str *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct gw_str front = names[i];

        if (gw_str_eq(name, front)) {
            return true;
        }
        if (front.n > 0 && front.p[front.n - 1] == '*') {
            front.n--;
            if (gw_str_has_prefix(name, front)) {
                return true;
            }
        }
    }
    return false;
}

/* False: one of them was left out. */
static bool
copy_others(struct gw_out *out, struct gw_str rest, const struct gw_str *names, size_t n_names)
{
    bool all = true;

    while (rest.n > 0) {
        struct gw_str pair = next_pair(&rest);

        if (is_one_of(name_of(pair), names, n_names)) {
            all = false;
        } else if (pair.n > 0) {
            gw_out_str(out, out->n > 0 ? GW_STR("; ") : GW_STR(""));
            gw_out_str(out, pair);
        }
    }
    return all;
}

struct gw_str
gw_jwt_cookies_without(struct gw_arena *a, const struct gw_headers *h, const struct gw_str *names,
                       size_t n_names, bool *taken)
{
    struct gw_out out;

    *taken = false;
    gw_out_init(&out, a, 256);
    for (unsigned i = 0; i < h->n; i++) {
        if (h->list[i].id == GW_H_COOKIE) {
            *taken = !copy_others(&out, h->list[i].value, names, n_names) || *taken;
        }
    }
    return (struct gw_str){out.p, out.n};
}

/* Somebody else may have left out others before: then what they have left counts. */
void
gw_jwt_cookies_hide(struct gw_req *req, const struct gw_str *names, size_t n_names)
{
    struct gw_edits *e = &req->up;
    struct gw_out out;
    bool taken = false;

    if (!gw_edits_removes(e, GW_STR("cookie"))) {
        struct gw_str rest =
            gw_jwt_cookies_without(req->arena, &req->head->headers, names, n_names, &taken);

        if (taken) {
            gw_edits_remove(req, e, GW_STR("cookie"));
            if (rest.n > 0) {
                gw_edits_add(req, e, GW_STR("Cookie"), rest);
            }
        }
        return;
    }
    unsigned n = 0;
    for (unsigned i = 0; i < e->n_add; i++) {
        struct gw_edit edit = e->add[i];

        if (gw_str_eq(edit.name, GW_STR("Cookie"))) {
            gw_out_init(&out, req->arena, edit.value.n);
            (void)copy_others(&out, edit.value, names, n_names);
            edit.value = (struct gw_str){out.p, out.n};
            if (out.n == 0) {
                continue;
            }
        }
        e->add[n++] = edit;
    }
    e->n_add = n;
}
