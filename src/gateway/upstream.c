#include "gateway/upstream.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/mem.h"
#include "gateway/balance.h"
#include "gateway/conf.h"
#include "gateway/pending.h"

/* How long an address found by name is used before the name is asked for again, and until when
 * nobody waits for the answer to that: a name server that is gone stops no request. */
#define LOOKUP_FRESH_MS 10000
#define LOOKUP_STALE_MS 60000

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
    return e;
}

void
gw_endpoint_ref(struct gw_endpoint *e)
{
    e->refs++;
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
    free(b);
}

static void
drop_idle(struct gw_backend *b)
{
    unlink_idle(b);
    close_backend(b);
}

void
gw_endpoint_free(struct gw_endpoint *e)
{
    assert(e->busy == 0 && e->waiting == NULL);
    while (e->idle != NULL) {
        struct gw_backend *b = e->idle;

        assert(b->prev == NULL);
        drop_idle(b);
        assert(e->idle != b);
    }
    if (e->lookup != NULL) {
        evdns_getaddrinfo_cancel(e->lookup);
    }
    gw_pending_fini(e);
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

static void
fail(struct gw_backend *b, const char *why)
{
    const struct gw_backend_events *events = b->events;
    void *owner = b->owner;

    COUNT(b->endpoint, dial_failures, 1);
    gw_backend_drop(b);
    events->failed(owner, why);
}

static void
on_connect_timeout(struct gw_timer *t)
{
    struct gw_backend *b = (struct gw_backend *)((char *)t - offsetof(struct gw_backend, timer));

    fail(b, "connecting took too long (timeouts.connect)");
}

static void
on_failed(struct gw_timer *t)
{
    struct gw_backend *b = (struct gw_backend *)((char *)t - offsetof(struct gw_backend, timer));

    fail(b, b->why);
}

/* Told from the loop: whoever takes a connection is not ready to hear it from within. */
static void
fail_soon(struct gw_backend *b, const char *why)
{
    b->why = why;
    b->timer.fire = on_failed;
    gw_wheel_set(gw_world_wheel(b->endpoint->world), &b->timer,
                 gw_world_now_ms(b->endpoint->world));
}

static void
on_readable(struct gw_conn *c)
{
    struct gw_backend *b = (struct gw_backend *)c;

    if (b->events != NULL) {
        b->events->readable(b->owner);
        return;
    }
    /* Idle: the backend has closed it, or sends what nobody asked for.  Not usable any more. */
    drop_idle(b);
}

static void
on_drained(struct gw_conn *c)
{
    struct gw_backend *b = (struct gw_backend *)c;

    if (b->events != NULL) {
        b->events->drained(b->owner);
    }
}

static const struct gw_conn_events conn_events;

static socklen_t
address_length(const struct sockaddr_storage *a)
{
    switch (a->ss_family) {
    case AF_INET:
        return sizeof(struct sockaddr_in);
    case AF_INET6:
        return sizeof(struct sockaddr_in6);
    default:
        return sizeof(struct sockaddr_un);
    }
}

/* Starts connecting to the next of the endpoint's addresses; each is tried once. */
static bool
dial(struct gw_backend *b)
{
    struct gw_endpoint *e = b->endpoint;

    b->waits = false;
    while (b->dialed < e->n_addresses) {
        const struct sockaddr_storage *a = &e->addresses[e->next_address++ % e->n_addresses];

        b->dialed++;
        COUNT(e, dials, 1);
        if (gw_conn_dial(&b->conn, gw_world_loop(e->world), a, address_length(a), &conn_events)) {
            return true;
        }
    }
    return false;
}

static void
on_connected(struct gw_conn *c, int error)
{
    struct gw_backend *b = (struct gw_backend *)c;

    if (error == 0) {
        gw_wheel_cancel(&b->timer);
        b->ready = true;
        b->events->ready(b->owner);
        return;
    }
    gw_conn_close(c, false);
    if (!dial(b)) {
        fail(b, strerror(error));
    }
}

static const struct gw_conn_events conn_events = {
    .readable = on_readable,
    .drained = on_drained,
    .connected = on_connected,
};

static void
take_addresses(struct gw_endpoint *e, const struct evutil_addrinfo *list)
{
    e->n_addresses = 0;
    for (; list != NULL && e->n_addresses < GW_ENDPOINT_ADDRESSES; list = list->ai_next) {
        if (list->ai_addrlen <= sizeof(e->addresses[0])) {
            memcpy(&e->addresses[e->n_addresses++], list->ai_addr, list->ai_addrlen);
        }
    }
    e->resolved_ms = gw_world_now_ms(e->world);
}

static void
on_lookup(int error, struct evutil_addrinfo *list, void *arg)
{
    struct gw_endpoint *e = arg;

    if (error == EVUTIL_EAI_CANCEL) {
        return; /* the endpoint is being freed */
    }
    e->lookup = NULL;
    gw_loop_turn(gw_world_loop(e->world));
    if (error == 0) {
        take_addresses(e, list);
        evutil_freeaddrinfo(list);
    } else { /* what was known before goes on being used; it is asked for again, but not at once */
        e->resolved_ms = gw_world_now_ms(e->world);
    }
    /* The list is taken off first: a callback may take another connection of this endpoint. */
    e->refs++;
    while (e->waiting != NULL) {
        struct gw_backend *b = e->waiting;

        e->waiting = b->next;
        b->next = NULL;
        if (e->n_addresses == 0) {
            b->waits = false;
            fail_soon(b, evutil_gai_strerror(error));
        } else if (!dial(b)) {
            fail_soon(b, strerror(errno));
        }
    }
    gw_world_endpoint_release(e->world, e);
}

static bool
is_number(struct gw_endpoint *e, const char *host)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)&e->addresses[0];
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&e->addresses[0];

    if (evutil_inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)e->url.port);
    } else if (evutil_inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)e->url.port);
    } else {
        return false;
    }
    e->n_addresses = 1;
    e->resolved_ms = UINT64_MAX; /* for ever */
    return true;
}

static bool
is_unix(struct gw_endpoint *e)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&e->addresses[0];

    if (!gw_str_eq(e->url.scheme, GW_STR("unix")) || e->url.host.n >= sizeof(un->sun_path)) {
        return false;
    }
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, e->url.host.p, e->url.host.n);
    e->n_addresses = 1;
    e->resolved_ms = UINT64_MAX;
    return true;
}

/* How long ago the addresses were found: 0 for numbers and sockets, UINT64_MAX for a name that
 * nothing is known of. */
static uint64_t
age_of_addresses(struct gw_endpoint *e)
{
    char host[256];

    if (e->resolved_ms == UINT64_MAX) {
        return 0;
    }
    if (e->n_addresses > 0) {
        return gw_world_now_ms(e->world) - e->resolved_ms;
    }
    if (e->url.host.n >= sizeof(host)) {
        return UINT64_MAX;
    }
    (void)snprintf(host, sizeof(host), "%.*s", GW_STR_ARG(e->url.host));
    return is_unix(e) || is_number(e, host) ? 0 : UINT64_MAX;
}

static void
start_lookup(struct gw_endpoint *e)
{
    struct evdns_base *dns = gw_loop_dns(gw_world_loop(e->world));
    struct evutil_addrinfo hints = {.ai_family = AF_UNSPEC,
                                    .ai_socktype = SOCK_STREAM,
                                    .ai_flags = EVUTIL_AI_ADDRCONFIG | AI_NUMERICSERV};
    char host[256];
    char port[8];

    if (e->lookup != NULL) {
        return;
    }
    (void)snprintf(host, sizeof(host), "%.*s", GW_STR_ARG(e->url.host));
    (void)snprintf(port, sizeof(port), "%u", e->url.port);
    if (dns == NULL) {
        on_lookup(EVUTIL_EAI_FAIL, NULL, e);
        return;
    }
    /* NULL when it has answered from within: then there is nothing left to cancel. */
    e->lookup = evdns_getaddrinfo(dns, host, port, &hints, on_lookup, e);
}

static struct gw_backend *
pooled(struct gw_endpoint *e)
{
    struct gw_backend *b = e->idle;

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
    struct gw_backend *b = gw_mem_alloc(sizeof(*b));

    b->endpoint = e;
    b->conn.fd = -1;
    e->open++;
    COUNT(e, backend_connections, 1);
    return b;
}

static void
begin(struct gw_backend *b, long long connect_ms)
{
    struct gw_endpoint *e = b->endpoint;
    struct gw_wheel *wheel = gw_world_wheel(e->world);
    uint64_t now = gw_world_now_ms(e->world);

    b->timer.fire = on_connect_timeout;
    gw_wheel_set(wheel, &b->timer, now + (uint64_t)connect_ms);
    if (age_of_addresses(e) < LOOKUP_STALE_MS) {
        if (!dial(b)) {
            fail_soon(b, strerror(errno));
        }
        return;
    }
    b->waits = true;
    b->next = e->waiting;
    e->waiting = b;
}

struct gw_backend *
gw_backend_take(struct gw_endpoint *e, const struct gw_backend_events *events, void *owner,
                long long connect_ms, bool fresh)
{
    struct gw_backend *b = fresh ? NULL : pooled(e);
    bool ask = false;

    e->refs++;
    e->busy++;
    if (b == NULL) {
        if (fresh && e->idle_last != NULL) {
            drop_idle(e->idle_last);
        }
        b = fresh_one(e);
        begin(b, connect_ms);
        ask = age_of_addresses(e) >= LOOKUP_FRESH_MS;
    }
    b->events = events;
    b->owner = owner;
    if (ask) {
        start_lookup(e);
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
        (long long)e->n_idle >= conf->settings.limits.pool || e->refs == 1) {
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

static void
unlink_waiting(struct gw_backend *b)
{
    for (struct gw_backend **at = &b->endpoint->waiting; *at != NULL; at = &(*at)->next) {
        if (*at == b) {
            *at = b->next;
            return;
        }
    }
}

void
gw_backend_drop(struct gw_backend *b)
{
    struct gw_endpoint *e = b->endpoint;

    if (b->waits) {
        unlink_waiting(b);
    }
    leave(b);
    close_backend(b);
    gw_world_endpoint_release(e->world, e);
}
