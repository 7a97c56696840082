#include "net/redis.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include <event2/util.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/redis_link.h"
#include "net/redis_login.h"
#include "net/redis_queue.h"
#include "net/redis_tls.h"
#include "net/redis_url.h"

#define FIRST_PAUSE_MS   100
#define LONGEST_PAUSE_MS 2000
#define STEADY_MS        5000 /* up for so long: the next pause is the first one again */

enum state {
    CONNECTING,
    UP,
    LEAVING, /* the server is not the right one any more; answers are still to come */
    PAUSING
};

struct gw_redis {
    struct gw_redis_url url;
    char *password_file, *password;
    struct gw_redis_tls_conf tls;
    uint64_t timeout_ms;
    size_t reply_bytes;
    struct event_base *base;
    struct gw_redis_events events;
    void *owner;
    enum state state;
    struct gw_redis_link *link;  /* NULL: none */
    struct gw_redis_steps steps; /* of the login */
    struct gw_redis_queue queue;
    struct event *timer; /* of the state: connect deadline, or end of the pause */
    unsigned tries;
    uint64_t up_ms;
    char why[256];
    char leave_for[200]; /* why it is LEAVING */
    bool writes;
    unsigned busy; /* calls into our owner that have not come back */
    bool closed;
};

static void
set_timer(struct event *e, uint64_t ms)
{
    struct timeval tv = {.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};

    (void)event_add(e, &tv);
}

static void
enter(struct gw_redis *r)
{
    r->busy++;
}

/* The last one out frees it. */
static void
leave(struct gw_redis *r)
{
    if (--r->busy > 0 || !r->closed) {
        return;
    }
    gw_redis_queue_fini(&r->queue);
    gw_redis_url_fini(&r->url);
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

/* Ends the connection, or the try to make one. */
static void
fail(struct gw_redis *r, const char *text)
{
    if (r->closed || r->state == PAUSING) {
        return;
    }
    if (r->state != CONNECTING && gw_clock_mono_ms() - r->up_ms > STEADY_MS) {
        r->tries = 0;
    }
    r->state = PAUSING;
    (void)snprintf(r->why, sizeof(r->why), "%s: %s", r->url.text, text);
    struct gw_redis_link *link = r->link;
    r->link = NULL;
    set_timer(r->timer, pause_ms(r));

    enter(r);
    gw_redis_queue_fail(&r->queue, r->why);
    gw_redis_link_free(link);
    if (!r->closed && r->events.down != NULL) {
        r->events.down(r->owner, r->why);
    }
    leave(r);
}

static void
on_link_down(void *owner, const char *text)
{
    fail(owner, text);
}

static void
come_up(struct gw_redis *r)
{
    r->state = UP;
    r->up_ms = gw_clock_mono_ms();
    (void)event_del(r->timer);
    gw_redis_queue_send(&r->queue, r->link);
    enter(r);
    if (r->events.up != NULL) {
        r->events.up(r->owner);
    }
    leave(r);
}

static void
log_in_further(struct gw_redis *r, const redisReply *reply)
{
    char text[200];

    switch (gw_redis_login_reply(&r->steps, reply, text, sizeof(text))) {
    case GW_REDIS_STEP_MORE:
        return;
    case GW_REDIS_STEP_DONE:
        come_up(r);
        return;
    case GW_REDIS_STEP_BAD:
        fail(r, text);
        return;
    }
}

/* The server has not carried the command out, and will not carry out another one.  A script's error
 * has the reason within it. */
static bool
is_astray(const struct gw_redis *r, const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ERROR && r->writes &&
           (strncmp(reply->str, "READONLY", 8) == 0 || strstr(reply->str, "-READONLY ") != NULL);
}

static void
begin_to_leave(struct gw_redis *r, const char *text)
{
    r->state = LEAVING;
    (void)snprintf(r->leave_for, sizeof(r->leave_for), "%s", text);
    (void)snprintf(r->why, sizeof(r->why), "%s: %s", r->url.text, text);
}

static void
on_link_reply(void *owner, const redisReply *reply)
{
    struct gw_redis *r = owner;

    if (r->state == CONNECTING) {
        log_in_further(r, reply);
        return;
    }
    if (!gw_redis_queue_is_asked(&r->queue)) {
        fail(r,
             reply->type == REDIS_REPLY_ERROR ? reply->str : "a reply to nothing that was asked");
        return;
    }
    enter(r);
    if (is_astray(r, reply)) {
        begin_to_leave(r, reply->str);
        gw_redis_queue_refuse(&r->queue, r->why);
    } else {
        gw_redis_queue_reply(&r->queue, reply);
    }
    if (!r->closed && r->state == LEAVING && !gw_redis_queue_is_asked(&r->queue)) {
        set_timer(r->timer, 0);
    }
    leave(r);
}

static void
connect_now(struct gw_redis *r)
{
    struct gw_redis_link_conf conf = {.base = r->base,
                                      .reply_bytes = r->reply_bytes,
                                      .reply = on_link_reply,
                                      .down = on_link_down,
                                      .owner = r};
    struct gw_redis_place to = {.host = r->url.host, .path = r->url.path, .port = r->url.port};
    struct gw_redis_login login = {.user = r->url.user,
                                   .password_file = r->password_file,
                                   .password = r->password,
                                   .db = r->url.db,
                                   .writes = r->writes};
    char text[200];
    SSL_CTX *tls = NULL;

    r->state = CONNECTING;
    set_timer(r->timer, r->timeout_ms);
    if (r->url.tls) {
        tls = gw_redis_tls_context(&r->tls, text, sizeof(text));
        if (tls == NULL) {
            fail(r, text);
            return;
        }
    }
    r->link = gw_redis_link_dial(&conf, &to, tls,
                                 r->tls.server_name != NULL ? r->tls.server_name : to.host);
    SSL_CTX_free(tls);
    if (!gw_redis_login_say(&login, r->link, &r->steps, text, sizeof(text))) {
        fail(r, text);
    }
}

/* The state's time is up: the pause, the connect's deadline, or nothing holds us here. */
static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct gw_redis *r = arg;
    char text[160];

    (void)fd;
    (void)what;
    if (r->link == NULL) {
        connect_now(r); /* again, or for the first time */
        return;
    }
    if (r->state == LEAVING) {
        fail(r, r->leave_for);
        return;
    }
    (void)snprintf(text, sizeof(text), "no connection within %llu ms (%s)",
                   (unsigned long long)r->timeout_ms, gw_redis_link_doing(r->link));
    fail(r, text);
}

/* One answer is late: all behind it are, and nobody knows what became of them. */
static void
on_late(void *owner)
{
    struct gw_redis *r = owner;
    char text[64];

    (void)snprintf(text, sizeof(text), "no answer within %llu ms",
                   (unsigned long long)r->timeout_ms);
    fail(r, text);
}

bool
gw_redis_check(const struct gw_redis_conf *conf, struct gw_diag *diag)
{
    struct gw_redis_url parts;

    if (!gw_redis_url_read(&parts, conf->url, diag)) {
        return false;
    }
    bool good = gw_redis_tls_check(&conf->tls, parts.tls, diag);
    gw_redis_url_fini(&parts);
    return good;
}

bool
gw_redis_check_plain(const char *url, struct gw_diag *diag)
{
    struct gw_redis_url parts;

    if (!gw_redis_url_read(&parts, url, diag)) {
        return false;
    }
    bool good = !parts.tls;
    gw_redis_url_fini(&parts);
    if (!good) {
        gw_diag_error(diag, (struct gw_place){0},
                      "rediss:// (TLS) is not spoken here; use a unix socket, a TLS tunnel such as "
                      "stunnel, or a private network");
    }
    return good;
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
    r->state = CONNECTING;
    (void)snprintf(r->why, sizeof(r->why), "%s: not connected yet", r->url.text);
    gw_redis_queue_init(&r->queue, base, on_late, r);
    r->timer = event_new(base, -1, 0, on_timer, r);
    assert(r->timer != NULL);
    set_timer(r->timer, 0);
    return r;
}

void
gw_redis_close(struct gw_redis *r)
{
    if (r == NULL || r->closed) {
        return;
    }
    enter(r);
    r->closed = true;
    event_free(r->timer);
    gw_redis_queue_fail(&r->queue, "the connection to Redis was closed");
    gw_redis_link_free(r->link);
    r->link = NULL;
    leave(r);
}

void
gw_redis_send(struct gw_redis *r, const struct gw_redis_command *c, gw_redis_done_fn *done,
              void *arg)
{
    if (r->closed || r->state == PAUSING) {
        r->queue.was_sent = false;
        done(arg, NULL, r->why);
        return;
    }
    gw_redis_queue_add(&r->queue, c, r->timeout_ms, done, arg);
    if (r->state == UP) {
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
    return r->state == UP && !r->closed;
}

const char *
gw_redis_name(const struct gw_redis *r)
{
    return r->url.text;
}

const char *
gw_redis_why(const struct gw_redis *r)
{
    return r->why;
}
