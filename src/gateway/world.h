/*
 * world.h - what one worker knows of the registered objects, ready for its requests.
 *
 * A view is a module's own index over the kinds it cares for.  An object is compiled once, on
 * the control thread, into an immutable counted piece that all workers share; each worker then
 * puts the piece into its own index.  A change costs O(what changed).  Where copies would be large,
 * control makes one piece of all objects, which all workers look into.  `explain
 * --objects` fills a world of its own from files through the same views.
 */
#ifndef GW_GATEWAY_WORLD_H
#define GW_GATEWAY_WORLD_H

#include <stdatomic.h>

#include "base/diag.h"
#include "base/mailbox.h"
#include "base/wheel.h"
#include "registry/object.h"

/* The head of whatever a view compiles an object into. */
struct gw_piece {
    atomic_uint refs;
    void (*free)(struct gw_piece *p); /* when nobody refers to it any more; any thread */
};

struct gw_piece *gw_piece_ref(struct gw_piece *p);
void gw_piece_unref(struct gw_piece *p); /* NULL is fine */
void gw_piece_let_go(void *piece);       /* the same, as maps and tables call it */

struct gw_pieces {
    struct gw_piece **list;
    size_t n, size;
};

/* What stands under a key now; NULL: nothing. */
struct gw_put {
    const char *key;
    struct gw_piece *piece;
};

struct gw_world;

struct gw_view {
    const char *name;
    const char *const *kinds; /* "group/Kind", NULL-terminated */
    /* Control thread.  A piece with one reference for the caller; NULL: it is not usable, the
     * diag says why (then the object counts as absent).  Also the kind's validator: what an
     * `apply` must refuse is an error here, what is unwise a warning.  source may be NULL. */
    struct gw_piece *(*compile)(const struct gw_kind *kind, const json_t *json,
                                const struct gw_yaml *source, struct gw_diag *diag);
    /* Control thread; or NULL.  Makes one immutable piece of all objects: what was gathered before
     * (NULL: nothing) without the pieces `gone` and with the pieces `come`.  All are borrowed; one
     * reference for the caller.  put() then gets it, under the key "". */
    struct gw_piece *(*gather)(struct gw_piece *before, const struct gw_pieces *gone,
                               const struct gw_pieces *come);
    /* Control thread; or NULL, and then there are the three below.  The index itself, as a piece
     * that all workers share: what was made before (NULL: nothing) with these changes, in their
     * order. What was made before is not changed by it, because workers are looking into that. */
    struct gw_piece *(*next)(struct gw_piece *before, const struct gw_put *puts, size_t n);
    /* Worker.  An index of its own. */
    void *(*open)(struct gw_world *world);
    void (*close)(void *index);
    /* Worker.  piece replaces what stood under key; NULL takes it out.  Takes its own reference. */
    void (*put)(void *index, const char *key, struct gw_piece *piece);
    /* Worker; or NULL.  After one or more put()s, before a request is decided: for what costs as
     * much for one change as for several that follow each other. */
    void (*settle)(void *index);
};

/* This world's index of the view; the view must be one of a built-in module's. */
void *gw_world_index(const struct gw_world *w, const struct gw_view *view);

/* The endpoint of a backend URL ("http://10.0.0.7:8080", "unix:/path"), made when it is new;
 * counted.  All that name the same URL share it: pool, health, drain (decision 7).  NULL and
 * *why when the URL is not usable. */
struct gw_endpoint *gw_world_endpoint(struct gw_world *w, struct gw_str url, const char **why);
void gw_world_endpoint_release(struct gw_world *w, struct gw_endpoint *e); /* NULL is fine */
/* A route sends new requests there, or no longer does.  With the last one go the idle connections,
 * and those in use when their request is over. */
void gw_endpoint_want(struct gw_endpoint *e);
void gw_endpoint_unwant(struct gw_endpoint *e);
/* For people: "http://10.0.0.7:8080". */
struct gw_str gw_endpoint_url(const struct gw_endpoint *e);

/* Is it known what is registered?  False from the start until the store was listed, or its last
 * state was found on disk: what is not here may be registered all the same, so nobody is told that
 * there is no such thing, or that they may not (GW_ERR_REGISTRY_UNKNOWN).  For whoever is about to
 * say no; what is here (of files) is good. */
bool gw_world_knows(const struct gw_world *w);

/* Per-worker memory of a module, zeroed, made at first use; `size` is the same at each call.  Any
 * thread: but what is in it is the worker's, or atomic. */
void *gw_world_state(struct gw_world *w, const void *module, size_t size);

/* How tunnels end; decision.end of one is of these (docs/howto/tunnels.md). */
#define GW_TUNNEL_ENDS(X) \
    X(done)               \
    X(drained)            \
    X(shutdown)           \
    X(tunnel_idle)        \
    X(tunnel_half_closed) \
    X(ping_timeout)       \
    X(tunnel_broken)      \
    X(revoked)            \
    X(client_gone)

enum {
#define X(name) GW_TUNNEL_END_##name,
    GW_TUNNEL_ENDS(X)
#undef X
    GW_N_TUNNEL_ENDS
};

/* Counters of the worker itself: written by it alone (relaxed), read by anyone. */
struct gw_world_stats {
    atomic_ullong accepted, refused;    /* client connections; refused: too many of an address */
    atomic_ullong shed, timed_out;      /* idle ones closed: to make room; by timeouts.idle */
    atomic_ullong cut;                  /* did not take the end of an answer in time */
    atomic_ullong full, out_of_files;   /* times that there was no room, or no descriptor */
    atomic_ullong backend_shed;         /* idle ones to backends closed to make room */
    atomic_llong connections, idle;     /* client connections now; of them between requests */
    atomic_llong requests, tunnels;     /* now */
    atomic_ullong dials, dial_failures; /* to backends */
    atomic_ullong reuses, retries;
    atomic_llong backend_connections, backend_idle; /* now */
    atomic_ullong spliced;                          /* bytes that no one has copied */
    atomic_llong pending;                           /* requests that wait for one, now */
    atomic_ullong pending_total;
    atomic_ullong tunnel_in, tunnel_out; /* bytes, from and to clients */
    atomic_ullong tunnel_ends[GW_N_TUNNEL_ENDS];
    atomic_llong ejected;                   /* endpoints that are left alone, now (outlier.h) */
    atomic_ullong ejections, breaker_opens; /* times */
    atomic_ullong retries_refused;          /* by a destination's budget */
    atomic_ullong lookups, lookup_failures; /* of backends' names */
    atomic_llong watches;                   /* of what is registered, now */
    atomic_ullong watch_events, watches_too_slow;
};
struct gw_world_stats *gw_world_stats(struct gw_world *w);

/* For a module that talks to others by events of its own: it calls turn() when one of them comes,
 * so that the clocks of this loop go on.  base: NULL when offline. */
struct event_base *gw_world_base(const struct gw_world *w);
void gw_world_turn(struct gw_world *w);

struct gw_wheel *gw_world_wheel(struct gw_world *w);
uint64_t gw_world_now_ms(const struct gw_world *w); /* mono, of this loop turn */
unsigned gw_world_id(const struct gw_world *w);     /* 0.. */

/* This worker's part of a limit that all share: rounded up, so that none has nothing; 0 stays 0. */
unsigned gw_world_share(const struct gw_world *w, long long limit);

/* What has just come makes requests doubtful that were let in before: each is reviewed (module.h)
 * when all of it is here. */
void gw_world_doubt(struct gw_world *w);

/* Any thread, in the server: the same, of what comes by no batch.  This world's worker reviews them
 * once it has all that was sent to it before. */
void gw_world_review(struct gw_world *w);

/* Closes one idle connection to a backend, of this worker's pools; false when there is none. */
bool gw_world_shed_backend(struct gw_world *w);

/* Any thread, in the server: mail for this world's worker.  Who its receiver is, is no business of
 * modules: what they need is in the mail. */
void gw_world_send(struct gw_world *w, struct gw_mail *mail);

/* All worlds of the server (for sums over workers), including this one.  Readers of another
 * world's state read single-writer counters with atomic loads only. */
struct gw_world *const *gw_world_all(const struct gw_world *w, size_t *n);

#endif
