#include "registry/redis_wake.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define BLOCK_MS   500  /* of XREAD; also how soon a wiped store is noticed */
#define LATER_MS   100  /* before it is asked again, where it did not block */
#define BEAT_COUNT "64" /* beats, of which the last one counts */

/* A master that becomes a replica ends what blocks.  The next command finds out, and another
 * connection leads to the new master. */
static bool
is_demoted(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "UNBLOCKED ", 10) == 0;
}

static void
on_later(evutil_socket_t fd, short what, void *arg)
{
    struct gw_redis_wake *w = arg;

    (void)fd;
    (void)what;
    w->woken(w->owner);
}

static void
on_wake(void *arg, const redisReply *reply, const char *error)
{
    struct gw_redis_wake *w = arg;

    if (error != NULL) {
        return;
    }
    if (reply->type != REDIS_REPLY_NIL && reply->type != REDIS_REPLY_ARRAY && !is_demoted(reply)) {
        w->unusable(w->owner, "XREAD", w->changes, reply);
    } else if (reply->type == REDIS_REPLY_NIL && gw_clock_mono_ms() - w->asked_ms < BLOCK_MS / 2) {
        const struct timeval later = gw_clock_timeval(LATER_MS);
        (void)event_add(w->later, &later); /* else it would be asked as fast as it says so */
    } else {
        w->woken(w->owner);
    }
}

/* Of what woke us: the last entry of beats. */
static bool
take_beat(struct gw_redis_wake *w, const redisReply *reply)
{
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++) {
        const redisReply *stream = reply->element[i];
        const redisReply *entries = stream->elements == 2 ? stream->element[1] : NULL;

        if (entries == NULL || entries->elements == 0 ||
            stream->element[0]->type != REDIS_REPLY_STRING ||
            strcmp(stream->element[0]->str, w->beats) != 0) {
            continue;
        }
        const redisReply *last = entries->element[entries->elements - 1];
        if (last->elements > 0 && last->element[0]->type == REDIS_REPLY_STRING) {
            gw_redis_wake_beat_id(w, last->element[0]->str);
            return true;
        }
    }
    return false;
}

/* As on_wake(), when both streams were listened to. */
static void
on_wake_or_beat(void *arg, const redisReply *reply, const char *error)
{
    struct gw_redis_wake *w = arg;

    if (error == NULL && reply->type == REDIS_REPLY_ERROR) {
        w->beats_until_ms = 0; /* whichever of the two it is: changes alone will tell */
        gw_redis_wake_wait(w, w->revision);
        return;
    }
    if (error == NULL && take_beat(w, reply)) {
        w->on_beat(w->on_beat_arg);
    }
    on_wake(arg, reply, error);
}

void
gw_redis_wake_wait(struct gw_redis_wake *w, uint64_t revision)
{
    char since[48];
    char block[16];
    bool beats = w->beats_id[0] != '\0' && gw_clock_mono_ms() < w->beats_until_ms;
    const char *alone[] = {"XREAD", "COUNT", "1", "BLOCK", block, "STREAMS", w->changes, since};
    const char *both[] = {"XREAD",   "COUNT",    BEAT_COUNT, "BLOCK", block,
                          "STREAMS", w->changes, w->beats,   since,   w->beats_id};
    struct gw_redis_command c = {
        .argc = beats ? 10 : 8, .argv = beats ? both : alone, .extra_ms = BLOCK_MS};

    w->revision = revision;
    w->asked_ms = gw_clock_mono_ms();
    /* Behind all that somebody else may have added to it: that is no news, and would wake us at
     * once, for ever. */
    (void)snprintf(since, sizeof(since), "%" PRIu64 "-%" PRIu64, revision, UINT64_MAX);
    (void)snprintf(block, sizeof(block), "%d", BLOCK_MS);
    gw_redis_send(w->redis, &c, beats ? on_wake_or_beat : on_wake, w);
}

void
gw_redis_wake_init(struct gw_redis_wake *w, struct event_base *base)
{
    w->later = event_new(base, -1, 0, on_later, w);
    assert(w->later != NULL);
}

void
gw_redis_wake_fini(struct gw_redis_wake *w)
{
    event_free(w->later);
    free(w->changes);
    free(w->beats);
}

void
gw_redis_wake_stop(struct gw_redis_wake *w)
{
    (void)event_del(w->later);
}

void
gw_redis_wake_beat_id(struct gw_redis_wake *w, const char *id)
{
    if (strlen(id) <= GW_BEAT_ID_MAX) {
        (void)snprintf(w->beats_id, sizeof(w->beats_id), "%s", id);
    }
}
