#include "registry/store.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "registry/redis_follow.h"
#include "registry/redis_script.h"

#define TICK_MS      1000
#define EXPIRE_LIMIT "1000"                      /* leases that one tick ends at most */
#define REPLY_BYTES  ((size_t)256 * 1024 * 1024) /* of one batch of the scan or of changes */

/* A write that Redis has answered and that has not come back by the stream yet. */
struct waiting {
    struct waiting *next;
    struct gw_store_answer answer;
    char epoch[41];
    uint64_t deadline_ms;
    gw_store_done_fn *done;
    void *arg;
};

#define CAUSES 8 /* of one time away, that are remembered as told */

struct store {
    struct gw_redis *writer;
    struct gw_follow *follow;
    char *prefix;
    long long timeout_ms;
    struct gw_store_events events;
    void *owner;
    struct event *tick;
    bool writer_up, follow_up;
    char ticking[200];  /* why leases can't be ended; "": they can */
    bool up;            /* what the owner was told last */
    char *told[CAUSES]; /* why it is away, as the owner was told; NULL: no more */
    unsigned n_told;
    char why[200]; /* the latest of it */
    unsigned long long writer_ups;
    struct waiting *first, **last;
};

/* A write on its way. */
struct write {
    struct store *store;
    bool waits; /* its change comes by the stream */
    gw_store_done_fn *done;
    void *arg;
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

/* Answers the writes whose changes the owner has been given, or that waited too long. */
static void
settle(struct store *s, uint64_t now_ms)
{
    struct waiting **at = &s->first;

    while (*at != NULL) {
        struct waiting *w = *at;
        bool seen = gw_follow_has_seen(s->follow, w->epoch, w->answer.revision);

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
        w->done(w->arg, &w->answer);
        free(w);
        at = &s->first; /* the callback may have written again */
    }
}

static void
on_listed(void *owner, struct gw_object *const *objects, size_t n, uint64_t revision,
          const char *epoch, const char *reason)
{
    struct store *s = owner;

    s->events.listed(s->owner, objects, n, revision, epoch, reason);
    settle(s, 0);
}

static void
on_changed(void *owner, const struct gw_change *changes, size_t n, uint64_t revision)
{
    struct store *s = owner;

    s->events.changed(s->owner, changes, n, revision);
    settle(s, 0);
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

/* Each second: ends leases, and finds a server that does not answer any more. */
static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct store *s = arg;
    const char *const argv[] = {"expire", EXPIRE_LIMIT, NULL};

    (void)fd;
    (void)what;
    settle(s, gw_clock_mono_ms());
    if (gw_redis_is_up(s->writer)) {
        gw_script_call(s->writer, s->prefix, argv, on_expired, s);
    }
}

static void
refuse(struct write *w, const char *text, bool unsure)
{
    struct gw_store_answer answer = {
        .result = GW_STORE_UNAVAILABLE, .text = text, .unsure = unsure};

    w->done(w->arg, &answer);
    free(w);
}

/* {RESULT, revision, lease end, epoch}; false: it is something else. */
static bool
read_answer(const redisReply *reply, struct gw_store_answer *answer)
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

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 4 ||
        reply->element[0]->type != REDIS_REPLY_STRING ||
        reply->element[1]->type != REDIS_REPLY_INTEGER ||
        reply->element[2]->type != REDIS_REPLY_INTEGER ||
        reply->element[3]->type != REDIS_REPLY_STRING) {
        return false;
    }
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(reply->element[0]->str, words[i].word) == 0) {
            *answer = (struct gw_store_answer){
                .result = words[i].result,
                .revision = (uint64_t)reply->element[1]->integer,
                .lease_until_ms = (uint64_t)reply->element[2]->integer,
                .text = words[i].text,
            };
            return true;
        }
    }
    return false;
}

static void
on_written(void *arg, const redisReply *reply, const char *error)
{
    struct write *w = arg;
    struct store *s = w->store;
    struct gw_store_answer answer;

    if (reply == NULL) {
        refuse(w, error, gw_redis_was_sent(s->writer));
        return;
    }
    if (!read_answer(reply, &answer)) {
        bool error_reply = reply->type == REDIS_REPLY_ERROR;

        refuse(w, error_reply ? reply->str : "Redis answered something unexpected", !error_reply);
        return;
    }
    const char *epoch = reply->element[3]->str;
    if (answer.result != GW_STORE_OK || !w->waits ||
        gw_follow_has_seen(s->follow, epoch, answer.revision)) {
        w->done(w->arg, &answer);
        free(w);
        return;
    }
    struct waiting *waiting = gw_mem_alloc(sizeof(*waiting));
    waiting->answer = answer;
    waiting->deadline_ms = gw_clock_mono_ms() + (uint64_t)s->timeout_ms;
    waiting->done = w->done;
    waiting->arg = w->arg;
    (void)snprintf(waiting->epoch, sizeof(waiting->epoch), "%s", epoch);
    *s->last = waiting;
    s->last = &waiting->next;
    free(w);
}

static struct write *
new_write(struct store *s, bool waits, gw_store_done_fn *done, void *arg)
{
    struct write *w = gw_mem_alloc(sizeof(*w));

    w->store = s;
    w->waits = waits;
    w->done = done;
    w->arg = arg;
    return w;
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
    gw_script_call(s->writer, s->prefix, argv, on_written, new_write(s, true, done, arg));
    free(bare);
}

static void
remove_object(void *store, const char *key, enum gw_store_when when, uint64_t revision,
              gw_store_done_fn *done, void *arg)
{
    struct store *s = store;
    char text[24];

    assert(when != GW_WHEN_ABSENT);
    (void)snprintf(text, sizeof(text), "%" PRIu64, revision);
    const char *const argv[] = {"delete", key, when_word(when), text, NULL};
    gw_script_call(s->writer, s->prefix, argv, on_written, new_write(s, true, done, arg));
}

static void
renew(void *store, const char *key, long long lease_ms, gw_store_done_fn *done, void *arg)
{
    struct store *s = store;
    char lease[24];

    (void)snprintf(lease, sizeof(lease), "%lld", lease_ms);
    const char *const argv[] = {"renew", key, lease, NULL};
    gw_script_call(s->writer, s->prefix, argv, on_written, new_write(s, false, done, arg));
}

static void *
open_store(const void *conf, struct event_base *base, const struct gw_store_events *events,
           void *owner, struct gw_diag *diag)
{
    static const struct gw_redis_events writer_events = {.up = on_writer_up,
                                                         .down = on_writer_down};
    static const struct gw_store_events follow_events = {
        .listed = on_listed, .changed = on_changed, .reachable = on_follow_reachable};
    const struct gw_registry_redis *c = conf;
    struct gw_redis_conf redis = {.url = c->url,
                                  .password_file = c->password_file,
                                  .tls = c->tls,
                                  .timeout_ms = c->timeout_ms,
                                  .reply_bytes = REPLY_BYTES,
                                  .writes = true};
    struct timeval second = {.tv_sec = TICK_MS / 1000, .tv_usec = TICK_MS % 1000 * 1000L};
    struct store *s = gw_mem_alloc(sizeof(*s));

    s->events = *events;
    s->owner = owner;
    s->timeout_ms = c->timeout_ms;
    s->last = &s->first;
    s->writer = gw_redis_open(&redis, base, &writer_events, s, diag);
    if (s->writer == NULL) {
        free(s);
        return NULL;
    }
    s->follow = gw_follow_open(&redis, c->prefix, base, &follow_events, s, diag);
    assert(s->follow != NULL); /* the URL was good a moment ago */
    s->prefix = gw_mem_strdup(c->prefix);
    s->tick = event_new(base, -1, EV_PERSIST, on_tick, s);
    assert(s->tick != NULL);
    (void)event_add(s->tick, &second);
    return s;
}

static void
close_store(void *store)
{
    struct store *s = store;

    event_free(s->tick);
    gw_redis_close(s->writer);
    settle(s, UINT64_MAX);
    gw_follow_close(s->follow);
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
    out->quarantined += wrong_key || strstr(s->ticking, "WRONGTYPE") != NULL;
    out->reconnects += s->writer_ups > 0 ? s->writer_ups - 1 : 0;
    (void)snprintf(out->text, sizeof(out->text), "%s", s->why);
}

const struct gw_store_driver gw_store_redis = {
    .name = "redis",
    .open = open_store,
    .put = put,
    .remove = remove_object,
    .renew = renew,
    .status = status,
    .close = close_store,
};
