/*
 * split.h - which version of a destination gets a request (ADR 22).
 *
 * The endpoints of a destination that has several versions stand in sides: one for each version
 * that is named, in the order of its rows, and last one for all others, the rest.  Whoever knows
 * what a request is may name its side; else one is drawn by the sides' shares.  The same key always
 * draws the same: in every worker and gateway, and as long as the shares are what they are.
 *
 * Pure, but for gw_split_go() and gw_split_leave(), which change the request.
 */
#ifndef GW_GATEWAY_SPLIT_H
#define GW_GATEWAY_SPLIT_H

#include "gateway/req.h"

/* So many versions can be named: a bit each, and one for the rest, must fit in 32. */
#define GW_SPLIT_ROWS 16

struct gw_split_side {
    struct gw_str version; /* its name; of the rest: if all of its endpoints have the same */
    struct gw_str series;  /* its name in metrics: "extension\nversion" */
    struct gw_endpoint *const *endpoints; /* a part of the destination's, as are: */
    const unsigned *weights;              /* one each; NULL: all alike */
    long long *turns;                     /* one each; NULL: none */
    uint64_t salt;                        /* of the draw; the rest has none */
    unsigned n_endpoints;
    unsigned share; /* percent, of what is drawn */
    bool alone;     /* its requests go nowhere else, should it be down */
};

/* Borrowed, as the destination's endpoints are. */
struct gw_split {
    struct gw_endpoint *const *endpoints; /* of all sides */
    unsigned n_endpoints;
    unsigned n_rows;  /* sides[n_rows] is the rest */
    const void *rows; /* the maker's own */
    struct gw_split_side sides[];
};

/* Is one of its endpoints up? */
bool gw_split_up(const struct gw_split_side *side);

/* By the shares of all sides but those of `out` (a bit each); n_rows + 1: these have none.
 * Of those who draw a version, none draws another when its share grows, or when others leave. */
unsigned gw_split_draw(const struct gw_split *s, uint64_t key, uint32_t out);

/* Where a request goes that should not, or no more, go to that side, of those that are up: to the
 * rest, if it has a share; else one is drawn anew of those that have one; else to the rest all the
 * same; n_rows + 1: there is none. */
unsigned gw_split_other(const struct gw_split *s, unsigned side, uint64_t key);

/* May other be given what side could not do, although side is not down?  The rest may, and a row
 * whose share is as large: never all of v1 to a canary. */
bool gw_split_relieves(const struct gw_split *s, unsigned other, unsigned side);

/* Where a request goes that is for that side: there, unless it is down, not alone, and another is
 * up.  When all are down it is there, too, or at one that has an endpoint at all. */
unsigned gw_split_settle(const struct gw_split *s, unsigned side, uint64_t key);

/* It goes there: req->to and the decision say so.  by: for people, "match". */
void gw_split_go(struct gw_req *req, unsigned side, uint64_t key, const char *by);

/* None of its side's endpoints is left that could be tried: it goes to another side, but only once.
 * only_full: they are well, and have no room; so it goes to one that relieves it.  False: there is
 * none. */
bool gw_split_leave(struct gw_req *req, bool only_full);

#endif
