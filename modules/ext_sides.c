#include "modules/ext_sides.h"

#include <stdlib.h>

#include "base/mem.h"
#include "gateway/balance.h"

/* In metrics, the rest's version: no row has this name. */
#define REST GW_STR("(rest)")

static unsigned
side_of(const struct gw_ext_versions *v, const char *version)
{
    unsigned i = 0;

    while (i < v->n && !gw_str_eq(v->list[i].name, gw_str_of(version))) {
        i++;
    }
    return i;
}

/* What all endpoints of the rest say that they are; NULL: not the same, or there are none. */
static const char *
common_name(const struct gw_ext_route *r, const char *const *named)
{
    const char *common = NULL;

    for (unsigned i = 0; i < r->n_endpoints; i++) {
        if (side_of(&r->spec->versions, named[i]) < r->spec->versions.n) {
            continue;
        }
        if (common != NULL && strcmp(common, named[i]) != 0) {
            return NULL;
        }
        common = named[i];
    }
    return common;
}

/* Room for the sides, and for the texts behind them: a series each, and the rest's name. */
static struct gw_split *
empty_split(const struct gw_ext_route *r, const char *rest)
{
    const struct gw_ext_versions *v = &r->spec->versions;
    size_t texts = strlen(rest) + r->name.n + 1 + REST.n;

    for (unsigned i = 0; i < v->n; i++) {
        texts += r->name.n + 1 + v->list[i].name.n;
    }
    struct gw_split *s =
        gw_mem_alloc(sizeof(*s) + ((size_t)v->n + 1) * sizeof(s->sides[0]) + texts);
    s->rows = v;
    s->n_rows = v->n;
    s->endpoints = r->endpoints;
    s->n_endpoints = r->n_endpoints;
    return s;
}

static struct gw_str
put_series(char **at, struct gw_str extension, struct gw_str version)
{
    struct gw_str series = {*at, extension.n + 1 + version.n};

    (void)gw_str_pack(at, extension);
    (void)gw_str_pack(at, GW_STR("\n"));
    (void)gw_str_pack(at, version);
    return series;
}

static void
name_sides(struct gw_split *s, const struct gw_ext_route *r, const char *rest)
{
    const struct gw_ext_versions *v = &r->spec->versions;
    char *texts = (char *)&s->sides[v->n + 1];
    unsigned left = 100;

    for (unsigned i = 0; i < v->n; i++) {
        struct gw_split_side *side = &s->sides[i];

        side->version = v->list[i].name;
        side->series = put_series(&texts, r->name, side->version);
        side->salt = gw_balance_hash(side->series);
        side->share = v->list[i].weight;
        side->alone = v->list[i].alone;
        left -= side->share;
    }
    s->sides[v->n] = (struct gw_split_side){.version = gw_str_pack(&texts, gw_str_of(rest)),
                                            .series = put_series(&texts, r->name, REST),
                                            .share = left};
}

static bool
all_alike(const unsigned *weights, unsigned n)
{
    for (unsigned i = 1; i < n; i++) {
        if (weights[i] != weights[0]) {
            return false;
        }
    }
    return true;
}

/* Each side's part of the route's lists. */
static void
hand_out(struct gw_split *s, const struct gw_ext_route *r)
{
    unsigned first = 0;

    for (unsigned i = 0; i <= s->n_rows; i++) {
        struct gw_split_side *side = &s->sides[i];

        side->endpoints = r->endpoints + first;
        side->turns = r->turns == NULL ? NULL : r->turns + first;
        if (r->weights != NULL && !all_alike(r->weights + first, side->n_endpoints)) {
            side->weights = r->weights + first;
        }
        first += side->n_endpoints;
    }
}

/* Also counts how many each side has. */
static void
sort_endpoints(struct gw_split *s, struct gw_ext_route *r, const char *const *named)
{
    size_t n = r->n_endpoints;
    struct gw_endpoint **endpoints = gw_mem_alloc((n + 1) * sizeof(struct gw_endpoint *));
    unsigned *weights = gw_mem_alloc((n + 1) * sizeof(*weights));
    unsigned at = 0;

    for (unsigned side = 0; side <= s->n_rows; side++) {
        for (unsigned i = 0; i < n; i++) {
            if (side_of(&r->spec->versions, named[i]) != side) {
                continue;
            }
            endpoints[at] = r->endpoints[i];
            weights[at++] = r->weights == NULL ? 1 : r->weights[i];
            s->sides[side].n_endpoints++;
        }
    }
    for (unsigned i = 0; i < n; i++) {
        r->endpoints[i] = endpoints[i];
        if (r->weights != NULL) {
            r->weights[i] = weights[i];
        }
    }
    free(endpoints);
    free(weights);
}

struct gw_split *
gw_ext_sides_new(struct gw_ext_route *r, const char *const *named)
{
    const char *common = common_name(r, named);
    const char *rest = common == NULL ? "" : common;
    struct gw_split *s = empty_split(r, rest);

    name_sides(s, r, rest);
    sort_endpoints(s, r, named);
    hand_out(s, r);
    return s;
}

bool
gw_ext_sides_have(const struct gw_split *s, struct gw_str series)
{
    for (unsigned i = 0; i <= s->n_rows; i++) {
        if (gw_str_eq(s->sides[i].series, series)) {
            return true;
        }
    }
    return false;
}
