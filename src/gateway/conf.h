/*
 * conf.h - one loaded configuration: settings, module settings, plans.
 *
 * Immutable once loaded, counted, shared by all threads.  A reload makes a new one; a request
 * keeps the one it began with.
 */
#ifndef GW_GATEWAY_CONF_H
#define GW_GATEWAY_CONF_H

#include "gateway/plan.h"
#include "gateway/settings.h"

struct gw_conf {
    atomic_uint refs;
    struct gw_arena *arena; /* owns all that follows */
    char *file;             /* NULL: none, all defaults */
    struct gw_str text;     /* what was in it */
    struct gw_named *named; /* the files that it names and that are followed (config/named.h) */
    struct gw_settings settings;
    struct gw_module_use *uses; /* all built-in modules, in order */
    size_t n_uses;
    struct gw_plan plans[GW_N_ROUTES];
};

/* Reads, checks and opens everything.  NULL: the diag holds all errors.  Warnings are there in
 * either case.  file NULL: all defaults (offline explain without a config). */
struct gw_conf *gw_conf_load(const char *file, struct gw_diag *diag);

/* The same text once more, whatever is in its file by now: the files that it names have changed. */
struct gw_conf *gw_conf_load_again(const struct gw_conf *c, struct gw_diag *diag);

/* Lets the modules make what is not there yet; once, before a process serves by it. */
void gw_conf_serve(struct gw_conf *c);

/* The same as gw_conf_load(), but opens no module: no log file is made, no key is read.  For the
 * supervisor, which runs as root and must not leave files behind that the server can't write. */
struct gw_conf *gw_conf_read(const char *file, struct gw_diag *diag);

/* Control thread: tells the modules that it is in force (gw_module.use); or, when the server has
 * come to its end, that it is not. */
void gw_conf_use(const struct gw_conf *c, struct gw_world *const *worlds, size_t n);
void gw_conf_end(const struct gw_conf *c);

struct gw_conf *gw_conf_ref(struct gw_conf *c);
void gw_conf_unref(struct gw_conf *c);

/* The plan of a host and path (raw, checked); never NULL. */
const struct gw_plan *gw_conf_route(const struct gw_conf *c, struct gw_str host,
                                    struct gw_str path);

/* All rows of the config file, modules' sections included, for schema, docs and full.yaml.
 * Static memory, ends with {0}. */
const struct gw_setting *gw_conf_rows(void);

#endif
