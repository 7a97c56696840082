#include "gateway/dial.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/mem.h"
#include "gateway/addresses.h"

/* Until the next address gets its chance, too. */
#define NEXT_MS 250
/* Of one connection; more than any list has. */
#define ATTEMPTS_MAX 40

/* While it has more than one address to try: two may be under way, in the backend's own
 * connection and in the rival. */
struct gw_dial {
    struct gw_conn rival; /* first: callbacks get it */
    struct gw_backend *backend;
    struct gw_timer timer;
    unsigned rival_id; /* of its spot; the backend's own is spot_id */
    unsigned edition;
    uint32_t tried;
    unsigned attempts;
    int last_family, last_error;
    bool rival_is_older;
};

static const struct gw_conn_events own_events, rival_events;

static bool
connect_to(struct gw_backend *b, struct gw_conn *c, const struct gw_spot *p,
           const struct gw_conn_events *events)
{
    struct gw_endpoint *e = b->endpoint;
    struct gw_loop *loop = gw_world_loop(e->world);
    struct sockaddr_un un = {.sun_family = AF_UNIX};

    atomic_fetch_add_explicit(&gw_world_stats(e->world)->dials, 1, memory_order_relaxed);
    switch (p->address.any.sa_family) {
    case AF_INET:
        return gw_conn_dial(c, loop, &p->address, sizeof(p->address.v4), events);
    case AF_INET6:
        return gw_conn_dial(c, loop, &p->address, sizeof(p->address.v6), events);
    default:
        if (e->url.host.n >= sizeof(un.sun_path)) {
            errno = ENAMETOOLONG;
            return false;
        }
        memcpy(un.sun_path, e->url.host.p, e->url.host.n);
        return gw_conn_dial(c, loop, &un, sizeof(un), events);
    }
}

static void
drop_dial(struct gw_backend *b)
{
    struct gw_dial *d = b->dial;

    if (d == NULL) {
        return;
    }
    gw_wheel_cancel(&d->timer);
    gw_conn_close(&d->rival, false);
    free(d);
    b->dial = NULL;
}

/* -- one address ------------------------------------------------------------------------------ */

static void
start_one(struct gw_backend *b)
{
    struct gw_endpoint *e = b->endpoint;

    b->spot_id = e->spots[0].id;
    if (!connect_to(b, &b->conn, &e->spots[0], &own_events)) {
        gw_backend_fail_soon(b, strerror(errno), gw_conn_is_own_want(errno));
    }
}

/* -- several ---------------------------------------------------------------------------------- */

static bool
is_any_left(struct gw_dial *d)
{
    const struct gw_endpoint *e = d->backend->endpoint;

    if (d->edition != gw_addresses_edition(e)) { /* other addresses have come meanwhile */
        d->edition = gw_addresses_edition(e);
        d->tried = 0;
    }
    return d->attempts < ATTEMPTS_MAX && d->tried != (UINT64_C(1) << e->n_spots) - 1;
}

static void
set_timer(struct gw_dial *d)
{
    struct gw_world *w = d->backend->endpoint->world;

    gw_wheel_set(gw_world_wheel(w), &d->timer, gw_world_now_ms(w) + NEXT_MS);
}

/* What the peer's side says counts more than our own wants: of two families one is often none of
 * this host's. */
static void
note_error(struct gw_dial *d, int error)
{
    if (d->last_error == 0 || !gw_conn_is_own_want(error)) {
        d->last_error = error;
    }
}

/* Begins with the next address that can be begun with, in the place of c, which is closed. */
static bool
dial_next(struct gw_dial *d, struct gw_conn *c)
{
    struct gw_backend *b = d->backend;
    bool own = c == &b->conn;
    struct gw_spot *p;

    while (is_any_left(d) &&
           (p = gw_addresses_next(b->endpoint, &d->tried, d->last_family)) != NULL) {
        d->attempts++;
        d->last_family = p->address.any.sa_family;
        *(own ? &b->spot_id : &d->rival_id) = p->id;
        if (connect_to(b, c, p, own ? &own_events : &rival_events)) {
            d->rival_is_older = own && d->rival.fd >= 0;
            set_timer(d);
            return true;
        }
        note_error(d, errno);
        gw_addresses_failed(b->endpoint, p->id);
    }
    return false;
}

static void
on_next(struct gw_timer *t)
{
    struct gw_dial *d = (struct gw_dial *)((char *)t - offsetof(struct gw_dial, timer));
    struct gw_backend *b = d->backend;
    bool use_rival = b->conn.fd >= 0 && (d->rival.fd < 0 || d->rival_is_older);
    struct gw_conn *c = use_rival ? &d->rival : &b->conn;

    if (!is_any_left(d)) {
        return; /* those under way have until the deadline */
    }
    if (c->fd >= 0) { /* both are taken, and silent: the older one has had its time */
        gw_addresses_failed(b->endpoint, c == &b->conn ? b->spot_id : d->rival_id);
        gw_conn_close(c, false);
    }
    (void)dial_next(d, c);
}

static void
start_several(struct gw_backend *b)
{
    struct gw_dial *d = gw_mem_alloc(sizeof(*d));

    d->backend = b;
    d->rival.fd = -1;
    d->timer.fire = on_next;
    d->edition = gw_addresses_edition(b->endpoint);
    b->dial = d;
    if (!dial_next(d, &b->conn)) {
        int error = d->last_error;

        drop_dial(b);
        gw_backend_fail_soon(b, strerror(error), gw_conn_is_own_want(error));
    }
}

/* One attempt has failed: the next, or what else is under way, or nothing. */
static void
go_on(struct gw_dial *d, struct gw_conn *c, int error)
{
    struct gw_backend *b = d->backend;

    note_error(d, error);
    gw_addresses_failed(b->endpoint, c == &b->conn ? b->spot_id : d->rival_id);
    gw_conn_close(c, false);
    if (!dial_next(d, c) && b->conn.fd < 0 && d->rival.fd < 0) {
        error = d->last_error;
        drop_dial(b);
        gw_backend_failed(b, strerror(error), gw_conn_is_own_want(error));
    }
}

static void
on_own_connected(struct gw_conn *c, int error)
{
    struct gw_backend *b = (struct gw_backend *)c;
    struct gw_dial *d = b->dial;

    if (error == 0) {
        drop_dial(b);
        gw_backend_connected(b);
    } else if (d != NULL) {
        go_on(d, c, error);
    } else {
        gw_conn_close(c, false);
        gw_backend_failed(b, strerror(error), gw_conn_is_own_want(error));
    }
}

static void
on_rival_connected(struct gw_conn *c, int error)
{
    struct gw_dial *d = (struct gw_dial *)c;
    struct gw_backend *b = d->backend;

    if (error != 0) {
        go_on(d, c, error);
        return;
    }
    if (b->conn.fd >= 0) { /* slower, and so tried last for a while */
        gw_addresses_failed(b->endpoint, b->spot_id);
        gw_conn_close(&b->conn, false);
    }
    b->spot_id = d->rival_id;
    gw_conn_open(&b->conn, c->loop, gw_conn_take_fd(c), &own_events);
    drop_dial(b);
    gw_backend_connected(b);
}

static void
on_own_readable(struct gw_conn *c)
{
    gw_backend_readable((struct gw_backend *)c);
}

static void
on_own_drained(struct gw_conn *c)
{
    gw_backend_drained((struct gw_backend *)c);
}

static void
on_rival_other(struct gw_conn *c)
{
    (void)c; /* while it is being connected there is nothing to read or write */
}

static const struct gw_conn_events own_events = {
    .readable = on_own_readable, .drained = on_own_drained, .connected = on_own_connected};

static const struct gw_conn_events rival_events = {
    .readable = on_rival_other, .drained = on_rival_other, .connected = on_rival_connected};

/* -- all -------------------------------------------------------------------------------------- */

static void
start(struct gw_backend *b)
{
    struct gw_endpoint *e = b->endpoint;

    if (e->n_spots == 0) {
        gw_backend_fail_soon(b, gw_addresses_why(e), false);
    } else if (e->n_spots == 1 && e->name == NULL) {
        start_one(b);
    } else {
        start_several(b);
    }
}

void
gw_dial_start(struct gw_backend *b)
{
    struct gw_endpoint *e = b->endpoint;

    if (gw_addresses_known(e)) {
        start(b);
    } else {
        b->waits = true;
        b->next = e->waiting;
        e->waiting = b;
    }
    gw_addresses_ask(e);
}

void
gw_dial_waiting(struct gw_endpoint *e)
{
    while (e->waiting != NULL) {
        struct gw_backend *b = e->waiting;

        e->waiting = b->next;
        b->next = NULL;
        b->waits = false;
        start(b);
    }
}

void
gw_dial_late(struct gw_backend *b)
{
    if (b->conn.fd >= 0) {
        gw_addresses_failed(b->endpoint, b->spot_id);
    }
    if (b->dial != NULL && b->dial->rival.fd >= 0) {
        gw_addresses_failed(b->endpoint, b->dial->rival_id);
    }
}

void
gw_dial_stop(struct gw_backend *b)
{
    drop_dial(b);
    if (!b->waits) {
        return;
    }
    for (struct gw_backend **at = &b->endpoint->waiting; *at != NULL; at = &(*at)->next) {
        if (*at == b) {
            *at = b->next;
            b->waits = false;
            return;
        }
    }
}
