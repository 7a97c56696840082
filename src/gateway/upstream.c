#include "gateway/upstream.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "gateway/addresses.h"
#include "gateway/balance.h"
#include "gateway/conf.h"
#include "gateway/dial.h"
#include "gateway/health.h"
#include "gateway/pending.h"

static struct gw_world_stats *
stats_of(const struct gw_endpoint *e)
{
    return gw_world_stats(e->world);
}

#define COUNT(e, field, n) atomic_fetch_add_explicit(&stats_of(e)->field, (n), memory_order_relaxed)

struct gw_endpoint *
gw_endpoint_new(struct gw_world *w, struct gw_str text, const struct gw_url *url)
{
    struct gw_endpoint *e = gw_mem_alloc(sizeof(*e));
    const char *why;

    (void)url;
    e->world = w;
    e->refs = 1;
    e->text = gw_mem_strndup(text);
    e->hash = gw_balance_hash(text);
    e->up_since_ms = gw_world_now_ms(w);
    bool ok = gw_url_parse(gw_str_of(e->text), &e->url, &why);
    assert(ok); /* the caller has parsed it already; here the slices become ours */
    gw_addresses_init(e);
    return e;
}

void
gw_endpoint_ref(struct gw_endpoint *e)
{
    e->refs++;
}

static struct gw_slab *
slab(const struct gw_endpoint *e)
{
    return gw_world_slab(e->world, GW_SLAB_BACKENDS, sizeof(struct gw_backend));
}

static void
unlink_idle(struct gw_backend *b)
{
    struct gw_endpoint *e = b->endpoint;

    *(b->prev == NULL ? &e->idle : &b->prev->next) = b->next;
    *(b->next == NULL ? &e->idle_last : &b->next->prev) = b->prev;
    b->next = b->prev = NULL;
    e->n_idle--;
    COUNT(e, backend_idle, -1);
}

static void
close_backend(struct gw_backend *b)
{
    struct gw_endpoint *e = b->endpoint;

    gw_wheel_cancel(&b->timer);
    gw_conn_close(&b->conn, false);
    e->open--;
    COUNT(e, backend_connections, -1);
    gw_slab_give(slab(e), b);
}

static void
drop_idle(struct gw_backend *b)
{
    unlink_idle(b);
    close_backend(b);
}

static void
drop_all_idle(struct gw_endpoint *e)
{
    struct gw_backend *b = e->idle;

    while (b != NULL) {
        struct gw_backend *next = b->next;

        drop_idle(b);
        b = next;
    }
}

void
gw_endpoint_want(struct gw_endpoint *e)
{
    e->wanted++;
}

void
gw_endpoint_unwant(struct gw_endpoint *e)
{
    assert(e->wanted > 0);
    if (--e->wanted == 0) {
        drop_all_idle(e);
    }
}

void
gw_endpoint_free(struct gw_endpoint *e)
{
    assert(e->busy == 0 && e->waiting == NULL);
    drop_all_idle(e);
    gw_addresses_fini(e);
    gw_pending_fini(e);
    gw_health_fini(e);
    gw_outlier_fini(e);
    free(e->text);
    free(e);
}

bool
gw_endpoint_shed(struct gw_endpoint *e)
{
    struct gw_backend *b = e->idle_last;

    if (b == NULL) {
        return false;
    }
    unlink_idle(b);
    close_backend(b);
    COUNT(e, backend_shed, 1);
    return true;
}

/* The backend leaves its user; the endpoint may go with it. */
static void
leave(struct gw_backend *b)
{
    struct gw_endpoint *e = b->endpoint;

    e->busy--;
    if (e->n_pending > 0) {
        gw_pending_call(e);
    }
    b->owner = NULL;
    b->events = NULL;
}

void
gw_backend_failed(struct gw_backend *b, const char *why, bool ours)
{
    const struct gw_backend_events *events = b->events;
    void *owner = b->owner;

    COUNT(b->endpoint, dial_failures, 1);
    gw_backend_drop(b);
    events->failed(owner, why, ours);
}

static void
on_connect_timeout(struct gw_timer *t)
{
    struct gw_backend *b = (struct gw_backend *)((char *)t - offsetof(struct gw_backend, timer));

    bool has_no_address = b->waits;

    gw_dial_late(b);
    gw_backend_failed(b,
                      has_no_address ? "looking up its name took too long (timeouts.connect)"
                                     : "connecting took too long (timeouts.connect)",
                      false);
}

static void
on_failed(struct gw_timer *t)
{
    struct gw_backend *b = (struct gw_backend *)((char *)t - offsetof(struct gw_backend, timer));

    gw_backend_failed(b, b->why, b->ours);
}

/* Told from the loop: whoever takes a connection is not ready to hear it from within. */
void
gw_backend_fail_soon(struct gw_backend *b, const char *why, bool ours)
{
    b->ours = ours;
    b->why = why;
    b->timer.fire = on_failed;
    gw_wheel_set(gw_world_wheel(b->endpoint->world), &b->timer,
                 gw_world_now_ms(b->endpoint->world));
}

void
gw_backend_readable(struct gw_backend *b)
{
    if (b->events != NULL) {
        b->events->readable(b->owner);
        return;
    }
    /* Idle: the backend has closed it, or sends what nobody asked for.  Not usable any more. */
    drop_idle(b);
}

void
gw_backend_drained(struct gw_backend *b)
{
    if (b->events != NULL) {
        b->events->drained(b->owner);
    }
}

void
gw_backend_connected(struct gw_backend *b)
{
    gw_wheel_cancel(&b->timer);
    b->ready = true;
    b->events->ready(b->owner);
}

void
gw_endpoint_moved(struct gw_endpoint *e)
{
    struct gw_backend *b = e->idle;

    while (b != NULL) {
        struct gw_backend *next = b->next;

        if (!gw_addresses_has(e, b->spot_id)) {
            drop_idle(b);
        }
        b = next;
    }
}

static struct gw_backend *
pooled(struct gw_endpoint *e, bool sure)
{
    struct gw_backend *b = e->idle;

    while (b != NULL && !gw_conn_is_quiet(&b->conn, sure)) {
        struct gw_backend *next = b->next;

        drop_idle(b); /* which its own event would have done a moment later */
        b = next;
    }
    if (b != NULL) {
        unlink_idle(b);
        gw_wheel_cancel(&b->timer);
        b->reused = true;
        COUNT(e, reuses, 1);
    }
    return b;
}

static struct gw_backend *
fresh_one(struct gw_endpoint *e)
{
    struct gw_backend *b = gw_slab_take(slab(e));

    b->endpoint = e;
    b->conn.fd = -1;
    e->open++;
    COUNT(e, backend_connections, 1);
    return b;
}

struct gw_backend *
gw_backend_take(struct gw_endpoint *e, const struct gw_backend_events *events, void *owner,
                long long connect_ms, enum gw_backend_which which)
{
    bool fresh = which == GW_BACKEND_FRESH;
    struct gw_backend *b = fresh ? NULL : pooled(e, which == GW_BACKEND_SURE);
    bool is_new = b == NULL;

    e->refs++;
    e->busy++;
    if (is_new) {
        if (fresh && e->idle_last != NULL) {
            drop_idle(e->idle_last);
        }
        b = fresh_one(e);
    }
    b->events = events;
    b->owner = owner;
    if (is_new) {
        b->timer.fire = on_connect_timeout;
        gw_wheel_set(gw_world_wheel(e->world), &b->timer,
                     gw_world_now_ms(e->world) + (uint64_t)connect_ms);
        gw_dial_start(b);
    }
    return b;
}

static void
on_idle_timeout(struct gw_timer *t)
{
    struct gw_backend *b = (struct gw_backend *)((char *)t - offsetof(struct gw_backend, timer));

    drop_idle(b);
}

void
gw_backend_give(struct gw_backend *b)
{
    struct gw_endpoint *e = b->endpoint;
    const struct gw_conf *conf = gw_world_conf(e->world);

    if (gw_conn_may_read(&b->conn) || b->conn.failed || b->conn.out_bytes > 0 ||
        (long long)e->n_idle >= conf->settings.limits.pool || e->wanted == 0 ||
        (e->name != NULL && !gw_addresses_has(e, b->spot_id))) {
        gw_backend_drop(b);
        return;
    }
    leave(b);
    b->prev = NULL;
    b->next = e->idle;
    *(e->idle == NULL ? &e->idle_last : &e->idle->prev) = b;
    e->idle = b;
    e->n_idle++;
    COUNT(e, backend_idle, 1);
    b->timer.fire = on_idle_timeout;
    gw_wheel_set(gw_world_wheel(e->world), &b->timer,
                 gw_world_now_ms(e->world) + (uint64_t)conf->settings.timeouts.pool_idle);
    gw_world_endpoint_release(e->world, e);
}

void
gw_backend_drop(struct gw_backend *b)
{
    struct gw_endpoint *e = b->endpoint;

    gw_dial_stop(b);
    leave(b);
    close_backend(b);
    gw_world_endpoint_release(e->world, e);
}
