#include "gateway/addresses.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/util.h>

#include "base/log.h"
#include "base/mem.h"
#include "gateway/dial.h"

/* What has run out for longer is not believed at once... */
#define STALE_MS 60000
/* ... but after waiting so long for the new answer: a name server that is gone stops nobody. */
#define PATIENCE_MS 1000
/* For so long an address that could not be connected to is tried after all others. */
#define FAILED_MS 30000

/* The name that an endpoint follows. */
struct gw_name {
    struct gw_endpoint *endpoint;
    struct gw_dns_query *query; /* NULL: none runs */
    struct gw_timer timer;      /* while a query runs: patience; else: to ask again */
    uint64_t until_ms;          /* the answer holds; 0: none has come */
    const char *why;
    unsigned last_id, edition;
    bool asking;  /* a query runs, perhaps not known by `query` yet */
    bool hurried; /* nobody waits any longer for the one that runs */
    bool failed;  /* the last one found nothing, which was said */
};

#define COUNT(e, field) \
    atomic_fetch_add_explicit(&gw_world_stats((e)->world)->field, 1, memory_order_relaxed)

static uint64_t
now_ms(const struct gw_endpoint *e)
{
    return gw_world_now_ms(e->world);
}

static void
set_one(struct gw_endpoint *e, union gw_address address)
{
    e->spots = gw_mem_alloc(sizeof(*e->spots));
    e->spots[0].address = address;
    e->spots[0].id = 1;
    e->n_spots = 1;
}

/* An address as number needs no name server. */
static bool
is_number(const char *host, unsigned port, union gw_address *out)
{
    *out = (union gw_address){0};
    if (evutil_inet_pton(AF_INET, host, &out->v4.sin_addr) == 1) {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons((uint16_t)port);
        return true;
    }
    *out = (union gw_address){0};
    if (evutil_inet_pton(AF_INET6, host, &out->v6.sin6_addr) == 1) {
        out->v6.sin6_family = AF_INET6;
        out->v6.sin6_port = htons((uint16_t)port);
        return true;
    }
    return false;
}

/* -- following a name ------------------------------------------------------------------------- */

static void
on_timer(struct gw_timer *t)
{
    struct gw_name *name = (struct gw_name *)((char *)t - offsetof(struct gw_name, timer));
    struct gw_endpoint *e = name->endpoint;

    if (name->asking) {
        name->hurried = true;
        gw_dial_waiting(e);
    } else if (e->open > 0) {
        gw_addresses_ask(e);
    }
}

static bool
same(const union gw_address *a, const union gw_address *b)
{
    if (a->any.sa_family != b->any.sa_family) {
        return false;
    }
    return a->any.sa_family == AF_INET
               ? a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr
               : memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof(a->v6.sin6_addr)) == 0;
}

/* Adds an address to a new list; what was known of it goes along. */
static void
add_spot(const struct gw_endpoint *e, struct gw_spot *list, unsigned *n, const union gw_address *a)
{
    for (unsigned i = 0; i < *n; i++) {
        if (same(&list[i].address, a)) {
            return;
        }
    }
    for (unsigned i = 0; i < e->n_spots; i++) {
        if (same(&e->spots[i].address, a)) {
            list[(*n)++] = e->spots[i];
            return;
        }
    }
    list[(*n)++] = (struct gw_spot){.address = *a, .id = ++e->name->last_id};
}

/* A family of which no word has come keeps what it had. */
static void
add_family(const struct gw_endpoint *e, struct gw_spot *list, unsigned *n,
           const struct gw_dns_family *family, int af)
{
    switch (family->outcome) {
    case GW_DNS_FOUND:
        for (unsigned i = 0; i < family->n; i++) {
            add_spot(e, list, n, &family->at[i]);
        }
        break;
    case GW_DNS_NONE:
        break;
    case GW_DNS_PENDING:
    case GW_DNS_FAILED:
        for (unsigned i = 0; i < e->n_spots; i++) {
            if (e->spots[i].address.any.sa_family == af) {
                add_spot(e, list, n, &e->spots[i].address);
            }
        }
        break;
    }
}

static bool
is_as_before(const struct gw_endpoint *e, const struct gw_spot *list, unsigned n)
{
    bool alike = n == e->n_spots;

    for (unsigned i = 0; i < n && alike; i++) {
        alike = gw_addresses_has(e, list[i].id);
    }
    return alike;
}

static void
take_reply(struct gw_endpoint *e, const struct gw_dns_reply *reply)
{
    struct gw_spot list[GW_DNS_FAMILIES * GW_DNS_ADDRESSES];
    unsigned n = 0;

    add_family(e, list, &n, &reply->families[GW_DNS_V4], AF_INET);
    add_family(e, list, &n, &reply->families[GW_DNS_V6], AF_INET6);
    if (is_as_before(e, list, n)) {
        return; /* in another order, perhaps: ours stays, so that turns stay fair */
    }
    free(e->spots);
    e->spots = NULL;
    if (n > 0) {
        e->spots = gw_mem_alloc(n * sizeof(*list));
        memcpy(e->spots, list, n * sizeof(*list));
    }
    e->n_spots = n;
    e->name->edition++;
    gw_endpoint_moved(e);
}

/* Counts each failure, but says only the first in a row: while it lasts it is asked again each
 * second. */
static void
note_outcome(struct gw_endpoint *e, const struct gw_dns_reply *reply)
{
    struct gw_name *name = e->name;
    bool failed = reply->families[GW_DNS_V4].n + reply->families[GW_DNS_V6].n == 0;

    COUNT(e, lookups);
    if (failed) {
        COUNT(e, lookup_failures);
    }
    if (failed && !name->failed && e->n_spots > 0) {
        gw_log_warn("backend %s: its name can't be looked up: %s; it is used at its known %s",
                    e->text, reply->why, e->n_spots == 1 ? "address" : "addresses");
    } else if (failed && !name->failed) {
        gw_log_warn("backend %s: its name can't be looked up: %s", e->text, reply->why);
    } else if (!failed && name->failed) {
        gw_log_info("backend %s: its name is found again", e->text);
    }
    name->failed = failed;
}

static void
on_reply(void *arg, const struct gw_dns_reply *reply)
{
    struct gw_name *name = arg;
    struct gw_endpoint *e = name->endpoint;

    gw_endpoint_ref(e); /* a request that is told may be its last user */
    if (reply->done) {
        name->query = NULL;
        name->asking = false;
        name->hurried = false;
        name->why = reply->why;
        name->until_ms = now_ms(e) + reply->ttl_ms;
        gw_wheel_set(gw_world_wheel(e->world), &name->timer, name->until_ms);
    }
    take_reply(e, reply);
    if (reply->done) {
        note_outcome(e, reply);
    }
    if (reply->done || e->n_spots > 0) {
        name->hurried = !reply->done;
        gw_dial_waiting(e);
    }
    gw_world_endpoint_release(e->world, e);
}

bool
gw_addresses_known(const struct gw_endpoint *e)
{
    const struct gw_name *name = e->name;

    if (name == NULL || name->hurried) {
        return true;
    }
    uint64_t slack = e->n_spots > 0 ? STALE_MS : 0;
    return name->until_ms != 0 && now_ms(e) < name->until_ms + slack;
}

void
gw_addresses_ask(struct gw_endpoint *e)
{
    struct gw_name *name = e->name;
    char host[256];

    if (name == NULL || name->asking || now_ms(e) < name->until_ms) {
        return;
    }
    name->asking = true;
    gw_wheel_cancel(&name->timer);
    if (e->n_spots > 0) {
        gw_wheel_set(gw_world_wheel(e->world), &name->timer, now_ms(e) + PATIENCE_MS);
    }
    (void)snprintf(host, sizeof(host), "%.*s", GW_STR_ARG(e->url.host));
    struct gw_dns_query *q = gw_dns_ask(gw_world_loop(e->world), host, e->url.port, on_reply, name);
    if (q != NULL) {
        name->query = q;
    }
}

/* -- one of them ------------------------------------------------------------------------------ */

static bool
failed_lately(const struct gw_endpoint *e, const struct gw_spot *p)
{
    return p->failed_ms != 0 && now_ms(e) - p->failed_ms < FAILED_MS;
}

struct gw_spot *
gw_addresses_next(struct gw_endpoint *e, uint32_t *tried, int last)
{
    unsigned best = e->n_spots;
    unsigned best_cost = ~0u;

    for (unsigned k = 0; k < e->n_spots; k++) {
        unsigned i = (e->next_spot + k) % e->n_spots;
        const struct gw_spot *p = &e->spots[i];
        unsigned cost =
            (failed_lately(e, p) ? 2u : 0u) + (p->address.any.sa_family == last ? 1u : 0u);

        if ((*tried & (UINT32_C(1) << i)) == 0 && cost < best_cost) {
            best = i;
            best_cost = cost;
        }
    }
    if (best == e->n_spots) {
        return NULL;
    }
    *tried |= UINT32_C(1) << best;
    e->next_spot = (best + 1) % e->n_spots;
    return &e->spots[best];
}

void
gw_addresses_failed(struct gw_endpoint *e, unsigned id)
{
    for (unsigned i = 0; i < e->n_spots; i++) {
        if (e->spots[i].id == id) {
            e->spots[i].failed_ms = now_ms(e);
        }
    }
}

bool
gw_addresses_has(const struct gw_endpoint *e, unsigned id)
{
    for (unsigned i = 0; i < e->n_spots; i++) {
        if (e->spots[i].id == id) {
            return true;
        }
    }
    return false;
}

const char *
gw_addresses_why(const struct gw_endpoint *e)
{
    return e->name == NULL || e->name->why == NULL ? "it has no address" : e->name->why;
}

unsigned
gw_addresses_edition(const struct gw_endpoint *e)
{
    return e->name == NULL ? 0 : e->name->edition;
}

/* -- the whole -------------------------------------------------------------------------------- */

void
gw_addresses_init(struct gw_endpoint *e)
{
    union gw_address address = {.any.sa_family = AF_UNIX};
    char host[256];

    if (gw_str_eq(e->url.scheme, GW_STR("unix"))) {
        set_one(e, address);
        return;
    }
    (void)snprintf(host, sizeof(host), "%.*s", GW_STR_ARG(e->url.host));
    if (is_number(host, e->url.port, &address)) {
        set_one(e, address);
        return;
    }
    e->name = gw_mem_alloc(sizeof(*e->name));
    e->name->endpoint = e;
    e->name->timer.fire = on_timer;
}

void
gw_addresses_fini(struct gw_endpoint *e)
{
    if (e->name != NULL) {
        gw_wheel_cancel(&e->name->timer);
        if (e->name->query != NULL) {
            gw_dns_cancel(e->name->query);
        }
        free(e->name);
    }
    free(e->spots);
}
