#include "net/redis_sentinel.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/redis_aim.h"
#include "net/redis_link.h"
#include "net/redis_login.h"
#include "net/redis_tls.h"

#define SENTINEL_PORT 26379
#define REPLY_BYTES   65536
#define AGAIN_MS      1000  /* after the line to one that was listened to is lost */
#define STEADY_MS     60000 /* a line that lasted so long: what ends it is said again */

enum state {
    IDLE,
    LOGGING_IN,
    ASKING,   /* for the address */
    LISTENING /* for a switch; the first reply is the subscription's */
};

struct gw_redis_sentinel {
    struct gw_redis_aim aim; /* the Sentinels */
    size_t tried;            /* of this round */
    char *master, *user, *password_file;
    struct gw_redis_tls_conf tls;
    uint64_t timeout_ms;
    struct event_base *base;
    struct gw_redis_sentinel_events events;
    void *owner;
    enum state state;
    bool wanted;           /* the owner waits for an answer; else it has one, which is watched */
    bool doubted;          /* the present one has named a master that was none */
    uint64_t told;         /* whose line was lost, and that was said: a bit each */
    uint64_t listening_ms; /* since when (mono) */
    char *host;            /* of the master that was told; NULL: none */
    int port;
    struct gw_redis_link *link;
    struct gw_redis_steps steps;
    struct event *timer; /* the deadline of one Sentinel, or the end of a pause */
    char why[256];       /* why the last one was no good */
};

static void try_one(struct gw_redis_sentinel *s);

static void
set_timer(struct gw_redis_sentinel *s, uint64_t ms)
{
    const struct timeval tv = gw_clock_timeval(ms);

    (void)event_add(s->timer, &tv);
}

static void
drop_link(struct gw_redis_sentinel *s)
{
    gw_redis_link_free(s->link);
    s->link = NULL;
    s->state = IDLE;
    (void)event_del(s->timer);
}

/* Nobody is listened to for the moment.  Once of each Sentinel: it may be so each second. */
static void
say_not_listening(struct gw_redis_sentinel *s)
{
    uint64_t bit = 1ULL << (s->aim.at % 64);

    if (s->state == LISTENING && gw_clock_mono_ms() - s->listening_ms > STEADY_MS) {
        s->told &= ~bit;
    }
    if ((s->told & bit) == 0) {
        s->told |= bit;
        gw_log_warn("redis: no word of fail-overs comes from %s", s->why);
    }
}

/* This one is no good: the next, or the round is over.  One that answers who the master is and then
 * ends the line (it may not SUBSCRIBE, say) would be back at once: when nobody waits, there is
 * always a pause. */
static void
give_up(struct gw_redis_sentinel *s, const char *text)
{
    char shown[200];

    gw_redis_aim_show(&s->aim, shown, sizeof(shown));
    (void)snprintf(s->why, sizeof(s->why), "Sentinel %s: %s", shown, text);
    if (!s->wanted) {
        say_not_listening(s);
    }
    drop_link(s);
    gw_redis_aim_next(&s->aim);
    s->doubted = false;
    if (!s->wanted) {
        set_timer(s, AGAIN_MS);
        return;
    }
    if (++s->tried < s->aim.n) {
        try_one(s);
        return;
    }
    s->tried = 0;
    s->wanted = false;
    s->events.master(s->owner, NULL, 0, s->why);
}

static void
say_master(struct gw_redis_sentinel *s, const char *host, int port)
{
    bool same = s->host != NULL && s->port == port && strcmp(s->host, host) == 0;
    bool wanted = s->wanted;

    s->wanted = false;
    s->tried = 0;
    if (!same) {
        free(s->host);
        s->host = gw_mem_strdup(host);
        s->port = port;
    }
    if (wanted) {
        s->events.master(s->owner, s->host, port, "");
    } else if (!same) {
        s->events.moved(s->owner);
    }
}

/* {host, port}, or nil. */
static void
on_address(struct gw_redis_sentinel *s, const redisReply *reply)
{
    uint64_t port = 0;
    char text[200];

    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
        reply->element[0]->type == REDIS_REPLY_STRING &&
        reply->element[1]->type == REDIS_REPLY_STRING &&
        gw_str_u64(gw_str_of(reply->element[1]->str), &port) && port > 0 && port <= 65535) {
        (void)event_del(s->timer);
        s->state = LISTENING;
        s->listening_ms = gw_clock_mono_ms();
        say_master(s, reply->element[0]->str, (int)port);
        return;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        (void)snprintf(text, sizeof(text), "%s", reply->str);
    } else {
        (void)snprintf(text, sizeof(text), "it knows no master \"%s\"", s->master);
    }
    give_up(s, text);
}

/* Is the new master of that message the one that was told? */
static bool
is_present(const struct gw_redis_sentinel *s, const char *text)
{
    char end[300];
    int n = snprintf(end, sizeof(end), " %s %d", s->host == NULL ? "" : s->host, s->port);
    size_t all = strlen(text);

    return s->host != NULL && (size_t)n <= all && strcmp(text + all - (size_t)n, end) == 0;
}

/* {"message", "+switch-master", "NAME OLDHOST OLDPORT NEWHOST NEWPORT"} */
static void
on_message(struct gw_redis_sentinel *s, const redisReply *reply)
{
    size_t n = strlen(s->master);

    if (reply->type == REDIS_REPLY_ERROR) {
        give_up(s, reply->str);
        return;
    }
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3 ||
        reply->element[2]->type != REDIS_REPLY_STRING) {
        return; /* "subscribe" */
    }
    const char *text = reply->element[2]->str;
    if (strncmp(text, s->master, n) == 0 && text[n] == ' ' && !is_present(s, text)) {
        free(s->host);
        s->host = NULL; /* the owner asks anew */
        s->events.moved(s->owner);
    }
}

static void
on_reply(void *owner, const redisReply *reply)
{
    struct gw_redis_sentinel *s = owner;
    char text[200];

    switch (s->state) {
    case LOGGING_IN:
        switch (gw_redis_login_reply(&s->steps, reply, text, sizeof(text))) {
        case GW_REDIS_STEP_MORE:
            return;
        case GW_REDIS_STEP_DONE:
            s->state = ASKING;
            return;
        case GW_REDIS_STEP_BAD:
        case GW_REDIS_STEP_MOVED:
            give_up(s, text);
            return;
        }
        return;
    case ASKING:
        on_address(s, reply);
        return;
    case LISTENING:
        on_message(s, reply);
        return;
    case IDLE:
        return;
    }
}

static void
on_down(void *owner, const char *text)
{
    give_up(owner, text);
}

/* False: text says why. */
static bool
dial(struct gw_redis_sentinel *s, char *text, size_t size)
{
    struct gw_redis_link_conf conf = {.base = s->base,
                                      .reply_bytes = REPLY_BYTES,
                                      .reply = on_reply,
                                      .down = on_down,
                                      .owner = s};
    struct gw_redis_place to = gw_redis_aim_place(&s->aim);
    struct gw_redis_login login = {.user = s->user, .password_file = s->password_file};
    SSL_CTX *tls = NULL;

    if (s->aim.tls) {
        tls = gw_redis_tls_context(&s->tls, text, size);
        if (tls == NULL) {
            return false;
        }
    }
    s->link = gw_redis_link_dial(&conf, &to, tls, to.host);
    SSL_CTX_free(tls);
    return gw_redis_login_say(&login, s->link, &s->steps, text, size);
}

static void
try_one(struct gw_redis_sentinel *s)
{
    char text[200];

    s->state = LOGGING_IN;
    set_timer(s, s->timeout_ms);
    if (!dial(s, text, sizeof(text))) {
        give_up(s, text);
        return;
    }
    gw_redis_link_say(s->link, 3,
                      (const char *[]){"SENTINEL", "get-master-addr-by-name", s->master});
    gw_redis_link_say(s->link, 2, (const char *[]){"SUBSCRIBE", "+switch-master"});
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct gw_redis_sentinel *s = arg;
    char text[200];

    (void)fd;
    (void)what;
    if (s->link == NULL) {
        try_one(s);
        return;
    }
    (void)snprintf(text, sizeof(text), "no answer within %llu ms (%s)",
                   (unsigned long long)s->timeout_ms, gw_redis_link_doing(s->link));
    give_up(s, text);
}

static char *
copy_text(const char *s)
{
    return s == NULL || s[0] == '\0' ? NULL : gw_mem_strdup(s);
}

struct gw_redis_sentinel *
gw_redis_sentinel_new(const struct gw_redis_conf *conf, bool tls, struct event_base *base,
                      const struct gw_redis_sentinel_events *events, void *owner,
                      struct gw_diag *diag)
{
    struct gw_redis_aim aim;

    if (!gw_redis_aim_read(&aim, conf->sentinels, SENTINEL_PORT, diag)) {
        return NULL;
    }
    struct gw_redis_sentinel *s = gw_mem_alloc(sizeof(*s));
    s->aim = aim;
    s->aim.tls = tls;
    s->master = gw_mem_strdup(conf->master);
    s->user = copy_text(conf->sentinel.user);
    s->password_file = copy_text(conf->sentinel.password_file);
    gw_redis_tls_copy(&s->tls, &conf->tls);
    s->timeout_ms = conf->timeout_ms > 0 ? (uint64_t)conf->timeout_ms : 1;
    s->base = base;
    s->events = *events;
    s->owner = owner;
    s->timer = event_new(base, -1, 0, on_timer, s);
    assert(s->timer != NULL);
    return s;
}

void
gw_redis_sentinel_free(struct gw_redis_sentinel *s)
{
    if (s == NULL) {
        return;
    }
    drop_link(s);
    event_free(s->timer);
    gw_redis_aim_fini(&s->aim);
    gw_redis_tls_fini(&s->tls);
    free(s->master);
    free(s->user);
    free(s->password_file);
    free(s->host);
    free(s);
}

void
gw_redis_sentinel_ask(struct gw_redis_sentinel *s)
{
    /* it was given time, and did not answer; or its answer was no good */
    if (s->state == LOGGING_IN || s->state == ASKING || s->doubted) {
        gw_redis_aim_next(&s->aim);
    }
    s->doubted = false;
    drop_link(s);
    s->tried = 0;
    s->wanted = true;
    try_one(s);
}

void
gw_redis_sentinel_cancel(struct gw_redis_sentinel *s)
{
    if (s->wanted) {
        gw_redis_aim_next(&s->aim);
        drop_link(s);
        s->wanted = false;
    }
}

void
gw_redis_sentinel_doubt(struct gw_redis_sentinel *s, bool yes)
{
    s->doubted = yes && s->state == LISTENING;
}
