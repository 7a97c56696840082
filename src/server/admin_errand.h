/*
 * admin_errand.h - from a worker's request to the control thread, and back.
 *
 * An errand is heap memory that is sent there and back.  While it is away the client may leave:
 * then e->req is NULL when it comes home, and it is only freed.  That field is read and written on
 * the worker's thread alone; all others belong to whichever side has the errand.
 */
#ifndef GW_SERVER_ADMIN_ERRAND_H
#define GW_SERVER_ADMIN_ERRAND_H

#include "registry/history.h"
#include "server/admin_call.h"
#include "server/control.h"

struct gw_errand {
    struct gw_mail mail;        /* first */
    struct gw_mail left;        /* that the client has, there and back; only while one may wait */
    struct gw_admin_call *call; /* worker only; NULL: the client has gone */
    bool left_away, home;       /* worker only: the above is on its way; the errand is not */
    bool at_control, ends;      /* control only: it has it; and ends it as soon as it can */
    bool counted, crowded;      /* one of registry.waiters; there were as many as may be */
    unsigned world;
    struct gw_control *control; /* control thread only */
    /* Control thread: ends, at once or later, with gw_errand_return(). */
    void (*there)(struct gw_errand *e);
    /* Worker: the answer.  GW_WAIT after gw_errand_send() again. */
    enum gw_verdict (*back)(struct gw_errand *e, struct gw_admin_call *call);
    struct gw_errand *next_soon, **prev_soon; /* worker: of those that are sent soon */
    /* in */
    char *key, *ns, *parent; /* owned */
    const struct gw_kind *kind;
    struct gw_object *object; /* a reference; also out: as it is stored now */
    json_t *patch;            /* a reference */
    /* admin_endpoints.h's: who registers, and (out) who has done so before; owned */
    char *owner, *other;
    char *url;      /* who leaves is there; NULL: wherever; owned */
    bool overrides; /* what is of others */
    /* gw_admin_send_seen()'s, meanwhile */
    struct gw_object *next_object; /* a reference */
    void (*next_there)(struct gw_errand *e);
    enum gw_verdict (*next_back)(struct gw_errand *e, struct gw_admin_call *call);
    uint64_t wanted_revision;
    enum gw_store_when wanted_when;
    enum gw_store_when when;
    uint64_t revision;
    enum gw_until until;
    long long lease_ms; /* admin_renew.c's */
    char *only_uid;     /* admin_fit.h's: what alone may be written over, owned; NULL: whichever */
    bool dry_run;
    bool may_not_create; /* a PUT by whom RBAC lets update alone */
    bool only_revision;  /* the same: `revision` is by the caller's own words */
    unsigned from;       /* admin_watch.c's */
    unsigned tries;      /* so far, to write what somebody else may write, too */
    /* out */
    enum gw_store_result result;
    bool created, unsure;
    bool unknown;   /* UNAVAILABLE: nothing is known of the registry yet */
    bool lags;      /* memory is older than the revision that the caller knows */
    char *unfit;    /* owned; refused: what stands there is not what alone may be written over */
    size_t refused; /* of several */
    uint64_t lease_until_ms;
    char *text; /* owned; for people */
    struct gw_store_mark mark;
    bool marked;           /* the store has given one */
    bool behind_here;      /* this gateway itself is what has not followed */
    struct gw_diag behind; /* owned; gateways that have not followed a write that is done */
    size_t behind_of;      /* so many there are; 0: it is not known */
    /* CLAIMED: by whom, a reference; and the text for whoever may not know of it, owned. */
    struct gw_object *rival;
    char *unnamed;
    struct gw_object **objects; /* owned, a reference each */
    size_t n_objects, size_objects;
    struct gw_news *news; /* a reference, or NULL */
    /* admin_leases.c's: Endpoints whose leases are asked for, and when these end; both owned. */
    const char **lease_keys; /* the objects' */
    uint64_t *lease_ends;    /* 0: it is not known */
    size_t n_leases, size_leases;
};

/* An errand for this call, with `there` and `back`. */
struct gw_errand *gw_errand_new(struct gw_admin_call *call, void (*there)(struct gw_errand *e),
                                enum gw_verdict (*back)(struct gw_errand *e,
                                                        struct gw_admin_call *call));

/* Worker: for one that is not on its way. */
void gw_errand_free(struct gw_errand *e);

/* Worker: sends it to the control thread; returns GW_WAIT. */
enum gw_verdict gw_errand_send(struct gw_errand *e);

/* The same, for what very many do all the time and nobody is in a hurry about: at once when this
 * worker has sent none within a tick (GW_WHEEL_TICK_MS), else within two, with all others in one
 * go. */
enum gw_verdict gw_errand_send_soon(struct gw_errand *e);

#define GW_ERRAND_TRIES 10

/* The same, for another try, after a pause (none after the first one): the memory of the registry
 * may be behind its store, and what was changed there needs a moment to get here.  No two who
 * collided wait equally long. */
enum gw_verdict gw_errand_send_again(struct gw_errand *e);

/* Control thread: sends it home. */
void gw_errand_return(struct gw_errand *e);

/* Control thread: before a write whose answer may be waited for; and, once it is done, sends the
 * errand home when that is so far. */
void gw_errand_before(struct gw_errand *e);
void gw_errand_return_when(struct gw_errand *e);

/* Control thread: keeps what the store said; for gw_sync_put() and its like. */
void gw_errand_note(struct gw_errand *e, const struct gw_store_answer *answer);

/* Control thread: adds the object to e->objects (takes a reference of its own); for
 * gw_sync_list(). */
void gw_errand_collect(void *errand, struct gw_object *o);

/* Control thread: is something known of the registry?  False: e->result says that it is not. */
bool gw_errand_registry_known(struct gw_errand *e);

/* Control thread: sets e->lags: is memory older than this revision of the store? */
void gw_errand_look_lag(struct gw_errand *e, uint64_t revision);

/* As kube-apiserver has it (registry/generic/registry/store.go). */
#define GW_ERRAND_MODIFIED \
    "the object has been modified; please apply your changes to the latest version and try again"

/* Worker: the refusal of what the store did not do. */
enum gw_verdict gw_errand_refuse(struct gw_errand *e, struct gw_admin_call *call);

#endif
