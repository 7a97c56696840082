#include "gateway/split.h"

#include "gateway/balance.h"
#include "gateway/upstream.h"

#define BIT(side) ((uint32_t)1 << (side))
/* Makes another key of one: splitmix64's step. */
#define ANOTHER UINT64_C(0x9e3779b97f4a7c15)

bool
gw_split_up(const struct gw_split_side *side)
{
    for (unsigned i = 0; i < side->n_endpoints; i++) {
        if (gw_endpoint_up(side->endpoints[i]) && !gw_endpoint_refuses(side->endpoints[i])) {
            return true;
        }
    }
    return false;
}

static unsigned
sum_of_shares(const struct gw_split *s, uint32_t out)
{
    unsigned sum = 0;

    for (unsigned i = 0; i <= s->n_rows; i++) {
        sum += (out & BIT(i)) == 0 ? s->sides[i].share : 0;
    }
    return sum;
}

/* Each row draws for itself whether it takes the key, of what those before it have left: so when
 * one row's share grows, it loses nobody, and who leaves a row for it comes from all others alike.
 * With one draw for all, cut into pieces, whoever stands behind the row that grows would move. */
unsigned
gw_split_draw(const struct gw_split *s, uint64_t key, uint32_t out)
{
    unsigned left = sum_of_shares(s, out);

    if (left == 0) {
        return s->n_rows + 1;
    }
    for (unsigned i = 0; i < s->n_rows; i++) {
        const struct gw_split_side *side = &s->sides[i];

        if ((out & BIT(i)) != 0) {
            continue;
        }
        uint64_t drawn = gw_balance_mix(key ^ side->salt) >> 32;
        if (drawn * left >> 32 < side->share) { /* always, if nothing is left for others */
            return i;
        }
        left -= side->share;
    }
    return s->n_rows;
}

/* Of the rows, those that have at least this share. */
static unsigned
other_of(const struct gw_split *s, unsigned side, uint64_t key, unsigned share)
{
    const struct gw_split_side *rest = &s->sides[s->n_rows];
    bool rest_is_up = side != s->n_rows && gw_split_up(rest);
    uint32_t out = BIT(side) | BIT(s->n_rows);

    if (rest_is_up && rest->share > 0) {
        return s->n_rows;
    }
    for (unsigned i = 0; i < s->n_rows; i++) {
        out |= s->sides[i].share < share || !gw_split_up(&s->sides[i]) ? BIT(i) : 0;
    }
    /* Who is here has drawn the side that is down: in a second draw with the same key, the rows
     * before it would have lost already. */
    unsigned drawn = gw_split_draw(s, gw_balance_mix(key + ANOTHER), out);
    return drawn > s->n_rows && rest_is_up ? s->n_rows : drawn;
}

unsigned
gw_split_other(const struct gw_split *s, unsigned side, uint64_t key)
{
    return other_of(s, side, key, 1);
}

bool
gw_split_relieves(const struct gw_split *s, unsigned other, unsigned side)
{
    unsigned share = s->sides[other].share;

    return other == s->n_rows || (share > 0 && share >= s->sides[side].share);
}

/* The same when none is up: who has an endpoint at all? */
static unsigned
any_other(const struct gw_split *s, unsigned side)
{
    const struct gw_split_side *rest = &s->sides[s->n_rows];

    if (rest->n_endpoints > 0 && rest->share > 0) {
        return s->n_rows;
    }
    for (unsigned i = 0; i < s->n_rows; i++) {
        if (s->sides[i].share > 0 && s->sides[i].n_endpoints > 0) {
            return i;
        }
    }
    return rest->n_endpoints > 0 ? s->n_rows : side;
}

unsigned
gw_split_settle(const struct gw_split *s, unsigned side, uint64_t key)
{
    if (s->sides[side].alone || gw_split_up(&s->sides[side])) {
        return side;
    }
    unsigned other = gw_split_other(s, side, key);
    if (other <= s->n_rows) {
        return other;
    }
    return s->sides[side].n_endpoints > 0 ? side : any_other(s, side);
}

void
gw_split_go(struct gw_req *req, unsigned side, uint64_t key, const char *by)
{
    struct gw_destination *to = &req->to;
    const struct gw_split_side *s = &to->split->sides[side];

    to->endpoints = s->endpoints;
    to->weights = s->weights;
    to->turns = s->turns;
    to->n_endpoints = s->n_endpoints;
    to->side = side;
    to->split_key = key;
    if (s->alone) {
        to->split = NULL;
    }
    req->decision.version = s->version;
    req->decision.version_by = by;
    req->decision.series = s->series;
}

bool
gw_split_leave(struct gw_req *req, bool only_full)
{
    const struct gw_split *s = req->to.split;

    if (s == NULL) {
        return false;
    }
    unsigned own = s->sides[req->to.side].share;
    unsigned least = only_full && own > 1 ? own : 1; /* as gw_split_relieves() has it */
    unsigned other = other_of(s, req->to.side, req->to.split_key, least);
    if (other > s->n_rows) {
        return false;
    }
    if (req->decision.wanted.n == 0) {
        req->decision.wanted = s->sides[req->to.side].series;
    }
    gw_split_go(req, other, req->to.split_key, "fallback");
    req->to.split = NULL;
    return true;
}
