/*
 * shadow.c - a candidate set of roles and bindings that decides beside the one that is in force.
 *
 * When a request that roles have decided about is over, it is decided once more by what is
 * registered with the candidate's objects in it.  Nothing comes of that but a count, and a decision
 * that is kept (decisions.c) where the two differ.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/named.h"
#include "gateway/module.h"
#include "modules/counter.h"
#include "modules/rbac.h"
#include "modules/rbac_decide.h"
#include "modules/rbac_say.h"
#include "modules/visibility.h"
#include "registry/files.h"

/* A worker puts them all into each new version of what is registered, in one go: some 5 us each. */
#define OBJECTS_MAX 1000

struct conf {
    const char *const *files;
    unsigned long long serial;  /* two that stood in the same place differ */
    struct gw_object **objects; /* heap; a reference each, for their keys */
    struct gw_put *puts;        /* heap; a reference to each piece */
    size_t n_objects, n;
};

/* One worker's. */
struct shadow {
    struct gw_piece *live, *candidate; /* made of that; a reference each, or NULL */
    unsigned long long serial;         /* of the conf that it was made by */
    atomic_ullong same, denied, allowed;
};

static const char state_key;

/* clang-format off */
static const struct gw_setting settings[] = {
    {.name = "files", .set = gw_set_text_list, .at = offsetof(struct conf, files), .example = "[/etc/ksgate/candidate]",
     .help = "Files and folders with roles and bindings (1000 at most) that decide beside the registered ones, without effect: an object replaces the registered one of its name.  Followed; none: off."},
    {0},
};

#define AT(field) offsetof(struct shadow, field)
static const struct gw_counted counted[] = {
    {.name = "ksgate_shadow_decisions_total", .type = "counter",
     .help = "Decisions by what the candidate of shadow.files would make of them.",
     .label = "result=\"same\"", .at = AT(same)},
    {.label = "result=\"newly_denied\"", .at = AT(denied)},
    {.label = "result=\"newly_allowed\"", .at = AT(allowed)},
    {0},
};
/* clang-format on */

static struct shadow *
shadow_of(struct gw_world *w)
{
    return gw_world_state(w, &state_key, sizeof(struct shadow));
}

/* ---- the candidate ----------------------------------------------------------------------------
 */

static bool
is_looked_at(const struct gw_object *o)
{
    for (const char *const *k = gw_rbac_piece_kinds; *k != NULL; k++) {
        size_t n = strlen(*k);

        if (strncmp(o->key, *k, n) == 0 && o->key[n] == '/') {
            return true;
        }
    }
    return false;
}

static void
compile(struct conf *c, const struct gw_object *o, struct gw_diag *diag)
{
    json_t *json = gw_object_json(o);
    struct gw_piece *piece = gw_rbac_piece_compile(o->kind, json, NULL, diag);

    json_decref(json);
    if (piece != NULL) {
        c->puts[c->n++] = (struct gw_put){.key = o->key, .piece = piece};
    }
}

/* A file that comes into a folder later is seen with the next change. */
static void
follow(const struct conf *c, struct gw_loader *l)
{
    struct gw_paths paths = {0};

    for (size_t i = 0; c->files[i] != NULL; i++) {
        (void)gw_paths_add(&paths, c->files[i]); /* one that can't be opened is told of below */
    }
    for (size_t i = 0; l->named != NULL && i < paths.n; i++) {
        gw_named_add(l->named, l->arena, gw_arena_printf(l->arena, "%s", paths.items[i]));
    }
    gw_paths_fini(&paths);
}

/* False: all errors are in the diag, with their places. */
static bool
open_conf(void *conf, struct gw_loader *l)
{
    struct conf *c = conf;
    static atomic_ullong serials;
    bool good = true;

    c->serial = atomic_fetch_add(&serials, 1) + 1;
    if (c->files == NULL) {
        return true;
    }
    follow(c, l);
    good = gw_objects_read(c->files, &c->objects, &c->n_objects, l->diag);
    if (c->n_objects > OBJECTS_MAX) {
        gw_diag_error(l->diag, (struct gw_place){0},
                      "shadow.files: %zu objects are more than %d: put only those there that are "
                      "to change",
                      c->n_objects, OBJECTS_MAX);
        good = false;
    }
    c->puts = gw_mem_alloc((c->n_objects + 1) * sizeof(*c->puts));
    for (size_t i = 0; good && i < c->n_objects; i++) {
        if (is_looked_at(c->objects[i])) {
            compile(c, c->objects[i], l->diag);
        } else {
            gw_diag_warn(l->diag, (struct gw_place){0},
                         "shadow.files: %s is no role, binding or namespace, and is not looked at",
                         c->objects[i]->key);
        }
    }
    return good && l->diag->errors == 0;
}

static void
close_conf(void *conf)
{
    struct conf *c = conf;

    for (size_t i = 0; i < c->n; i++) {
        gw_piece_unref(c->puts[i].piece);
    }
    for (size_t i = 0; i < c->n_objects; i++) {
        gw_object_unref(c->objects[i]);
    }
    free(c->puts);
    free(c->objects);
}

static bool
is_wanted(const void *conf)
{
    return ((const struct conf *)conf)->n > 0;
}

static void
forget(struct shadow *s)
{
    gw_piece_unref(s->live);
    gw_piece_unref(s->candidate);
    s->live = NULL;
    s->candidate = NULL;
}

/* What is registered now with the candidate in it: made anew when either has changed. */
static const struct gw_rbac_index *
candidate_of(struct gw_world *w, struct shadow *s, const struct conf *c)
{
    struct gw_piece *live = gw_world_index(w, &gw_rbac_view);

    if (s->live != live || s->serial != c->serial) {
        forget(s);
        s->candidate = gw_rbac_index_next(live, c->puts, c->n);
        s->live = gw_piece_ref(live);
        s->serial = c->serial;
    }
    return (const struct gw_rbac_index *)(const void *)s->candidate;
}

/* ---- a request is over ------------------------------------------------------------------------
 */

/* What some roles make of a request. */
struct outcome {
    bool allowed;
    bool hidden; /* the extension is not there for the caller (visibility.h) */
    bool open;   /* inside, no role is asked */
    struct gw_rbac_grant grant;
    struct gw_request_info info; /* what is asked for */
};

static bool
is_open(const struct gw_req *req, const struct gw_ext_door *door)
{
    int access = door->route->spec->access;

    return access == GW_ACCESS_PUBLIC ||
           (access == GW_ACCESS_AUTHENTICATED && !req->subject.anonymous);
}

static struct outcome
decide(const struct gw_req *req, const struct gw_rbac_index *x)
{
    struct outcome o = {.info = req->info};
    const struct gw_ext_door *door = gw_ext_router_door(req);
    struct gw_str extension = req->decision.extension;

    if (door != NULL) {
        o.hidden = !gw_visibility_would_enter(req, x, &o.info);
        o.open = !o.hidden && is_open(req, door);
        o.allowed = o.open;
        if (o.hidden || o.open) {
            return o;
        }
        extension = door->route->name;
    }
    o.grant = gw_rbac_decide(x, req->arena, &req->subject, &o.info, extension);
    o.allowed = o.grant.allowed;
    return o;
}

static struct gw_str
say(const struct gw_req *req, const struct gw_rbac_index *x, const struct outcome *o)
{
    if (o->hidden) {
        return GW_STR("the extension would not be there for the caller");
    }
    if (o->open) {
        return GW_STR("the extension would be there for the caller, and asks for no role");
    }
    return o->allowed ? gw_rbac_say_reason(req->arena, &o->grant, &req->subject)
                      : gw_rbac_nearest(x, req->arena, &req->subject, &o->info);
}

/* Had roles a say in it?  Where an extension is not for everybody, in who it is for, too. */
static bool
is_by_roles(const struct gw_req *req)
{
    static const char *const behind_door[] = {"visibility", "authenticated", "public"};
    const struct gw_decision *d = &req->decision;

    if (d->policy == NULL || d->allowed == GW_UNDECIDED || req->credential_err != GW_ERR_OK) {
        return false;
    }
    bool yes = strcmp(d->policy, "rbac") == 0;
    for (size_t i = 0; i < sizeof(behind_door) / sizeof(behind_door[0]); i++) {
        yes = yes || (gw_ext_router_door(req) != NULL && strcmp(d->policy, behind_door[i]) == 0);
    }
    return yes;
}

static enum gw_verdict
compare(struct gw_req *req, const void *conf)
{
    struct gw_decision *d = &req->decision;

    if (!is_by_roles(req)) {
        return GW_NEXT;
    }
    struct shadow *s = shadow_of(req->world);
    const struct gw_rbac_index *x = candidate_of(req->world, s, conf);
    struct outcome o = decide(req, x);
    bool was = d->allowed == GW_ALLOWED;
    if (o.allowed == was || decide(req, gw_world_index(req->world, &gw_rbac_view)).allowed != was) {
        gw_counter_add(&s->same, 1); /* or what is registered has changed while it ran */
        return GW_NEXT;
    }
    gw_counter_add(was ? &s->denied : &s->allowed, 1);
    d->candidate = o.allowed ? GW_ALLOWED : GW_DENIED;
    d->candidate_reason = say(req, x, &o);
    return GW_NEXT;
}

/* Without a candidate no request comes by any more that would let go of the last one. */
struct leaving {
    struct gw_mail mail;
    struct gw_world *world;
};

static void
run_leaving(struct gw_mail *mail, void *receiver)
{
    struct leaving *l = (struct leaving *)(void *)mail;

    (void)receiver;
    forget(shadow_of(l->world));
    free(l);
}

static void
use_conf(const void *conf, struct gw_world *const *worlds, size_t n)
{
    for (size_t i = 0; conf != NULL && !is_wanted(conf) && i < n; i++) {
        struct leaving *l = gw_mem_alloc(sizeof(*l));

        l->mail.run = run_leaving;
        l->world = worlds[i];
        gw_world_send(worlds[i], &l->mail);
    }
}

static void
stop(struct gw_world *world)
{
    forget(shadow_of(world));
}

static void
write_metrics(struct gw_buf *out, struct gw_world *const *worlds, size_t n)
{
    gw_counted_write(out, counted, worlds, n, &state_key, sizeof(struct shadow));
}

const struct gw_module gw_mod_shadow = {
    .name = "shadow",
    .about = "Decides by a candidate set of roles as well, without effect, and counts differences.",
    .section = "shadow",
    .settings = settings,
    .conf_size = sizeof(struct conf),
    .routes = GW_ON(GW_ROUTE_CORE) | GW_ON(GW_ROUTE_EXTENSIONS) | GW_ON(GW_ROUTE_ADMIN),
    .wanted = is_wanted,
    .open = open_conf,
    .close = close_conf,
    .use = use_conf,
    .on = {[GW_LOG] = compare},
    .stop = stop,
    .metrics = write_metrics,
};
