#include "net/redis.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include <event2/util.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/redis_private.h"
#include "net/redis_tls.h"

#define FIRST_PAUSE_MS   100
#define LONGEST_PAUSE_MS 2000
#define CLUSTER_PORT     6379

void
gw_redis_wake(struct gw_redis *r, uint64_t ms)
{
    const struct timeval tv = gw_clock_timeval(ms);

    (void)event_add(r->timer, &tv);
}

void
gw_redis_enter(struct gw_redis *r)
{
    r->busy++;
}

/* The last one out frees it. */
void
gw_redis_leave(struct gw_redis *r)
{
    if (--r->busy > 0 || !r->closed) {
        return;
    }
    gw_redis_queue_fini(&r->queue);
    gw_redis_url_fini(&r->url);
    gw_redis_aim_fini(&r->aim);
    free(r->key);
    gw_redis_tls_fini(&r->tls);
    free(r->password_file);
    if (r->password != NULL) {
        explicit_bzero(r->password, strlen(r->password));
        free(r->password);
    }
    free(r);
}

/* 100 ms, 200 ms ... 2 s, each between its half and its whole: a fleet must not come back in
 * step. */
static uint64_t
pause_ms(struct gw_redis *r)
{
    uint64_t whole = LONGEST_PAUSE_MS;
    uint16_t random;

    if (r->tries < 8 && ((uint64_t)FIRST_PAUSE_MS << r->tries) < whole) {
        whole = (uint64_t)FIRST_PAUSE_MS << r->tries;
    }
    r->tries++;
    evutil_secure_rng_get_bytes(&random, sizeof(random));
    return whole / 2 + random % (whole / 2);
}

void
gw_redis_say_why(struct gw_redis *r, const char *text)
{
    /* a Sentinel that is no good has said which one it is */
    bool named = strncmp(text, "Sentinel ", 9) == 0;

    (void)snprintf(r->why, sizeof(r->why), "%s%s%s", named ? "" : r->shown, named ? "" : ": ",
                   text);
}

/* Ends the connection, or the try to make one. */
void
gw_redis_fail(struct gw_redis *r, const char *text)
{
    if (r->closed || r->state == GW_REDIS_PAUSING) {
        return;
    }
    if (r->state != GW_REDIS_CONNECTING && gw_clock_mono_ms() - r->up_ms > GW_REDIS_STEADY_MS) {
        r->tries = 0;
    }
    if (r->sentinel != NULL && r->state == GW_REDIS_CONNECTING && r->link != NULL) {
        gw_redis_sentinel_doubt(r->sentinel, true);
    }
    r->state = GW_REDIS_PAUSING;
    r->hops =
        r->hops < GW_REDIS_MOST_HOPS ? 0 : GW_REDIS_MOST_HOPS - 1; /* then: one for each try */
    gw_redis_say_why(r, text);
    gw_redis_aim_next(&r->aim);
    if (r->sentinel != NULL) {
        gw_redis_sentinel_cancel(r->sentinel);
    }
    struct gw_redis_link *link = r->link;
    r->link = NULL;
    gw_redis_wake(r, pause_ms(r));

    gw_redis_enter(r);
    gw_redis_queue_fail(&r->queue, r->why);
    gw_redis_link_free(link);
    if (!r->closed && r->events.down != NULL) {
        r->events.down(r->owner, r->why);
    }
    gw_redis_leave(r);
}

void
gw_redis_on_link_down(void *owner, const char *text)
{
    gw_redis_fail(owner, text);
}

void
gw_redis_come_up(struct gw_redis *r)
{
    r->state = GW_REDIS_UP;
    r->up_ms = gw_clock_mono_ms();
    (void)event_del(r->timer);
    gw_redis_queue_send(&r->queue, r->link);
    gw_redis_enter(r);
    if (r->events.up != NULL) {
        r->events.up(r->owner);
    }
    gw_redis_leave(r);
}

/* The state's time is up: the pause, the connect's deadline, or nothing holds us here. */
static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct gw_redis *r = arg;
    char text[160];

    (void)fd;
    (void)what;
    if (r->state == GW_REDIS_PAUSING || !r->begun) {
        gw_redis_connect(r); /* again, or for the first time */
        return;
    }
    if (r->state == GW_REDIS_LEAVING) {
        gw_redis_hop(r);
        return;
    }
    if (r->link == NULL) {
        return;
    }
    (void)snprintf(text, sizeof(text), "no connection within %llu ms (%s)",
                   (unsigned long long)r->timeout_ms, gw_redis_link_doing(r->link));
    gw_redis_fail(r, text);
}

/* One answer is late: all behind it are, and nobody knows what became of them. */
static void
on_late(void *owner)
{
    struct gw_redis *r = owner;
    char text[64];

    bool asking = r->state == GW_REDIS_CONNECTING && r->link == NULL;

    (void)snprintf(text, sizeof(text), "no answer%s within %llu ms", asking ? " of a Sentinel" : "",
                   (unsigned long long)r->timeout_ms);
    gw_redis_fail(r, text);
}

/* The configuration was checked. */
static void
open_aim(struct gw_redis *r, const struct gw_redis_conf *conf)
{
    static const struct gw_redis_sentinel_events events = {.master = gw_redis_on_master,
                                                           .moved = gw_redis_on_master_moved};
    struct gw_diag diag = {0};

    if (gw_redis_aim_is_list(conf->cluster)) {
        (void)gw_redis_aim_read(&r->aim, conf->cluster, CLUSTER_PORT, &diag);
        r->key = gw_mem_strdup(conf->key);
    } else {
        gw_redis_aim_url(&r->aim, &r->url);
    }
    if (gw_redis_aim_is_list(conf->sentinels)) {
        bool tls = conf->sentinel.tls == 1 || (conf->sentinel.tls == 0 && r->url.tls);

        r->sentinel = gw_redis_sentinel_new(conf, tls, r->base, &events, r, &diag);
        assert(r->sentinel != NULL);
    }
    r->aim.tls = r->url.tls;
    gw_diag_fini(&diag);
}

struct gw_redis *
gw_redis_open(const struct gw_redis_conf *conf, struct event_base *base,
              const struct gw_redis_events *events, void *owner, struct gw_diag *diag)
{
    struct gw_redis_url url;

    if (!gw_redis_check(conf, diag) || !gw_redis_url_read(&url, conf->url, diag)) {
        return NULL;
    }
    struct gw_redis *r = gw_mem_alloc(sizeof(*r));
    r->url = url;
    r->password_file = gw_mem_strdup(conf->password_file);
    r->password = gw_mem_strdup(conf->password);
    gw_redis_tls_copy(&r->tls, &conf->tls);
    r->timeout_ms = conf->timeout_ms > 0 ? (uint64_t)conf->timeout_ms : 1;
    r->reply_bytes = conf->reply_bytes;
    r->writes = conf->writes;
    r->base = base;
    r->owner = owner;
    if (events != NULL) {
        r->events = *events;
    }
    r->state = GW_REDIS_CONNECTING;
    open_aim(r, conf);
    (void)snprintf(r->shown, sizeof(r->shown), "%s", r->url.text);
    gw_redis_say_why(r, "not connected yet");
    gw_redis_queue_init(&r->queue, base, on_late, r);
    r->timer = event_new(base, -1, 0, on_timer, r);
    assert(r->timer != NULL);
    gw_redis_wake(r, 0);
    return r;
}

void
gw_redis_close(struct gw_redis *r)
{
    if (r == NULL || r->closed) {
        return;
    }
    gw_redis_enter(r);
    r->closed = true;
    event_free(r->timer);
    gw_redis_queue_fail(&r->queue, "the connection to Redis was closed");
    gw_redis_link_free(r->link);
    r->link = NULL;
    gw_redis_sentinel_free(r->sentinel);
    r->sentinel = NULL;
    gw_redis_leave(r);
}

void
gw_redis_send(struct gw_redis *r, const struct gw_redis_command *c, gw_redis_done_fn *done,
              void *arg)
{
    if (r->closed || r->state == GW_REDIS_PAUSING) {
        r->queue.was_sent = false;
        done(arg, NULL, r->why);
        return;
    }
    gw_redis_queue_add(&r->queue, c, r->timeout_ms, done, arg);
    if (r->state == GW_REDIS_UP) {
        gw_redis_queue_send(&r->queue, r->link);
    }
}

bool
gw_redis_was_sent(const struct gw_redis *r)
{
    return r->queue.was_sent;
}

bool
gw_redis_is_up(const struct gw_redis *r)
{
    return r->state == GW_REDIS_UP && !r->closed;
}

const char *
gw_redis_name(const struct gw_redis *r)
{
    return r->shown;
}

const char *
gw_redis_why(const struct gw_redis *r)
{
    return r->why;
}
