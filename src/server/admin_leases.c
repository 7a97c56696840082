#include "server/admin_leases.h"

#include "base/clock.h"
#include "base/mem.h"
#include "registry/lease.h"

static bool
is_endpoint(const struct gw_kind *kind)
{
    return strcmp(kind->kind, "Endpoint") == 0 && strcmp(kind->group, "ksgate.io") == 0;
}

bool
gw_admin_leases_open(const struct gw_errand *e, const struct gw_kind *kind)
{
    return e->lease_ends == NULL && is_endpoint(kind);
}

/* What is in a file (revision 0) has none, whatever the store keeps under its name. */
void
gw_admin_leases_add(struct gw_errand *e, const struct gw_object *o)
{
    if (o->revision == 0 || gw_lease_ms(o) == 0) {
        return;
    }
    e->lease_keys = gw_mem_room(e->lease_keys, e->n_leases, &e->size_leases, sizeof(const char *));
    e->lease_keys[e->n_leases++] = o->key;
}

bool
gw_admin_leases_any(const struct gw_errand *e)
{
    return e->n_leases > 0;
}

/* ---- control thread ------------------------------------------------------------------------- */

static void
on_leases(void *arg, const uint64_t *until_ms)
{
    struct gw_errand *e = arg;

    for (size_t i = 0; until_ms != NULL && i < e->n_leases; i++) {
        e->lease_ends[i] = until_ms[i];
    }
    gw_errand_return(e);
}

static void
ask(struct gw_errand *e)
{
    gw_sync_leases(gw_control_sync(e->control), e->lease_keys, e->n_leases, on_leases, e);
}

/* ---- worker --------------------------------------------------------------------------------- */

enum gw_verdict
gw_admin_leases_send(struct gw_errand *e)
{
    e->lease_ends = gw_mem_alloc(e->n_leases * sizeof(e->lease_ends[0]));
    e->there = ask;
    return gw_errand_send(e);
}

uint64_t
gw_admin_leases_next(const struct gw_errand *e, size_t *at, const struct gw_object *o)
{
    bool was_asked = e->lease_ends != NULL && *at < e->n_leases && e->lease_keys[*at] == o->key;

    return was_asked ? e->lease_ends[(*at)++] : 0;
}
