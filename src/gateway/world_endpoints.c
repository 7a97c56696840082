/*
 * world_endpoints.c - the endpoints that one worker knows, by URL.
 */
#include <assert.h>

#include "gateway/upstream.h"
#include "gateway/world_private.h"

struct gw_endpoint *
gw_world_endpoint(struct gw_world *w, struct gw_str url, const char **why)
{
    struct gw_url parts;
    struct gw_endpoint *e = gw_map_get(w->endpoints, url);

    if (e != NULL) {
        gw_endpoint_ref(e);
        return e;
    }
    if (!gw_url_parse(url, &parts, why)) {
        return NULL;
    }
    if (gw_str_eq(parts.scheme, GW_STR("https"))) {
        *why = "TLS to backends is not supported by this version: use an http:// or unix: URL";
        return NULL;
    }
    e = gw_endpoint_new(w, url, &parts);
    gw_map_put(w->endpoints, url, e);
    return e;
}

void
gw_world_endpoint_release(struct gw_world *w, struct gw_endpoint *e)
{
    if (e == NULL) {
        return;
    }
    assert(e->refs > 0);
    if (--e->refs == 0) {
        gw_map_take(w->endpoints, gw_str_of(e->text));
        gw_endpoint_free(e);
    }
}

void
gw_world_checked(struct gw_world *w, struct gw_str url)
{
    struct gw_endpoint *e = gw_map_get(w->endpoints, url);

    if (e != NULL) {
        gw_health_apply(e);
    }
}

bool
gw_world_shed_backend(struct gw_world *w)
{
    void *e = NULL;

    if (atomic_load_explicit(&w->stats.backend_idle, memory_order_relaxed) <= 0) {
        return false;
    }
    for (int round = 0; round < 2; round++) { /* on from where it ended last time, then all */
        while (gw_map_next(w->endpoints, &w->shed_at, NULL, &e)) {
            if (gw_endpoint_shed(e)) {
                return true;
            }
        }
        w->shed_at = 0;
    }
    return false;
}

struct gw_str
gw_endpoint_url(const struct gw_endpoint *e)
{
    return gw_str_of(e->text);
}

static void
free_endpoint(void *value)
{
    gw_endpoint_free(value);
}

void
gw_world_drop_endpoints(struct gw_world *w)
{
    gw_world_endpoint_release(w, w->core);
    gw_world_endpoint_release(w, w->console);
    gw_map_free(w->endpoints, free_endpoint); /* with their checks, whoever wanted them */
}
