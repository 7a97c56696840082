/*
 * fleet.h - which gateways there are beside this one, and how far each has followed.
 *
 * What the script answers to beat, part and fleet (redis.lua), read; no connection.  All times are
 * of Redis' clock.
 */
#ifndef GW_REGISTRY_FLEET_H
#define GW_REGISTRY_FLEET_H

#include <hiredis/hiredis.h>

#include "base/diag.h"

#define GW_FLEET_ID_MAX    63
#define GW_FLEET_EPOCH_MAX 40
#define GW_FLEET_SHOWN     32 /* members, in /-/readyz */

struct gw_fleet_member {
    char id[GW_FLEET_ID_MAX + 1];
    char epoch[GW_FLEET_EPOCH_MAX + 1]; /* "": it routes by nothing of this registry yet */
    uint64_t revision;                  /* that all of its workers route by */
    uint64_t since_ms, heard_ms;        /* its first beat and its last */
};

/* Start with {0}. */
struct gw_fleet {
    struct gw_fleet_member *members; /* owned */
    size_t n;
    uint64_t now_ms;
    const char
        *beat; /* the last one of beats; borrowed from the reply, until gw_fleet_read() is over */
};

/* Replaces what it holds.  False: the reply is something else, and nothing was changed. */
bool gw_fleet_read(struct gw_fleet *f, const redisReply *reply);
void gw_fleet_fini(struct gw_fleet *f);

/* Has it been heard within so long? */
bool gw_fleet_lives(const struct gw_fleet *f, const struct gw_fleet_member *m,
                    long long silence_ms);
size_t gw_fleet_living(const struct gw_fleet *f, long long silence_ms);

/* How many live, other than `self`, and do not route by the revision of that epoch yet.  Each
 * becomes an error of the diag (NULL: none wanted): "ID: at revision 7, heard 0.4 s ago". */
size_t gw_fleet_behind(const struct gw_fleet *f, const char *self, const char *epoch,
                       uint64_t revision, long long silence_ms, struct gw_diag *diag);

#endif
