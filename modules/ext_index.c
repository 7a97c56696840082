#include "modules/ext_index.h"

#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/table.h"
#include "modules/ext_sides.h"

/* A backend that registered itself: in its extension's list. */
struct gw_ext_registered {
    struct gw_ext_backend *backend; /* a reference */
    struct gw_ext_registered *next;
};

struct index {
    struct gw_world *world;
    struct gw_table *routes;   /* by name; a reference each */
    struct gw_map *registered; /* by key; the routes own them */
    size_t n_restricted;       /* routes that not everybody may know of */
    char *changed; /* the extension whose backends have changed since its route was made, or NULL */
};

static void
free_registered(struct gw_ext_registered *b)
{
    gw_piece_unref(&b->backend->piece);
    free(b);
}

void
gw_ext_route_unref(struct gw_ext_route *r)
{
    if (r == NULL || --r->refs > 0) {
        return;
    }
    for (unsigned i = 0; i < r->n_endpoints; i++) {
        gw_world_endpoint_release(r->world, r->endpoints[i]);
    }
    while (r->registered != NULL) {
        struct gw_ext_registered *next = r->registered->next;

        free_registered(r->registered);
        r->registered = next;
    }
    if (r->service != NULL) {
        gw_piece_unref(&r->service->piece);
    }
    free(r->weights);
    free(r->turns);
    free(r->split);
    free(r);
}

/* The index has another route in its place, or none: the endpoints get nothing new by it, whoever
 * still holds it, and so are not asked for its sake. */
static void
retire(struct gw_ext_route *r)
{
    for (unsigned i = 0; i < r->n_endpoints && r->spec->enabled; i++) {
        gw_health_leave(r->endpoints[i], r->spec->check);
        gw_endpoint_unwant(r->endpoints[i]);
    }
    gw_ext_route_unref(r);
}

static bool
has_endpoint(const struct gw_ext_route *r, unsigned n, const struct gw_endpoint *e)
{
    for (unsigned i = 0; i < n; i++) {
        if (r->endpoints[i] == e) {
            return true;
        }
    }
    return false;
}

/* n_static: so many of the first are not to be added again. */
static void
add_endpoint(struct gw_ext_route *r, const char *url, long long weight, unsigned n_static)
{
    const char *why = "";
    struct gw_endpoint *e = NULL;

    if (weight == 0) {
        return;
    }
    e = gw_world_endpoint(r->world, gw_str_of(url), &why);
    if (e == NULL) { /* it was checked when the object was compiled */
        gw_log_warn("extension %.*s: endpoint %s is not used: %s", GW_STR_ARG(r->name), url, why);
        return;
    }
    if (has_endpoint(r, n_static, e)) {
        gw_world_endpoint_release(r->world, e);
        return;
    }
    if (r->spec->enabled) {
        gw_endpoint_want(e);
        gw_health_join(e, r->spec->check);
    }
    r->weights[r->n_endpoints] = (unsigned)weight;
    r->endpoints[r->n_endpoints++] = e;
}

static bool
all_alike(const struct gw_ext_route *r)
{
    for (unsigned i = 1; i < r->n_endpoints; i++) {
        if (r->weights[i] != r->weights[0]) {
            return false;
        }
    }
    return true;
}

/* Room for so many endpoints, and the name behind them. */
static struct gw_ext_route *
empty_route(struct gw_world *world, struct gw_str name, size_t n_endpoints)
{
    struct gw_str prefix = GW_STR(GW_EXT_PREFIX);
    struct gw_ext_route *r = NULL;
    size_t n = sizeof(*r) + n_endpoints * sizeof(struct gw_endpoint *);

    r = gw_mem_alloc(n + prefix.n + name.n);
    char *text = (char *)r + n;
    memcpy(text, prefix.p, prefix.n);
    if (name.n > 0) {
        memcpy(text + prefix.n, name.p, name.n);
    }
    r->refs = 1;
    r->world = world;
    r->name = (struct gw_str){text + prefix.n, name.n};
    return r;
}

/* named: gets the version of each, or NULL. */
static void
add_endpoints(struct gw_ext_route *r, const struct gw_ext_service *s, const char **named)
{
    unsigned before = 0;

    for (size_t i = 0; i < s->n_endpoints; i++, before = r->n_endpoints) {
        add_endpoint(r, s->endpoints[i].url, s->endpoints[i].weight, r->n_endpoints);
        if (named != NULL && r->n_endpoints > before) {
            named[before] = s->endpoints[i].version;
        }
    }
    unsigned n_static = r->n_endpoints;
    for (const struct gw_ext_registered *b = r->registered; b != NULL;
         b = b->next, before = r->n_endpoints) {
        const struct gw_ext_backend *backend = b->backend;

        add_endpoint(r, backend->url, backend->draining ? 0 : backend->weight, n_static);
        if (named != NULL && r->n_endpoints > before) {
            named[before] = backend->version;
        }
    }
    if (all_alike(r)) {
        free(r->weights);
        r->weights = NULL;
    }
    if (s->spec->balancer.policy == GW_POLICY_ROUND_ROBIN && r->n_endpoints > 0) {
        r->turns = gw_mem_alloc(r->n_endpoints * sizeof(*r->turns));
        /* Not all workers, after each change, with the same one. */
        r->turns[(uintptr_t)r / sizeof(*r) % r->n_endpoints] = 1;
    }
}

/* service: NULL: not there yet.  The route owns what is registered. */
static struct gw_ext_route *
new_route(struct gw_world *world, struct gw_str name, struct gw_ext_service *service,
          struct gw_ext_registered *registered)
{
    size_t most = 0;

    for (const struct gw_ext_registered *b = registered; b != NULL; b = b->next) {
        most++;
    }
    if (service == NULL) { /* its endpoints wait for it */
        struct gw_ext_route *r = empty_route(world, name, 0);

        r->registered = registered;
        return r;
    }
    most += service->n_endpoints;
    struct gw_ext_route *r = empty_route(world, name, most);
    const struct gw_ext_spec *spec = service->spec;

    r->service = (struct gw_ext_service *)gw_piece_ref(&service->piece);
    r->spec = spec;
    r->registered = registered;
    r->max_connections = gw_world_share(world, spec->connections);
    r->max_pending = gw_world_share(world, spec->pending);
    r->weights = gw_mem_alloc((most + 1) * sizeof(*r->weights));
    if (spec->broken) {
        return r;
    }
    const char **named =
        spec->versions.n == 0 ? NULL : gw_mem_alloc((most + 1) * sizeof(const char *));
    add_endpoints(r, service, named);
    if (named != NULL) {
        r->split = gw_ext_sides_new(r, named);
        free(named);
    }
    return r;
}

static bool
is_restricted(const struct gw_ext_route *r)
{
    return r != NULL && r->spec != NULL && r->spec->audience.restricted;
}

/* After a change: the extension's route is made anew.  Its new one is made before the old one goes,
 * so that an endpoint in both keeps its connections. */
static void
replace_route(struct index *index, struct gw_str name, struct gw_ext_service *service,
              struct gw_ext_registered *registered)
{
    struct gw_ext_route *old = NULL;

    if (service != NULL || registered != NULL) {
        struct gw_ext_route *r = new_route(index->world, name, service, registered);

        old = gw_table_put(index->routes, r);
        index->n_restricted += is_restricted(r);
    } else {
        old = gw_table_take(index->routes, name);
    }
    index->n_restricted -= is_restricted(old);
    if (old != NULL) {
        old->registered = NULL; /* the new one's, or gone */
        retire(old);
    }
}

static void
put_service(struct index *index, struct gw_str name, struct gw_ext_service *service)
{
    const struct gw_ext_route *r = gw_table_get(index->routes, name);

    replace_route(index, name, service, r == NULL ? NULL : r->registered);
}

/* Takes it out of the list, which it returns. */
static struct gw_ext_registered *
without(struct gw_ext_registered *list, struct gw_ext_registered *b)
{
    struct gw_ext_registered **at = &list;

    while (*at != b) {
        at = &(*at)->next;
    }
    *at = b->next;
    return list;
}

static struct gw_ext_route *
route_of(const struct index *index, const struct gw_ext_registered *b)
{
    return gw_table_get(index->routes, gw_str_of(b->backend->extension));
}

/* A route has all backends of its extension, so making it anew for each of them that changes would
 * cost their square. */
static void
settle(void *value)
{
    struct index *index = value;
    char *name = index->changed;
    const struct gw_ext_route *r =
        name == NULL ? NULL : gw_table_get(index->routes, gw_str_of(name));

    index->changed = NULL;
    if (r != NULL) {
        replace_route(index, gw_str_of(name), r->service, r->registered);
    }
    free(name);
}

static void
note_change(struct index *index, const char *extension)
{
    if (index->changed == NULL || strcmp(index->changed, extension) != 0) {
        settle(index);
        index->changed = gw_mem_strdup(extension);
    }
}

static void
leave(struct index *index, struct gw_ext_registered *b)
{
    struct gw_ext_route *r = route_of(index, b);

    r->registered = without(r->registered, b);
    note_change(index, b->backend->extension);
    free_registered(b);
}

static void
join(struct index *index, struct gw_ext_registered *b)
{
    struct gw_ext_route *r = route_of(index, b);

    if (r == NULL) {
        replace_route(index, gw_str_of(b->backend->extension), NULL, b);
        return;
    }
    b->next = r->registered;
    r->registered = b;
    note_change(index, b->backend->extension);
}

static void
put_backend(struct index *index, const char *key, struct gw_ext_backend *backend)
{
    struct gw_ext_registered *old = gw_map_take(index->registered, gw_str_of(key));

    if (backend != NULL) {
        struct gw_ext_registered *b = gw_mem_alloc(sizeof(*b));

        b->backend = (struct gw_ext_backend *)gw_piece_ref(&backend->piece);
        gw_map_put(index->registered, gw_str_of(key), b);
        join(index, b); /* first, so that an endpoint of both keeps its connections */
    }
    if (old != NULL) {
        leave(index, old);
    }
}

/* "ksgate.io/ExtensionService//name" or "ksgate.io/Endpoint//name" */
static void
put(void *index, const char *key, struct gw_piece *piece)
{
    struct gw_str rest = gw_str_of(key);

    (void)gw_str_cut(&rest, '/');
    struct gw_str kind = gw_str_cut(&rest, '/');
    (void)gw_str_cut(&rest, '/'); /* the namespace: none */
    if (gw_str_eq(kind, GW_STR("ExtensionService"))) {
        put_service(index, rest, (struct gw_ext_service *)piece);
    } else {
        put_backend(index, key, (struct gw_ext_backend *)piece);
    }
}

static struct gw_str
name_of(const void *route)
{
    return ((const struct gw_ext_route *)route)->name;
}

static void *
open_index(struct gw_world *world)
{
    struct index *index = gw_mem_alloc(sizeof(*index));

    index->world = world;
    index->routes = gw_table_new(name_of);
    index->registered = gw_map_new();
    return index;
}

static void
let_go(void *route)
{
    retire(route);
}

static void
close_index(void *value)
{
    struct index *index = value;

    gw_map_free(index->registered, NULL);
    gw_table_free(index->routes, let_go);
    free(index->changed);
    free(index);
}

struct gw_ext_route *
gw_ext_index_find(const struct gw_world *world, struct gw_str name)
{
    const struct index *index = gw_world_index(world, &gw_ext_view);
    struct gw_ext_route *r = gw_table_get(index->routes, name);

    return r == NULL || r->spec == NULL || r->spec->broken ? NULL : r;
}

const struct gw_ext_audience *
gw_ext_index_audience(const struct gw_world *world, struct gw_str name)
{
    const struct index *index = gw_world_index(world, &gw_ext_view);
    const struct gw_ext_route *r = gw_table_get(index->routes, name);

    return r == NULL || r->spec == NULL ? NULL : &r->spec->audience;
}

const struct gw_ext_backend *
gw_ext_index_backend(const struct gw_world *world, const char *key)
{
    const struct index *index = gw_world_index(world, &gw_ext_view);
    const struct gw_ext_registered *r = gw_map_get(index->registered, gw_str_of(key));

    return r == NULL ? NULL : r->backend;
}

bool
gw_ext_index_has_restricted(const struct gw_world *world)
{
    const struct index *index = gw_world_index(world, &gw_ext_view);

    return index->n_restricted > 0;
}

const struct gw_view gw_ext_view = {
    .name = "extensions",
    .kinds = (const char *const[]){"ksgate.io/ExtensionService", "ksgate.io/Endpoint", NULL},
    .compile = gw_ext_spec_compile,
    .open = open_index,
    .close = close_index,
    .put = put,
    .settle = settle,
};
