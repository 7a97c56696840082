#include "registry/settle.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define NAMED_ORPHANS 10

struct gw_settle {
    struct gw_known *known; /* borrowed */
    struct event *timer;
    bool reachable;
    bool for_endpoints; /* what the timer is for, when it runs */
    char *reason;       /* of a listing that has not been warned of; NULL: none */
    size_t listed;      /* objects of that listing */
    void (*gone)(void *owner, struct gw_changes *changes);
    void *owner;
};

static bool
is_endpoint_key(const char *key)
{
    return strncmp(key, "ksgate.io/Endpoint/", sizeof("ksgate.io/Endpoint/") - 1) == 0;
}

static bool
is_no_endpoint(const struct gw_object *o)
{
    return !is_endpoint_key(o->key);
}

static void
set_timer(struct gw_settle *s, bool for_endpoints)
{
    const struct timeval tv =
        gw_clock_timeval(for_endpoints ? GW_SETTLE_ENDPOINTS_MS : GW_SETTLE_MS);

    s->for_endpoints = for_endpoints;
    (void)event_add(s->timer, &tv);
}

/* How many orphans are no endpoints. */
static size_t
count_decided(const struct gw_settle *s)
{
    struct gw_object *o;
    size_t at = 0;
    size_t n = 0;

    while (gw_known_next_orphan(s->known, &at, &o)) {
        n += is_no_endpoint(o);
    }
    return n;
}

/* "Kind name, Kind ns/name ... and 3 more" */
static void
name_orphans(const struct gw_settle *s, bool all, struct gw_buf *out)
{
    struct gw_object *o;
    size_t at = 0;
    size_t n = 0;

    gw_buf_puts(out, "");
    while (gw_known_next_orphan(s->known, &at, &o)) {
        if ((all || is_no_endpoint(o)) && ++n <= NAMED_ORPHANS) {
            gw_buf_printf(out, "%s%s %s%s%s", n == 1 ? "" : ", ", o->kind->kind, o->ns,
                          o->ns[0] == '\0' ? "" : "/", o->name);
        }
    }
    if (n > NAMED_ORPHANS) {
        gw_buf_printf(out, " and %zu more", n - NAMED_ORPHANS);
    }
}

/* Somebody may have decided something: wait for the end of it.  Of endpoints nobody decides; they
 * have their whole time from when all that was decided upon is settled. */
static void
start(struct gw_settle *s, bool decided)
{
    bool runs = event_pending(s->timer, EV_TIMEOUT, NULL) != 0;

    if (gw_known_orphans(s->known) == 0) {
        (void)event_del(s->timer);
    } else if (count_decided(s) == 0) {
        if (!runs || !s->for_endpoints) {
            set_timer(s, true);
        }
    } else if (decided) {
        set_timer(s, false);
    }
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct gw_settle *s = arg;
    struct gw_buf names = {0};
    struct gw_changes changes = {0};
    size_t decided = count_decided(s);

    (void)fd;
    (void)what;
    if (!s->reachable) {
        set_timer(s, s->for_endpoints);
        return;
    }
    name_orphans(s, decided == 0, &names);
    gw_log_warn("registry: the registry's new content is taken over: %zu objects that it does not "
                "have are dropped: %s",
                decided == 0 ? gw_known_orphans(s->known) : decided, names.p);
    gw_buf_fini(&names);
    gw_known_drop_all(s->known, decided == 0 ? NULL : is_no_endpoint, &changes);
    start(s, false);
    s->gone(s->owner, &changes);
}

struct gw_settle *
gw_settle_new(struct event_base *base, struct gw_known *known,
              void (*gone)(void *owner, struct gw_changes *changes), void *owner)
{
    struct gw_settle *s = gw_mem_alloc(sizeof(*s));

    s->known = known;
    s->gone = gone;
    s->owner = owner;
    s->timer = event_new(base, -1, 0, on_timer, s);
    assert(s->timer != NULL);
    return s;
}

void
gw_settle_free(struct gw_settle *s)
{
    event_free(s->timer);
    free(s->reason);
    free(s);
}

void
gw_settle_reachable(struct gw_settle *s, bool yes)
{
    s->reachable = yes;
}

static void
warn(struct gw_settle *s)
{
    struct gw_buf names = {0};
    size_t orphans = gw_known_orphans(s->known);

    if (orphans == 0) {
        gw_log_warn("registry: %s; it has %zu objects, and nothing that was known is lost",
                    s->reason, s->listed);
    } else {
        name_orphans(s, true, &names);
        gw_log_warn("registry: %s; it has %zu objects, and %zu that were known are not among them "
                    "and are kept for now: %s.  Write them again (ksgate apply) to keep them, or "
                    "delete them",
                    s->reason, s->listed, orphans, names.p);
        gw_buf_fini(&names);
    }
    free(s->reason);
    s->reason = NULL;
}

void
gw_settle_listed(struct gw_settle *s, struct gw_object *const *objects, size_t n, bool replaced,
                 const char *reason)
{
    bool decided = false;

    if (replaced) { /* what was decided before is lost with the store that had it */
        (void)event_del(s->timer);
        free(s->reason);
        s->reason =
            gw_mem_strdup(reason == NULL ? "the registry is not the one of before" : reason);
        s->listed = n;
        if (gw_known_orphans(s->known) == 0) {
            warn(s);
        }
    }
    for (size_t i = 0; i < n && !decided; i++) {
        decided = is_no_endpoint(objects[i]);
    }
    start(s, decided);
}

void
gw_settle_changed(struct gw_settle *s, const struct gw_change *changes, size_t n)
{
    bool decided = false;

    if (s->reason != NULL) {
        warn(s);
    }
    if (gw_known_orphans(s->known) == 0) {
        (void)event_del(s->timer);
        return;
    }
    for (size_t i = 0; i < n && !decided; i++) {
        decided = !is_endpoint_key(changes[i].key);
    }
    start(s, decided);
}
