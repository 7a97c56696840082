#include "registry/redis_write.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "registry/redis_script.h"

/* A write that Redis has answered and that has not come back by the stream yet. */
struct gw_redis_waiting {
    struct gw_redis_waiting *next;
    struct gw_store_answer answer;
    struct gw_store_mark mark;
    uint64_t deadline_ms;
    gw_store_done_fn *done;
    void *arg;
};

/* A write on its way. */
struct gw_redis_write {
    struct gw_redis_writes *of;
    bool waits; /* its change comes by the stream */
    bool puts;
    gw_store_done_fn *done;
    void *arg;
    struct gw_store_answer answer; /* while replicas are waited for */
    struct gw_store_mark mark;
};

/* Answers the writes whose changes the owner has been given, or that waited too long. */
void
gw_redis_writes_settle(struct gw_redis_writes *s, uint64_t now_ms)
{
    struct gw_redis_waiting **at = &s->first;

    while (*at != NULL) {
        struct gw_redis_waiting *w = *at;
        bool seen = gw_follow_has_seen(s->follow, &w->mark);

        if (!seen && now_ms < w->deadline_ms) {
            at = &w->next;
            continue;
        }
        if (!seen) {
            w->answer.text = "stored, but its change has not come back to this gateway yet";
        }
        *at = w->next;
        if (*at == NULL) {
            s->last = at;
        }
        w->answer.mark = &w->mark;
        w->done(w->arg, &w->answer);
        free(w);
        at = &s->first; /* the callback may have written again */
    }
}

static void
refuse(struct gw_redis_write *w, const char *text, bool unsure)
{
    struct gw_store_answer answer = {
        .result = GW_STORE_UNAVAILABLE, .text = text, .unsure = unsure};

    w->done(w->arg, &answer);
    free(w);
}

bool
gw_redis_write_result(const char *word, enum gw_store_result *result, const char **text)
{
    static const struct {
        const char *word;
        enum gw_store_result result;
        const char *text;
    } words[] = {
        {"ok", GW_STORE_OK, NULL},
        {"conflict", GW_STORE_CONFLICT, "the object was changed meanwhile"},
        {"exists", GW_STORE_EXISTS, "the object exists already"},
        {"not_found", GW_STORE_NOT_FOUND, "there is no such object"},
    };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(word, words[i].word) == 0) {
            *result = words[i].result;
            *text = words[i].text;
            return true;
        }
    }
    return false;
}

/* {RESULT, revision, lease end, epoch, at, stamp}; false: it is something else. */
static bool
read_answer(const redisReply *reply, struct gw_store_answer *answer, struct gw_store_mark *mark)
{
    enum gw_store_result result;
    const char *text;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 6 ||
        reply->element[0]->type != REDIS_REPLY_STRING ||
        reply->element[1]->type != REDIS_REPLY_INTEGER ||
        reply->element[2]->type != REDIS_REPLY_INTEGER ||
        reply->element[3]->type != REDIS_REPLY_STRING ||
        reply->element[4]->type != REDIS_REPLY_INTEGER ||
        reply->element[5]->type != REDIS_REPLY_INTEGER ||
        !gw_redis_write_result(reply->element[0]->str, &result, &text)) {
        return false;
    }
    bool ok = result == GW_STORE_OK;
    long long third = reply->element[2]->integer;
    *answer = (struct gw_store_answer){
        .result = result,
        .revision = (uint64_t)reply->element[1]->integer,
        .lease_until_ms = ok ? (uint64_t)third : 0,
        .refused = ok || third < 1 ? 0 : (size_t)third - 1,
        .text = text,
    };
    *mark = (struct gw_store_mark){.revision = (uint64_t)reply->element[4]->integer,
                                   .stamp = (uint64_t)reply->element[5]->integer};
    (void)snprintf(mark->epoch, sizeof(mark->epoch), "%s", reply->element[3]->str);
    return true;
}

/* Answers it, once its change has come by the stream. */
static void
finish(struct gw_redis_write *w)
{
    struct gw_redis_writes *s = w->of;

    if (w->answer.result != GW_STORE_OK || !w->waits || gw_follow_has_seen(s->follow, &w->mark)) {
        w->answer.mark = &w->mark;
        w->done(w->arg, &w->answer);
        free(w);
        return;
    }
    struct gw_redis_waiting *waiting = gw_mem_alloc(sizeof(*waiting));
    waiting->answer = w->answer;
    waiting->deadline_ms = gw_clock_mono_ms() + (uint64_t)s->timeout_ms;
    waiting->done = w->done;
    waiting->arg = w->arg;
    waiting->mark = w->mark;
    *s->last = waiting;
    s->last = &waiting->next;
    free(w);
}

static void
on_replicated(void *arg, const char *text)
{
    struct gw_redis_write *w = arg;

    if (text == NULL) {
        finish(w);
    } else {
        refuse(w, text, true); /* the master has it, and it may be lost with it */
    }
}

static void
on_written(void *arg, const redisReply *reply, const char *error)
{
    struct gw_redis_write *w = arg;
    struct gw_redis_writes *s = w->of;
    struct gw_store_answer answer;

    if (reply == NULL) {
        refuse(w, error, gw_redis_was_sent(s->writer));
        return;
    }
    if (!read_answer(reply, &answer, &w->mark)) {
        bool error_reply = reply->type == REDIS_REPLY_ERROR;

        gw_refusals_add(&s->refusals, gw_redis_name(s->writer), w->puts,
                        error_reply ? reply->str : "it answered something unexpected");
        refuse(w, error_reply ? reply->str : "Redis answered something unexpected", !error_reply);
        return;
    }
    if (answer.result == GW_STORE_OK) {
        gw_refusals_end(&s->refusals, gw_redis_name(s->writer), w->puts);
    }
    w->answer = answer;
    if (answer.result == GW_STORE_OK && w->waits && s->replicas != NULL) {
        gw_redis_replicas_when(s->replicas, &w->mark, on_replicated, w);
    } else {
        finish(w);
    }
}

void
gw_redis_writes_init(struct gw_redis_writes *s)
{
    *s = (struct gw_redis_writes){.last = &s->first};
}

void
gw_redis_writes_send(struct gw_redis_writes *s, const char *prefix, const char *const *argv,
                     bool waits, gw_store_done_fn *done, void *arg)
{
    struct gw_redis_write *w = gw_mem_alloc(sizeof(*w));

    w->of = s;
    w->waits = waits;
    w->puts = strncmp(argv[0], "put", 3) == 0;
    w->done = done;
    w->arg = arg;
    gw_script_call(s->writer, prefix, argv, on_written, w);
}
