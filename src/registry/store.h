/*
 * store.h - where objects live: what every driver gives (resources.md, sections 2 and 3).
 *
 * Used from the control thread only.  Calls never block for long: answers come by callback,
 * from within the call (sqlite) or later from the event loop (redis).  Every call is answered
 * exactly once, with GW_STORE_UNAVAILABLE when the store can't be reached in time.
 */
#ifndef GW_REGISTRY_STORE_H
#define GW_REGISTRY_STORE_H

#include <event2/event.h>

#include "net/redis.h"
#include "registry/fleet.h"
#include "registry/object.h"

enum gw_store_result {
    GW_STORE_OK,
    GW_STORE_CONFLICT, /* the resourceVersion is not the stored one */
    GW_STORE_EXISTS,   /* create, but it is there */
    GW_STORE_NOT_FOUND,
    GW_STORE_INVALID,     /* it can't be stored as it would have to be; text says why */
    GW_STORE_READ_ONLY,   /* it is in a file (registry.files), and changes there alone */
    GW_STORE_TOO_OLD,     /* changes since that revision are no longer kept: list again */
    GW_STORE_CLAIMED,     /* no store says so: who writes does (server/admin_claims.h) */
    GW_STORE_UNAVAILABLE, /* nothing was changed, unless `unsure`; text says why */
};

enum gw_store_when {
    GW_WHEN_ANY,      /* create or replace */
    GW_WHEN_ABSENT,   /* create */
    GW_WHEN_REVISION, /* only if the stored resourceVersion is `revision` */
    GW_WHEN_PRESENT,  /* replace or renew, whatever revision */
};

/* A write, for whoever wants to know whether it has come back to this gateway: the revision alone
 * does not tell, which begins anew in a store that was replaced, and goes back in one that was put
 * back. */
struct gw_store_mark {
    char epoch[GW_FLEET_EPOCH_MAX + 1];
    uint64_t revision; /* the last one of all, then: it is in there */
    uint64_t stamp;    /* when that was made (redis_stamps.h); 0: not known */
};

struct gw_store_answer {
    enum gw_store_result result;
    uint64_t revision;       /* of the write, or of the list */
    uint64_t lease_until_ms; /* wall clock of the registry; 0: no lease */
    bool unsure;             /* UNAVAILABLE: the write was sent and may be made all the same */
    size_t refused;          /* of several that were put: which one is not OK */
    const char *text;        /* for people, when not OK; borrowed */
    /* OK: for has(), borrowed; NULL: it has been given to the owner already. */
    const struct gw_store_mark *mark;
};
typedef void gw_store_done_fn(void *arg, const struct gw_store_answer *answer);

#define GW_STORE_ALL_TOLD UINT64_MAX /* of a list: nothing is to be told beside it */

/* What a driver tells its owner, from the event loop. */
struct gw_store_events {
    /* The whole content at a revision; sent first, and again whenever following was lost or the
     * epoch changed (then `reason` says why).  Objects are borrowed.  What was
     * deleted is in no list, and the owner keeps what was lost: so it says after which revision
     * deletions are to be told, too.  If it does, changed() comes next, with those that are kept,
     * if any.  Whoever knows better since when that store has gone another way than what was known
     * begins there. */
    uint64_t (*listed)(void *owner, struct gw_object *const *objects, size_t n, uint64_t revision,
                       const char *epoch, const char *reason);
    /* Changes after that, in order, without gaps; borrowed. */
    void (*changed)(void *owner, const struct gw_change *changes, size_t n, uint64_t revision);
    /* How many objects of the store the owner knows, less those that it knows to be lost; NULL: it
     * does not count them. */
    size_t (*holds)(void *owner);
    /* What is listed next does not continue what is known, although epoch and revision look so. May
     * be NULL: that never happens. */
    void (*put_back)(void *owner);
    /* Reached or lost; text says why, for logs and readiness. */
    void (*reachable)(void *owner, bool yes, const char *text);
};

#define GW_STORE_WHYS 12 /* reasons to list */

/* How a driver is doing. */
struct gw_store_status {
    uint64_t heard_ms;             /* wall clock of the last good answer; 0: none, or not counted */
    unsigned long long reconnects; /* connections beyond the first */
    size_t quarantined;            /* stored things that can't be used, and are left alone */
    char text[200];                /* why it can't be used; "": it can */
    struct {
        const char *why; /* one word; lives for ever */
        unsigned long long n;
    } lists[GW_STORE_WHYS];     /* of all objects, so far */
    size_t n_lists;             /* 0: they are not counted */
    unsigned long long refused; /* writes, by the store itself */
    uint64_t refused_ms;        /* wall clock of the last one */
    char refused_for[160];      /* why it takes none now, as far as is known; "": it does */
    /* The gateways that share it, as far as it knows them. */
    bool joining;                      /* they have not been told of this one yet */
    size_t gateways;                   /* that live, this one too; 0: it does not know of others */
    char gateway[GW_FLEET_ID_MAX + 1]; /* this one's id */
    char fleet_trouble[200];           /* why they can't be told; "": they can */
    size_t n_fleet;
    struct gw_fleet_member fleet[GW_FLEET_SHOWN]; /* the first of them */
    bool lives[GW_FLEET_SHOWN];
};

/* behind: the callee's; an error for each gateway that has not followed, none if all have.  of: so
 * many live, this one too; 0: that is not known, as the one error says. */
typedef void gw_store_fleet_fn(void *arg, struct gw_diag *behind, size_t of);

/* One write.  lease_ms 0: none.  With a lease the object disappears when it is not written or
 * renewed again within it, by the registry's clock. */
struct gw_store_put {
    const struct gw_object *object;
    enum gw_store_when when;
    uint64_t revision;
    long long lease_ms;
    /* Of a new object, whose copy it is; NULL: they are made. */
    const char *uid, *created;
};

/* One for each key, wall clock of the registry; 0: it has no lease.  NULL: it can't be told. */
typedef void gw_store_leases_fn(void *arg, const uint64_t *until_ms);

struct gw_store_driver {
    const char *name;
    /* conf: the driver's settings (struct gw_registry_sqlite / _redis).  NULL: see diag. */
    void *(*open)(const void *conf, struct event_base *base, const struct gw_store_events *events,
                  void *owner, struct gw_diag *diag);
    void (*put)(void *store, const struct gw_store_put *put, gw_store_done_fn *done, void *arg);
    /* All of them, of which no two have the same key, or none; whoever follows the store is told of
     * all at once.  The answer has the latest revision of them. */
    void (*put_all)(void *store, const struct gw_store_put *puts, size_t n, gw_store_done_fn *done,
                    void *arg);
    /* GW_WHEN_ABSENT: it is not there, but others may know it from before the store was wiped; they
     * are told that it is gone. */
    void (*remove)(void *store, const char *key, enum gw_store_when when, uint64_t revision,
                   gw_store_done_fn *done, void *arg);
    /* Renews the lease of a stored object, if it has that revision (0: whichever), without a new
     * one. */
    void (*renew)(void *store, const char *key, uint64_t revision, long long lease_ms,
                  gw_store_done_fn *done, void *arg);
    /* When do their leases end?  Keys are borrowed within the call. */
    void (*leases)(void *store, const char *const *keys, size_t n, gw_store_leases_fn *done,
                   void *arg);
    /* Has the owner been given the write, or what has come of it?  NULL: always. */
    bool (*has)(void *store, const struct gw_store_mark *mark);
    /* The gateways that share the store; all five NULL: it does not know of others.
     * live: all workers route by this revision; 0: of what is followed from now on, by none.
     * await: the caller is going to write, and then to wait for all gateways.
     * when_fleet: calls done once all that live route by the write, or when that has taken too
     * long.  This one does.
     * forget_fleet: whoever gave that arg waits no more, and is not called.  False: there is none.
     * part: this one is not waited for any more. */
    void (*live)(void *store, uint64_t revision);
    void (*await)(void *store);
    void (*when_fleet)(void *store, const struct gw_store_mark *mark, gw_store_fleet_fn *done,
                       void *arg);
    bool (*forget_fleet)(void *store, const void *arg);
    void (*part)(void *store);
    /* NULL: there is nothing to tell. */
    void (*status)(void *store, struct gw_store_status *out);
    void (*close)(void *store); /* pending calls are answered UNAVAILABLE first */
};

struct gw_registry_sqlite {
    const char *path;
    bool visits; /* it is no gateway that opens it (place.h): leases are left alone */
};

struct gw_registry_redis {
    const char *url;           /* see net/redis_url.h */
    const char *password_file; /* or NULL */
    struct gw_redis_tls_conf tls;
    const char *const *sentinels; /* these four: as in net/redis.h */
    const char *master;
    struct gw_redis_sentinel_conf sentinel;
    const char *const *cluster;
    long long replicas;         /* that must have a write before it counts as made */
    const char *prefix;         /* "{ksgate}:" */
    long long timeout_ms;       /* of one command */
    long long fleet_silence_ms; /* a gateway that has been silent for longer is not waited for */
    long long fleet_wait_ms;    /* for the others, at most */
};

/* As its connections want it; texts are borrowed. */
struct gw_redis_conf gw_registry_redis_conf(const struct gw_registry_redis *c);

extern const struct gw_store_driver gw_store_sqlite, gw_store_redis;

/* The Lua script that makes all writes; `ksgate registry script` prints it. */
extern const char gw_store_redis_script[];

#endif
