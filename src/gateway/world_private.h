/*
 * world_private.h - a world's inside, shared by world.c and its neighbours (_views, _endpoints,
 * _conf).
 */
#ifndef GW_GATEWAY_WORLD_PRIVATE_H
#define GW_GATEWAY_WORLD_PRIVATE_H

#include "base/map.h"
#include "gateway/health.h"
#include "gateway/worlds.h"

#define GW_WORLD_VIEWS_MAX  32
#define GW_WORLD_STATES_MAX 32

struct gw_world {
    unsigned id;
    struct gw_loop *loop;         /* borrowed; NULL offline */
    struct gw_mailbox *mailbox;   /* the same */
    struct gw_sessions *sessions; /* the same */
    struct gw_mail review;        /* one at a time: */
    atomic_bool review_sent;
    struct gw_world *const *all;
    size_t n_all;
    uint64_t revision;
    bool stopped; /* modules have let go of what they hold elsewhere */
    bool doubtful;
    bool known; /* what is registered */
    struct {
        const struct gw_view *view;
        void *index;
    } views[GW_WORLD_VIEWS_MAX];
    size_t n_views;
    size_t shed_at;           /* in the next: where an idle connection was closed last */
    struct gw_map *endpoints; /* URL to struct gw_endpoint; each counted by its users */
    struct {
        const void *module;
        void *memory;
    } states[GW_WORLD_STATES_MAX];
    atomic_size_t n_states; /* what stands before it is there, and never changes */
    struct gw_world_conf_use {
        struct gw_conf *conf;
        size_t users;
    } * confs; /* [0] is in force; the others still have requests (or tunnels) */
    size_t n_confs;
    struct gw_endpoint *core, *console;       /* a reference each; console may be NULL */
    const struct gw_health_check *core_check; /* of the core; its configuration's */
    struct gw_world_stats stats;
    struct gw_wheel no_wheel; /* offline: nothing ever fires */
    struct gw_slab slabs[GW_N_SLABS];
};

/* world_views.c.  All modules' views, with an empty index each; and their end. */
void gw_world_open_views(struct gw_world *w);
void gw_world_close_views(struct gw_world *w);

/* world_endpoints.c.  All of them, whoever still has one; their checks are a configuration's. */
void gw_world_drop_endpoints(struct gw_world *w);

/* world_conf.c.  All configurations, whoever still uses one. */
void gw_world_drop_confs(struct gw_world *w);

#endif
