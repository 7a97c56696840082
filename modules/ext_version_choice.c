/* ext_version_choice.c - which version does this request go to, and why? */
#include <limits.h>

#include "gateway/balance.h"
#include "gateway/split.h"
#include "modules/ext_versions.h"
#include "modules/jwt_cookies.h"
#include "modules/rbac.h"
#include "modules/rbac_member.h"

/* One choice; what it has to look up is looked up once. */
struct choice {
    struct gw_req *req;
    struct gw_rbac_member member; /* valid when: */
    bool member_found;
};

/* -- conditions -------------------------------------------------------------------------------- */

static bool
is_value(const struct gw_ext_condition *c, struct gw_str s)
{
    for (unsigned i = 0; i < c->n_values; i++) {
        if (gw_str_eq(c->values[i], s)) {
            return true;
        }
    }
    return false;
}

/* Any line of that name. */
static bool
header_holds(const struct gw_ext_condition *c, const struct gw_headers *h)
{
    for (unsigned i = 0; i < h->n; i++) {
        if (gw_str_eq_nocase(h->list[i].name, c->name) && is_value(c, h->list[i].value)) {
            return true;
        }
    }
    return false;
}

static bool
cookie_holds(const struct gw_ext_condition *c, const struct gw_headers *h)
{
    for (unsigned i = 0; i < c->n_values; i++) {
        if (gw_jwt_cookie_is(h, c->name, c->values[i])) {
            return true;
        }
    }
    return false;
}

static bool
is_known(const struct gw_subject *s)
{
    return !s->anonymous && s->name.n > 0;
}

static bool
group_holds(const struct gw_ext_condition *c, const struct gw_subject *s)
{
    for (unsigned i = 0; i < s->n_groups; i++) {
        if (is_value(c, s->groups[i])) {
            return true;
        }
    }
    return false;
}

static bool
workspace_holds(struct choice *choice, const struct gw_ext_condition *c)
{
    struct gw_req *req = choice->req;

    if (!is_known(&req->subject)) {
        return false;
    }
    if (!choice->member_found) {
        gw_rbac_member_find(&choice->member, gw_world_index(req->world, &gw_rbac_view), req->arena,
                            &req->subject);
        choice->member_found = true;
    }
    for (unsigned i = 0; i < c->n_values; i++) {
        if (gw_rbac_member_of(&choice->member, c->values[i])) {
            return true;
        }
    }
    return false;
}

static bool
holds(struct choice *choice, const struct gw_ext_condition *c)
{
    const struct gw_req *req = choice->req;

    switch (c->of) {
    case GW_EXT_OF_HEADER:
        return header_holds(c, &req->head->headers);
    case GW_EXT_OF_COOKIE:
        return cookie_holds(c, &req->head->headers);
    case GW_EXT_OF_USER:
        return is_known(&req->subject) && is_value(c, req->subject.name);
    case GW_EXT_OF_GROUP:
        return group_holds(c, &req->subject);
    case GW_EXT_OF_WORKSPACE:
        return workspace_holds(choice, c);
    }
    return false;
}

/* The first condition of a match all of which hold; n_conditions: there is none. */
static unsigned
matching(struct choice *choice, const struct gw_ext_version *v)
{
    unsigned i = 0;

    while (i < v->n_conditions) {
        unsigned first = i;
        bool good = true;

        for (; i < v->n_conditions && v->conditions[i].match == v->conditions[first].match; i++) {
            good = good && holds(choice, &v->conditions[i]);
        }
        if (good) {
            return first;
        }
    }
    return v->n_conditions;
}

/* -- why, for people --------------------------------------------------------------------------- */

static const char *const of_words[] = {
    [GW_EXT_OF_HEADER] = "header", [GW_EXT_OF_COOKIE] = "cookie",       [GW_EXT_OF_USER] = "user",
    [GW_EXT_OF_GROUP] = "group",   [GW_EXT_OF_WORKSPACE] = "workspace",
};

static void
say_match(struct gw_buf *out, const struct gw_ext_version *v, unsigned row, unsigned first)
{
    gw_buf_printf(out, "spec.versions[%u] matches: ", row);
    for (unsigned i = first;
         i < v->n_conditions && v->conditions[i].match == v->conditions[first].match; i++) {
        const struct gw_ext_condition *c = &v->conditions[i];

        gw_buf_printf(out, "%s%s%s%.*s", i == first ? "" : ", ", of_words[c->of],
                      c->name.n > 0 ? " " : "", GW_STR_ARG(c->name));
    }
}

static void
say_draw(struct gw_buf *out, const struct gw_split *s, unsigned side, bool known)
{
    if (side < s->n_rows) {
        gw_buf_printf(out, "spec.versions[%u] has %u %% of the requests that match no row", side,
                      s->sides[side].share);
    } else {
        gw_buf_printf(out, "the rest, %u %%: of versions that have no row", s->sides[side].share);
    }
    gw_buf_puts(out, known ? "; drawn by the user's name" : "; drawn by the client's address");
}

/* Where it was to go, and why it does not. */
static void
say_fallback(struct gw_buf *out, const struct gw_split *s, unsigned wanted)
{
    struct gw_str name = s->sides[wanted].version;

    gw_buf_printf(out, "; but %s%.*s has no endpoint %s", wanted < s->n_rows ? "version " : "that",
                  GW_STR_ARG(wanted < s->n_rows ? name : GW_STR("")),
                  s->sides[wanted].n_endpoints == 0 ? "at all" : "that is up");
}

static void
say_why(struct choice *choice, const struct gw_split *s, unsigned wanted, unsigned first,
        unsigned side)
{
    const struct gw_ext_versions *v = s->rows;
    struct gw_req *req = choice->req;
    struct gw_buf out = {0};

    if (wanted < v->n && first < v->list[wanted].n_conditions) {
        say_match(&out, &v->list[wanted], wanted, first);
    } else {
        say_draw(&out, s, wanted, is_known(&req->subject));
    }
    if (side != wanted || !gw_split_up(&s->sides[wanted])) {
        say_fallback(&out, s, wanted);
    }
    req->decision.version_why = gw_arena_str(req->arena, gw_buf_text(&out));
    gw_buf_fini(&out);
}

/* -- the choice -------------------------------------------------------------------------------- */

/* Whose requests are to see the same version: those of one user, or of one address. */
static uint64_t
key_of(const struct gw_req *req)
{
    return gw_balance_hash(is_known(&req->subject) ? req->subject.name : req->client_ip);
}

void
gw_ext_versions_choose(struct gw_req *req)
{
    const struct gw_split *s = req->to.split;
    const struct gw_ext_versions *v = s->rows;
    struct choice choice = {.req = req};
    uint64_t key = key_of(req);
    const char *by = "match";
    unsigned first = 0;
    unsigned wanted = 0;

    while (wanted < v->n &&
           (first = matching(&choice, &v->list[wanted])) == v->list[wanted].n_conditions) {
        wanted++;
    }
    if (wanted == v->n) {
        wanted = gw_split_draw(s, key, 0);
        by = wanted < v->n ? "weight" : "rest";
        first = UINT_MAX;
    }
    unsigned side = gw_split_settle(s, wanted, key);
    gw_split_go(req, side, key, side == wanted ? by : "fallback");
    if (side != wanted) {
        req->decision.wanted = s->sides[wanted].series;
    }
    if (req->dry) {
        say_why(&choice, s, wanted, first, side);
    }
}
