#include "registry/store.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "registry/redis_fleet.h"
#include "registry/redis_leases.h"
#include "registry/redis_renew.h"
#include "registry/redis_script.h"
#include "registry/redis_write.h"

#define TICK_MS      200    /* leases; the script knows by it that nobody has reached Redis */
#define TICKS        5      /* to a second: what is done less often */
#define EXPIRE_LIMIT "1000" /* leases that one tick ends at most */

#define CAUSES       8 /* of one time away, that are remembered as told */

struct store {
    struct gw_redis *writer;
    struct gw_follow *follow;
    struct gw_redis_writes writes;
    struct gw_redis_fleet *fleet;
    struct gw_redis_renewals *renewals;
    char *prefix;
    struct gw_store_events events;
    void *owner;
    struct event *tick;
    unsigned ticks;
    uint64_t ticked_ms; /* mono: the last one */
    bool writer_up, follow_up;
    char ticking[200];  /* why leases can't be ended; "": they can */
    bool up;            /* what the owner was told last */
    char *told[CAUSES]; /* why it is away, as the owner was told; NULL: no more */
    unsigned n_told;
    char why[200]; /* the latest of it */
    unsigned long long writer_ups;
};

static void
forget_told(struct store *s)
{
    for (unsigned i = 0; i < CAUSES; i++) {
        free(s->told[i]);
        s->told[i] = NULL;
    }
    s->n_told = 0;
}

static bool
was_told(const struct store *s, const char *text)
{
    for (unsigned i = 0; i < CAUSES; i++) {
        if (s->told[i] != NULL && strcmp(s->told[i], text) == 0) {
            return true;
        }
    }
    return false;
}

/* Each cause once while it is away: they may alternate, two times a second. */
static void
tell(struct store *s, const char *text)
{
    bool up = s->writer_up && s->follow_up && s->ticking[0] == '\0';

    if (up) {
        s->why[0] = '\0';
        forget_told(s);
        if (!s->up) {
            s->up = true;
            s->events.reachable(s->owner, true, "");
        }
        return;
    }
    if (text[0] == '\0') {
        return; /* one of two is back */
    }
    (void)snprintf(s->why, sizeof(s->why), "%s", text);
    if (s->up || !was_told(s, text)) {
        char **at = &s->told[s->n_told++ % CAUSES];

        free(*at);
        *at = gw_mem_strdup(text);
        s->up = false;
        s->events.reachable(s->owner, false, text);
    }
}

static uint64_t
on_listed(void *owner, struct gw_object *const *objects, size_t n, uint64_t revision,
          const char *epoch, const char *reason)
{
    struct store *s = owner;
    uint64_t since = s->events.listed(s->owner, objects, n, revision, epoch, reason);

    gw_redis_writes_settle(&s->writes, 0);
    gw_redis_fleet_beat(s->fleet);
    return since;
}

static void
on_changed(void *owner, const struct gw_change *changes, size_t n, uint64_t revision)
{
    struct store *s = owner;

    s->events.changed(s->owner, changes, n, revision);
    gw_redis_writes_settle(&s->writes, 0);
}

static size_t
on_holds(void *owner)
{
    struct store *s = owner;

    return s->events.holds(s->owner);
}

static void
on_put_back(void *owner)
{
    struct store *s = owner;

    if (s->events.put_back != NULL) {
        s->events.put_back(s->owner);
    }
}

static void
on_follow_reachable(void *owner, bool yes, const char *text)
{
    struct store *s = owner;

    s->follow_up = yes;
    tell(s, text);
}

static void
on_writer_up(void *owner)
{
    struct store *s = owner;

    s->writer_up = true;
    s->writer_ups++;
    s->ticking[0] = '\0'; /* found out anew */
    tell(s, "");
    gw_redis_fleet_beat(s->fleet);
}

static void
on_writer_down(void *owner, const char *text)
{
    struct store *s = owner;

    s->writer_up = false;
    tell(s, text);
}

static void
on_expired(void *arg, const redisReply *reply, const char *error)
{
    struct store *s = arg;

    (void)error;
    if (reply == NULL) {
        return; /* on_writer_down() tells */
    }
    if (reply->type != REDIS_REPLY_ERROR) {
        s->ticking[0] = '\0';
        tell(s, "");
        return;
    }
    (void)snprintf(s->ticking, sizeof(s->ticking), "%s: leases can't be ended: %s",
                   gw_redis_name(s->writer), reply->str);
    tell(s, s->ticking);
}

/* late_ms: by how much more than TICK_MS this thread was busy since the last time: that Redis was
 * not away for so long is all that is known of it. */
static void
expire(struct store *s, uint64_t late_ms)
{
    char late[24];
    const char *const argv[] = {"expire", EXPIRE_LIMIT, late, NULL};

    (void)snprintf(late, sizeof(late), "%" PRIu64, late_ms);
    gw_script_call(s->writer, s->prefix, argv, on_expired, s);
}

/* Ends leases, and finds a server that does not answer any more; and each second says that we live.
 */
static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct store *s = arg;
    uint64_t now = gw_clock_mono_ms();
    uint64_t late = now > s->ticked_ms + TICK_MS ? now - s->ticked_ms - TICK_MS : 0;
    bool second = s->ticks++ % TICKS == 0;

    (void)fd;
    (void)what;
    s->ticked_ms = now;
    gw_redis_writes_settle(&s->writes, now);
    if (second) {
        gw_redis_replicas_tick(s->writes.replicas);
    }
    if (gw_redis_is_up(s->writer)) {
        expire(s, late);
    }
    if (second) {
        gw_redis_fleet_beat(s->fleet);
    }
}

static const char *
when_word(enum gw_store_when when)
{
    switch (when) {
    case GW_WHEN_ANY:
        return "any";
    case GW_WHEN_ABSENT:
        return "absent";
    case GW_WHEN_REVISION:
        return "revision";
    case GW_WHEN_PRESENT:
        return "present";
    }
    return "";
}

static void
put(void *store, const struct gw_store_put *p, gw_store_done_fn *done, void *arg)
{
    struct store *s = store;
    char revision[24];
    char lease[24];
    char uid[37];
    char *bare = gw_object_bare(p->object);

    (void)snprintf(revision, sizeof(revision), "%" PRIu64, p->revision);
    (void)snprintf(lease, sizeof(lease), "%lld", p->lease_ms);
    gw_object_uid(uid);
    const char *const argv[] = {"put",
                                p->object->key,
                                bare,
                                when_word(p->when),
                                revision,
                                lease,
                                p->uid != NULL ? p->uid : uid,
                                p->created, /* NULL: the end */
                                NULL};
    gw_redis_writes_send(&s->writes, s->prefix, argv, true, done, arg);
    free(bare);
}

/* The arguments of a put, as the script has them in a list. */
static json_t *
put_arguments(const struct gw_store_put *p)
{
    char revision[24];
    char lease[24];
    char uid[37];
    char *bare = gw_object_bare(p->object);

    (void)snprintf(revision, sizeof(revision), "%" PRIu64, p->revision);
    (void)snprintf(lease, sizeof(lease), "%lld", p->lease_ms);
    gw_object_uid(uid);
    json_t *list = json_pack("[s, s, s, s, s, s]", p->object->key, bare, when_word(p->when),
                             revision, lease, p->uid != NULL ? p->uid : uid);
    if (p->created != NULL) {
        (void)json_array_append_new(list, json_string(p->created));
    }
    free(bare);
    return list;
}

static void
put_all(void *store, const struct gw_store_put *puts, size_t n, gw_store_done_fn *done, void *arg)
{
    struct store *s = store;
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++) {
        (void)json_array_append_new(list, put_arguments(&puts[i]));
    }
    char *text = json_dumps(list, JSON_COMPACT);
    assert(text != NULL); /* of texts that are UTF-8 */
    const char *const argv[] = {"put_all", text, NULL};
    gw_redis_writes_send(&s->writes, s->prefix, argv, true, done, arg);
    free(text);
    json_decref(list);
}

static void
remove_object(void *store, const char *key, enum gw_store_when when, uint64_t revision,
              gw_store_done_fn *done, void *arg)
{
    struct store *s = store;
    char text[24];

    (void)snprintf(text, sizeof(text), "%" PRIu64, revision);
    const char *const argv[] = {"delete", key, when_word(when), text, NULL};
    gw_redis_writes_send(&s->writes, s->prefix, argv, true, done, arg);
}

static void
renew(void *store, const char *key, uint64_t revision, long long lease_ms, gw_store_done_fn *done,
      void *arg)
{
    struct store *s = store;

    gw_redis_renew(s->renewals, key, revision, lease_ms, done, arg);
}

static void
leases(void *store, const char *const *keys, size_t n, gw_store_leases_fn *done, void *arg)
{
    struct store *s = store;

    gw_redis_leases(s->writer, s->prefix, keys, n, done, arg);
}

static bool
has(void *store, const struct gw_store_mark *mark)
{
    const struct store *s = store;

    return gw_follow_has_seen(s->follow, mark);
}

static void
live(void *store, uint64_t revision)
{
    struct store *s = store;

    gw_redis_fleet_live(s->fleet, revision);
}

static void
await(void *store)
{
    struct store *s = store;

    gw_redis_fleet_await(s->fleet);
}

static void
when_fleet(void *store, const struct gw_store_mark *mark, gw_store_fleet_fn *done, void *arg)
{
    struct store *s = store;

    gw_redis_fleet_when(s->fleet, mark, done, arg);
}

static bool
forget_fleet(void *store, const void *arg)
{
    struct store *s = store;

    return gw_redis_fleet_forget(s->fleet, arg);
}

static void
part(void *store)
{
    struct store *s = store;

    gw_redis_fleet_part(s->fleet);
}

static void *
open_store(const void *conf, struct event_base *base, const struct gw_store_events *events,
           void *owner, struct gw_diag *diag)
{
    static const struct gw_redis_events writer_events = {.up = on_writer_up,
                                                         .down = on_writer_down};
    struct gw_store_events follow_events = {.listed = on_listed,
                                            .changed = on_changed,
                                            .holds = events->holds == NULL ? NULL : on_holds,
                                            .put_back = on_put_back,
                                            .reachable = on_follow_reachable};
    const struct gw_registry_redis *c = conf;
    struct gw_redis_conf redis = gw_registry_redis_conf(c);
    const struct timeval tick = gw_clock_timeval(TICK_MS);
    struct store *s = gw_mem_alloc(sizeof(*s));

    s->events = *events;
    s->owner = owner;
    gw_redis_writes_init(&s->writes);
    s->writes.timeout_ms = c->timeout_ms;
    s->writer = gw_redis_open(&redis, base, &writer_events, s, diag);
    if (s->writer == NULL) {
        free(s);
        return NULL;
    }
    s->follow = gw_follow_open(&redis, c->prefix, base, &follow_events, s, diag);
    assert(s->follow != NULL); /* the URL was good a moment ago */
    s->writes.writer = s->writer;
    s->writes.follow = s->follow;
    s->writes.replicas = c->replicas > 0 ? gw_redis_replicas_open(c, base) : NULL;
    s->fleet = gw_redis_fleet_open(c, s->writer, s->follow, base);
    s->prefix = gw_mem_strdup(c->prefix);
    s->renewals = gw_redis_renewals_new(s->writer, s->prefix, base);
    s->tick = event_new(base, -1, EV_PERSIST, on_tick, s);
    assert(s->tick != NULL);
    (void)event_add(s->tick, &tick);
    s->ticked_ms = gw_clock_mono_ms();
    return s;
}

static void
close_store(void *store)
{
    struct store *s = store;

    event_free(s->tick);
    gw_redis_renewals_flush(s->renewals);
    gw_redis_replicas_close(s->writes.replicas);
    s->writes.replicas = NULL;
    /* Before the writer is gone: whoever is answered may go on to wait for the fleet, which asks by
     * it.  What it takes along itself is refused, and waits for nothing. */
    gw_redis_writes_settle(&s->writes, UINT64_MAX);
    gw_redis_close(s->writer);
    gw_follow_on_line(s->follow, NULL, NULL);
    gw_redis_fleet_close(s->fleet);
    gw_follow_close(s->follow);
    gw_redis_renewals_free(s->renewals);
    forget_told(s);
    free(s->prefix);
    free(s);
}

static void
status(void *store, struct gw_store_status *out)
{
    const struct store *s = store;

    bool wrong_key = false;

    gw_follow_status(s->follow, out, &wrong_key);
    gw_redis_fleet_status(s->fleet, out);
    gw_refusals_status(&s->writes.refusals, out);
    out->quarantined += wrong_key || strstr(s->ticking, "WRONGTYPE") != NULL;
    out->reconnects += s->writer_ups > 0 ? s->writer_ups - 1 : 0;
    out->reconnects += gw_redis_replicas_reconnects(s->writes.replicas);
    (void)snprintf(out->text, sizeof(out->text), "%s", s->why);
}

const struct gw_store_driver gw_store_redis = {
    .name = "redis",
    .open = open_store,
    .put = put,
    .put_all = put_all,
    .remove = remove_object,
    .renew = renew,
    .leases = leases,
    .has = has,
    .live = live,
    .await = await,
    .when_fleet = when_fleet,
    .forget_fleet = forget_fleet,
    .part = part,
    .status = status,
    .close = close_store,
};
