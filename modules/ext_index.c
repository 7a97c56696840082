#include "modules/ext_index.h"

#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"

/* A backend that registered itself. */
struct backend {
    struct gw_ext_piece *piece; /* a reference */
    struct extension *extension;
    struct backend *next, **prev;
};

struct extension {
    char *name;
    struct gw_ext_piece *service; /* a reference; NULL: only backends are there so far */
    struct backend *backends;
    struct gw_ext_route *route; /* a reference; NULL without a service */
};

struct index {
    struct gw_world *world;
    struct gw_map *extensions; /* by name */
    struct gw_map *backends;   /* by key */
};

void
gw_ext_route_unref(struct gw_ext_route *r)
{
    union {
        const struct gw_ext_piece *given;
        struct gw_ext_piece *loose; /* only its count changes */
    } service;

    if (r == NULL || --r->refs > 0) {
        return;
    }
    for (unsigned i = 0; i < r->n_endpoints; i++) {
        gw_world_endpoint_release(r->world, r->endpoints[i]);
    }
    service.given = r->service;
    gw_piece_unref(&service.loose->piece);
    free(r->endpoints);
    free(r->weights);
    free(r->turns);
    free(r);
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
        gw_log_warn("extension %.*s: endpoint %s is not used: %s", GW_STR_ARG(r->service->name),
                    url, why);
        return;
    }
    if (has_endpoint(r, n_static, e)) {
        gw_world_endpoint_release(r->world, e);
        return;
    }
    r->weights[r->n_endpoints] = (unsigned)weight;
    r->endpoints[r->n_endpoints++] = e;
}

static size_t
count_backends(const struct extension *x)
{
    size_t n = 0;

    for (const struct backend *b = x->backends; b != NULL; b = b->next) {
        n++;
    }
    return n;
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

static struct gw_ext_route *
new_route(struct gw_world *world, const struct extension *x)
{
    const struct gw_ext_spec *spec = &x->service->of.service;
    const struct gw_ext_static *fixed = spec->endpoints.items;
    struct gw_ext_route *r = gw_mem_alloc(sizeof(*r));
    size_t most = spec->endpoints.n + count_backends(x) + 1;

    r->refs = 1;
    r->world = world;
    r->service = (struct gw_ext_piece *)gw_piece_ref(&x->service->piece);
    r->endpoints = gw_mem_alloc(most * sizeof(struct gw_endpoint *));
    r->weights = gw_mem_alloc(most * sizeof(*r->weights));
    for (size_t i = 0; i < spec->endpoints.n; i++) {
        add_endpoint(r, fixed[i].url, fixed[i].weight, r->n_endpoints);
    }
    unsigned n_static = r->n_endpoints;
    r->max_connections = gw_world_share(world, spec->connections);
    r->max_pending = gw_world_share(world, spec->pending);
    for (const struct backend *b = x->backends; b != NULL; b = b->next) {
        const struct gw_ext_backend *spec_of = &b->piece->of.backend;

        add_endpoint(r, spec_of->url, spec_of->draining ? 0 : spec_of->weight, n_static);
    }
    if (all_alike(r)) {
        free(r->weights);
        r->weights = NULL;
    }
    if (spec->balancer.policy == GW_POLICY_ROUND_ROBIN && r->n_endpoints > 0) {
        r->turns = gw_mem_alloc(r->n_endpoints * sizeof(*r->turns));
        /* Not all workers, after each change, with the same one. */
        r->turns[(uintptr_t)r / sizeof(*r) % r->n_endpoints] = 1;
    }
    return r;
}

static struct extension *
extension_of(struct index *index, struct gw_str name)
{
    struct extension *x = gw_map_get(index->extensions, name);

    if (x == NULL) {
        x = gw_mem_alloc(sizeof(*x));
        x->name = gw_mem_strndup(name);
        gw_map_put(index->extensions, name, x);
    }
    return x;
}

/* After a change: makes its route anew, or lets go of what nobody needs.  The new route is made
 * before the old one goes, so that an endpoint in both keeps its connections. */
static void
settle(struct index *index, struct extension *x)
{
    struct gw_ext_route *old = x->route;

    x->route = x->service == NULL ? NULL : new_route(index->world, x);
    gw_ext_route_unref(old);
    if (x->service == NULL && x->backends == NULL) {
        gw_map_take(index->extensions, gw_str_of(x->name));
        free(x->name);
        free(x);
    }
}

static void
put_service(struct index *index, struct gw_str name, struct gw_ext_piece *piece)
{
    struct extension *x = extension_of(index, name);
    struct gw_ext_piece *old = x->service;

    x->service = piece == NULL ? NULL : (struct gw_ext_piece *)gw_piece_ref(&piece->piece);
    settle(index, x);
    if (old != NULL) {
        gw_piece_unref(&old->piece);
    }
}

static void
unlink_backend(struct backend *b)
{
    *b->prev = b->next;
    if (b->next != NULL) {
        b->next->prev = b->prev;
    }
    gw_piece_unref(&b->piece->piece);
    free(b);
}

static void
put_backend(struct index *index, const char *key, struct gw_ext_piece *piece)
{
    struct backend *old = gw_map_take(index->backends, gw_str_of(key));
    struct extension *left = old == NULL ? NULL : old->extension;
    struct extension *joined = NULL;

    if (piece != NULL) {
        struct backend *b = gw_mem_alloc(sizeof(*b));

        joined = extension_of(index, gw_str_of(piece->of.backend.extension));
        b->piece = (struct gw_ext_piece *)gw_piece_ref(&piece->piece);
        b->extension = joined;
        b->next = joined->backends;
        b->prev = &joined->backends;
        if (b->next != NULL) {
            b->next->prev = &b->next;
        }
        joined->backends = b;
        gw_map_put(index->backends, gw_str_of(key), b);
    }
    if (old != NULL) {
        unlink_backend(old);
    }
    if (joined != NULL) {
        settle(index, joined);
    }
    if (left != NULL && left != joined) {
        settle(index, left);
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
        put_service(index, rest, (struct gw_ext_piece *)piece);
    } else {
        put_backend(index, key, (struct gw_ext_piece *)piece);
    }
}

static void *
open_index(struct gw_world *world)
{
    struct index *index = gw_mem_alloc(sizeof(*index));

    index->world = world;
    index->extensions = gw_map_new();
    index->backends = gw_map_new();
    return index;
}

static void
free_extension(void *value)
{
    struct extension *x = value;
    struct backend *b = x->backends;

    while (b != NULL) {
        struct backend *next = b->next;

        gw_piece_unref(&b->piece->piece);
        free(b);
        b = next;
    }
    gw_ext_route_unref(x->route);
    if (x->service != NULL) {
        gw_piece_unref(&x->service->piece);
    }
    free(x->name);
    free(x);
}

static void
close_index(void *value)
{
    struct index *index = value;

    gw_map_free(index->backends, NULL); /* the extensions own them */
    gw_map_free(index->extensions, free_extension);
    free(index);
}

struct gw_ext_route *
gw_ext_index_find(const struct gw_world *world, struct gw_str name)
{
    const struct index *index = gw_world_index(world, &gw_ext_view);
    const struct extension *x = gw_map_get(index->extensions, name);

    return x == NULL ? NULL : x->route;
}

const struct gw_view gw_ext_view = {
    .name = "extensions",
    .kinds = (const char *const[]){"ksgate.io/ExtensionService", "ksgate.io/Endpoint", NULL},
    .compile = gw_ext_spec_compile,
    .open = open_index,
    .close = close_index,
    .put = put,
};
