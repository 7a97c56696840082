/*
 * replay.h - what a candidate set of roles and bindings changes about requests that were sent.
 *
 * Each decision that the gateway keeps is asked again twice: of a world of all that is registered,
 * and of the same world with the candidate in it.  Both answers come from the steps that a request
 * walks, so what differs is the candidate's doing and nothing else's.
 */
#ifndef GW_SERVER_REPLAY_H
#define GW_SERVER_REPLAY_H

#include "base/map.h"
#include "server/asker.h"

/* Start with {0}. */
struct gw_replay {
    struct gw_asker now, then; /* what is registered; with the candidate */
    size_t replayed;
    size_t denied, allowed; /* newly, by the candidate */
    size_t since;           /* decided otherwise when it was sent than by what is registered now */
    size_t roleless;        /* not replayed: no role was asked (open path, bad credential ...) */
    size_t cut;             /* not replayed: of its URL only the beginning is kept */
    size_t unanswered;      /* not replayed: a step had to wait for somebody else */
    struct gw_map *users;   /* names of who asked */
    struct gw_map *known;   /* change, user and request to the member of `differences`, borrowed */
    json_t *differences;    /* {"change", "count", "id", "user", "method", ...}, see the manual */
};

/* Replays one member of the list of decisions. */
void gw_replay_one(struct gw_replay *r, const json_t *kept);
void gw_replay_fini(struct gw_replay *r);

/* A new reference to all of it, as -o json prints it. */
json_t *gw_replay_json(const struct gw_replay *r);
/* The same for people. */
void gw_replay_text(const struct gw_replay *r, struct gw_buf *out);

#endif
