/*
 * worlds.h - how worlds are made and fed; for the server and for offline explain.
 *
 * control thread:  gw_batch_compile(changes)  ->  one gw_batch, shared
 * each worker:     gw_world_apply(world, batch)  (all of it, in one go)
 */
#ifndef GW_GATEWAY_WORLDS_H
#define GW_GATEWAY_WORLDS_H

#include "base/slab.h"
#include "gateway/module.h"
#include "net/loop.h"

/* What control keeps from one batch to the next: what was gathered, and who claims what. */
struct gw_gathered;
struct gw_gathered *gw_gathered_new(void);
void gw_gathered_free(struct gw_gathered *g);                     /* NULL is fine */
struct gw_claim_index *gw_gathered_claims(struct gw_gathered *g); /* borrowed */

/* What a compiled change is: for each view that cares, a piece or "gone". */
struct gw_batch {
    atomic_uint refs;
    uint64_t revision;
    size_t changes; /* that it was made of */
    bool reset;     /* what is not in it is gone */
    bool known;     /* with it, what is not there is not registered (gw_world_knows()) */
    size_t n;
    struct gw_batch_item {
        const struct gw_view *view;
        const char *key;
        struct gw_piece *piece;   /* NULL: gone */
        struct gw_object *object; /* a reference, whose key it is; NULL: the key is a copy */
        /* What stood in the place of one piece of all.  Much may end with it, so that is to be
         * where nobody waits: with the batch, on the control thread. */
        struct gw_piece *before;
    } * items;
    /* What was said of objects (gw_object_hold) and holds no more: whoever looks at it has looked
     * when all have the batch. */
    struct gw_object_hold **retired;
    size_t n_retired;
};

/* A known one, unless the caller says otherwise before it is sent.
 * Objects that do not compile are logged (and added to diag when it is not NULL) and count as
 * gone; so do those that are held (claimed.h).  g NULL: there was no batch before and there is none
 * after it.  One reference for the caller. */
struct gw_batch *gw_batch_compile(struct gw_gathered *g, const struct gw_change *changes, size_t n,
                                  uint64_t revision, bool reset, struct gw_diag *diag);
struct gw_batch *gw_batch_ref(struct gw_batch *b);
void gw_batch_unref(struct gw_batch *b);

/* The gw_object_check_fn that asks all views: install with gw_object_on_check(). */
void gw_views_check(const struct gw_kind *kind, const json_t *json, const struct gw_yaml *source,
                    struct gw_diag *diag);

/* loop NULL: offline, endpoints can be named but not connected.  all/n_all: as gw_world_all();
 * borrowed, filled in by the owner before requests run. */
struct gw_world *gw_world_new(unsigned id, struct gw_loop *loop, struct gw_world *const *all,
                              size_t n_all);
/* Modules let go of what would send mail here; before the mailbox ends.  Once; part of free. */
void gw_world_stop(struct gw_world *w);
void gw_world_free(struct gw_world *w);
void gw_world_apply(struct gw_world *w, const struct gw_batch *batch);
/* The same in pieces: until gw_clock_mono_us() is until_us, and a little at least.  False: there is
 * more to do, with the same `at`, which starts as {0}; in between, requests are decided by a part
 * of it. */
struct gw_world_part {
    size_t view, item; /* done until there */
    bool open;         /* a reset: the view's index is a new one */
    void *old;         /* the one of before */
};
bool gw_world_apply_part(struct gw_world *w, const struct gw_batch *batch, struct gw_world_part *at,
                         uint64_t until_us);

/* Where gw_world_send() puts mail: its worker's; borrowed.  Before there are other threads. */
void gw_world_mailbox(struct gw_world *w, struct gw_mailbox *mailbox);

/* Whose requests gw_world_review() is about: its worker's; borrowed.  Before there are other
 * threads. */
struct gw_sessions;
void gw_world_sessions(struct gw_world *w, struct gw_sessions *sessions);

/* NULL when offline. */
struct gw_loop *gw_world_loop(struct gw_world *w);

/* Where this worker's small objects are, of which there may be thousands and which each message
 * touches.  size: always the same for the same kind. */
enum gw_world_slab {
    GW_SLAB_SESSIONS,
    GW_SLAB_BACKENDS,
    GW_SLAB_TUNNELS,
    GW_N_SLABS
};
struct gw_slab *gw_world_slab(struct gw_world *w, enum gw_world_slab kind, size_t size);

/* The configuration in force here; the world keeps a reference of its own. */
struct gw_conf;
void gw_world_use(struct gw_world *w, struct gw_conf *conf);
struct gw_conf *gw_world_conf(const struct gw_world *w); /* borrowed; NULL before the first */
/* The endpoints of core.url and core.console (NULL: none) of the configuration in force. */
struct gw_endpoint *gw_world_core(const struct gw_world *w);
struct gw_endpoint *gw_world_console(const struct gw_world *w);

/* For a request: keeps that configuration until it is given back.  No atomics. */
struct gw_conf *gw_world_conf_take(struct gw_world *w);
void gw_world_conf_give(struct gw_world *w, struct gw_conf *conf);

/* Control has found out something about the endpoint of this URL, should there be one here. */
void gw_world_checked(struct gw_world *w, struct gw_str url);

/* Has gw_world_doubt() been called since the last time? */
bool gw_world_take_doubt(struct gw_world *w);

uint64_t gw_world_revision(const struct gw_world *w); /* of the last batch applied */

#endif
