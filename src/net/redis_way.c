#include "net/redis_private.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "net/redis_tls.h"

static void dial(struct gw_redis *r);

static void
log_in_further(struct gw_redis *r, const redisReply *reply)
{
    char text[200];

    switch (gw_redis_login_reply(&r->steps, reply, text, sizeof(text))) {
    case GW_REDIS_STEP_MORE:
        return;
    case GW_REDIS_STEP_DONE:
        gw_redis_come_up(r);
        return;
    case GW_REDIS_STEP_BAD:
        gw_redis_fail(r, text);
        return;
    case GW_REDIS_STEP_MOVED:
        if (gw_redis_aim_moved(&r->aim, text) && r->hops++ < GW_REDIS_MOST_HOPS) {
            gw_redis_link_free(r->link);
            r->link = NULL;
            dial(r);
        } else {
            gw_redis_fail(r, text);
        }
        return;
    }
}

/* The server has not carried the command out, and will not carry out another one on this
 * connection: it is not the one (any more), or does not know (any more) who we are.  A script's
 * error has the reason within it. */
static bool
is_astray(const struct gw_redis *r, const redisReply *reply)
{
    static const char *const words[] = {"READONLY", "MASTERDOWN",  "MOVED ",
                                        "ASK ",     "CLUSTERDOWN", "NOAUTH"};

    if (reply->type != REDIS_REPLY_ERROR || !r->writes) {
        return false;
    }
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strncmp(reply->str, words[i], strlen(words[i])) == 0) {
            return true;
        }
    }
    return strstr(reply->str, "-READONLY ") != NULL;
}

static void
begin_to_leave(struct gw_redis *r, const char *text)
{
    r->state = GW_REDIS_LEAVING;
    (void)snprintf(r->leave_for, sizeof(r->leave_for), "%s", text);
    gw_redis_say_why(r, text);
}

static void
on_link_reply(void *owner, const redisReply *reply)
{
    struct gw_redis *r = owner;

    if (r->state == GW_REDIS_CONNECTING) {
        log_in_further(r, reply);
        return;
    }
    if (!gw_redis_queue_is_asked(&r->queue)) {
        gw_redis_fail(r, reply->type == REDIS_REPLY_ERROR ? reply->str
                                                          : "a reply to nothing that was asked");
        return;
    }
    gw_redis_enter(r);
    if (is_astray(r, reply)) {
        begin_to_leave(r, reply->str);
        gw_redis_queue_refuse(&r->queue, r->why);
    } else {
        gw_redis_queue_reply(&r->queue, reply);
    }
    if (!r->closed && r->state == GW_REDIS_LEAVING && !gw_redis_queue_is_asked(&r->queue)) {
        gw_redis_wake(r, 0);
    }
    gw_redis_leave(r);
}

static void
dial(struct gw_redis *r)
{
    struct gw_redis_link_conf conf = {.base = r->base,
                                      .reply_bytes = r->reply_bytes,
                                      .reply = on_link_reply,
                                      .down = gw_redis_on_link_down,
                                      .owner = r};
    struct gw_redis_place to = gw_redis_aim_place(&r->aim);
    struct gw_redis_login login = {.user = r->url.user,
                                   .password_file = r->password_file,
                                   .password = r->password,
                                   .db = r->url.db,
                                   .key = r->key,
                                   .writes = r->writes};
    char text[200];
    SSL_CTX *tls = NULL;

    gw_redis_aim_show(&r->aim, r->shown, sizeof(r->shown));
    gw_redis_wake(r, r->timeout_ms);
    if (r->url.tls) {
        tls = gw_redis_tls_context(&r->tls, text, sizeof(text));
        if (tls == NULL) {
            gw_redis_fail(r, text);
            return;
        }
    }
    r->link = gw_redis_link_dial(&conf, &to, tls,
                                 r->tls.server_name != NULL ? r->tls.server_name : to.host);
    SSL_CTX_free(tls);
    if (!gw_redis_login_say(&login, r->link, &r->steps, text, sizeof(text))) {
        gw_redis_fail(r, text);
    }
}

void
gw_redis_connect(struct gw_redis *r)
{
    r->state = GW_REDIS_CONNECTING;
    r->begun = true;
    if (r->sentinel == NULL) {
        dial(r);
        return;
    }
    (void)event_del(r->timer); /* each Sentinel has its time */
    gw_redis_sentinel_ask(r->sentinel);
}

void
gw_redis_on_master(void *owner, const char *host, int port, const char *text)
{
    struct gw_redis *r = owner;

    if (host == NULL) {
        gw_redis_fail(r, text);
        return;
    }
    gw_redis_aim_to(&r->aim, host, port);
    dial(r);
}

void
gw_redis_on_master_moved(void *owner)
{
    struct gw_redis *r = owner;

    gw_redis_enter(r);
    gw_redis_fail(r, "the Sentinels say that there is another master");
    if (!r->closed) { /* in the middle of a pause, too: that is what it was for */
        gw_redis_sentinel_doubt(r->sentinel, false);
        r->tries = 0;
        gw_redis_wake(r, 0);
    }
    gw_redis_leave(r);
}

/* From a node that is not the right one any more to the one that is, without a pause.  What was
 * sent to it has been answered; what waits, waits for the next one. */
void
gw_redis_hop(struct gw_redis *r)
{
    struct gw_redis_link *link = r->link;

    if (gw_clock_mono_ms() - r->up_ms > GW_REDIS_STEADY_MS) {
        r->hops = 0;
    }
    if (r->hops++ >= GW_REDIS_MOST_HOPS) {
        gw_redis_fail(r, r->leave_for);
        return;
    }
    if (!gw_redis_aim_moved(&r->aim, r->leave_for) && r->key != NULL) {
        gw_redis_aim_next(&r->aim);
    }
    r->link = NULL;
    gw_redis_enter(r);
    gw_redis_link_free(link);
    if (r->events.down != NULL) {
        r->events.down(r->owner, r->why);
    }
    if (!r->closed) {
        gw_redis_connect(r);
    }
    gw_redis_leave(r);
}
