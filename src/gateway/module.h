/*
 * module.h - all that a module is, and all that it may touch.
 *
 * A module is one const struct, its only non-static symbol (gw_mod_NAME in modules/NAME.c).
 * Every callback may be NULL.  It keeps no state but its conf (one per config snapshot,
 * read-only once opened, shared by all workers), its views (per worker, see world.h), its
 * per-worker state, and what it puts into the request's arena.
 */
#ifndef GW_GATEWAY_MODULE_H
#define GW_GATEWAY_MODULE_H

#include "config/schema.h"
#include "gateway/req.h"
#include "gateway/world.h"

typedef enum gw_verdict gw_step_fn(struct gw_req *req, const void *conf);

/* The phases in which modules may act, in the order of a request's life. */
enum gw_phase {
    GW_FIND,     /* what is asked for, and where would it go? */
    GW_ACCESS,   /* who is it, and may they?  (the word access is also a route's level) */
    GW_REWRITE,  /* what shall the backend see? */
    GW_RESPONSE, /* what shall the client see? also runs for our own replies */
    GW_LOG,      /* what has happened?  runs exactly once, whatever happened */
    GW_N_PHASES
};

enum gw_route_kind {
    GW_ROUTE_CORE,       /* /api /apis /kapis /kapi /oauth /clusters /proxy /dist ... */
    GW_ROUTE_EXTENSIONS, /* /extensions/{name}/... */
    GW_ROUTE_CONSOLE,    /* everything else */
    GW_ROUTE_ADMIN,      /* /-/... */
    GW_N_ROUTES
};
/* "core", "extensions", "console", "admin"; "none" for GW_N_ROUTES. */
const char *gw_route_name(unsigned route);

#define GW_ON(kind) (1u << (kind))
#define GW_ON_ALL   ((1u << GW_N_ROUTES) - 1)

struct gw_module {
    const char *name;                  /* in plans, docs and metrics */
    const char *about;                 /* one sentence, for --help and the docs */
    const char *section;               /* top-level key of the config file; NULL: no settings */
    const struct gw_setting *settings; /* of that section; ends with an empty row */
    size_t conf_size;
    unsigned routes; /* GW_ON(...) of the routes it takes part in */
    /* Its settings say that it has something to do; else plans have none of its steps.  NULL: it
     * always has.  The settings were read, but the conf may not be opened. */
    bool (*wanted)(const void *conf);
    /* Once per config snapshot, on the control thread, after the settings were read.  False: the
     * diag says why, and the snapshot is not used. */
    bool (*open)(void *conf, struct gw_loader *loader);
    void (*close)(void *conf);
    /* In a process that serves, before the snapshot is used, on the control thread: makes what is
     * not there yet (a key).  What it can't do is logged; the snapshot is used all the same. */
    void (*serve)(void *conf);
    /* Control thread, in a server alone, before its workers hear of it: this conf is in force from
     * now on.  worlds: the workers', for as long as the server runs.  conf NULL: it ends, and no
     * worker runs any more. */
    void (*use)(const void *conf, struct gw_world *const *worlds, size_t n);
    /* A file that the module writes, or NULL: the supervisor makes its folder and gives it to the
     * user that the server runs as.  The settings were read, but the conf is not opened. */
    const char *(*file)(const void *conf);
    const struct gw_view *const *views; /* NULL-terminated, or NULL */
    gw_step_fn *on[GW_N_PHASES];
    /* Worker thread, after gw_world_doubt(), for each request that has been let in and is not over:
     * GW_ERR_OK, or why it may not go on. */
    enum gw_err (*review)(const struct gw_req *req);
    /* Worker thread, once, when the worker ends: what its state still holds (buffers, files). */
    void (*stop)(struct gw_world *world);
    /* The module's share of /-/metrics; world gives the per-worker states. */
    void (*metrics)(struct gw_buf *out, struct gw_world *const *worlds, size_t n);
};

/* modules/modules.def in order, NULL-terminated (modules/modules.c). */
extern const struct gw_module *const gw_modules[];

#endif
