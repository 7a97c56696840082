/*
 * redis_follow.h - the reading half of the Redis store, on a connection of its own.
 *
 * Lists everything (redis_list.h), and then waits for changes (redis_wake.h).  After a reconnect it
 * goes on where it was, if the registry still has the very change that it knows last.  Whenever the
 * line is broken (enum gw_redis_why) it lists again and says why.
 */
#ifndef GW_REGISTRY_REDIS_FOLLOW_H
#define GW_REGISTRY_REDIS_FOLLOW_H

#include "net/redis.h"
#include "registry/redis_wake.h"
#include "registry/store.h"

struct gw_follow;

/* events: listed and changed as in store.h; reachable(true) just before a list or, without one,
 * what was missed; reachable(false) when the connection is lost or one more try has failed. */
struct gw_follow *gw_follow_open(const struct gw_redis_conf *conf, const char *prefix,
                                 struct event_base *base, const struct gw_store_events *events,
                                 void *owner, struct gw_diag *diag);
void gw_follow_close(struct gw_follow *f); /* NULL is fine */

/* On the line, since a list.  on_line: called when it is not any more, and when it is again without
 * a list. */
bool gw_follow_is_following(const struct gw_follow *f);
void gw_follow_on_line(struct gw_follow *f, void (*on_line)(void *arg), void *arg);

/* Whether the owner has been given the write. */
bool gw_follow_has_seen(const struct gw_follow *f, const struct gw_store_mark *mark);

/* The line that it is on, by number: what it had seen on this one, it has seen.  0: none. */
uint64_t gw_follow_line(const struct gw_follow *f);

/* When the change was made, of those that were read last; 0: not known. */
uint64_t gw_follow_stamp(const struct gw_follow *f, uint64_t revision);

/* That of what the owner has been given last; "": nothing yet. */
const char *gw_follow_epoch(const struct gw_follow *f);

/* Does somebody wait for all gateways, as the last changes said? */
bool gw_follow_is_awaited(const struct gw_follow *f);

/* Beside changes, beats are listened to for so long, from behind the last one that is known;
 * on_beat is called after each few. */
void gw_follow_on_beat(struct gw_follow *f, void (*on_beat)(void *arg), void *arg);
void gw_follow_beat_id(struct gw_follow *f, const char *id);
void gw_follow_beats(struct gw_follow *f, long long ms);

/* Its part of the store's state: when it heard last, the fields in quarantine, its reconnects; and
 * whether a key holds something of another type. */
void gw_follow_status(const struct gw_follow *f, struct gw_store_status *out, bool *wrong_key);

#endif
