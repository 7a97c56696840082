#include "registry/redis_follow.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "registry/redis_count.h"
#include "registry/redis_gather.h"
#include "registry/redis_known.h"
#include "registry/redis_list.h"
#include "registry/redis_reason.h"
#include "registry/redis_recall.h"
#include "registry/redis_row.h"

static const struct gw_redis_waits complaint_waits = {.first = 1000, .second = 2000, .most = 4000};

struct gw_follow {
    struct gw_redis *redis;
    char *prefix;
    char *objects; /* key of the hash */
    struct gw_store_events events;
    void *owner;
    struct event *again; /* after an answer that could not be used */
    struct gw_redis_row complaints;
    bool following;  /* listed, and on the line since */
    bool can_resume; /* it was, when the connection was lost */
    bool resuming;   /* it asks whether it can go on where it was */
    bool wrong_key;  /* a key of ours holds something of another type */
    bool doubted;    /* something could not be used: not well before all was answered well */
    struct gw_redis_bad bad;
    struct gw_redis_wake wake;
    uint64_t awaited_until_ms; /* mono: all gateways are waited for */
    void (*on_line)(void *arg);
    void *on_line_arg;
    uint64_t heard_ms; /* wall clock */
    unsigned long long ups;

    struct gw_redis_known known; /* what has been given to the owner */
    struct gw_redis_count count; /* of what is in the hash */
    struct gw_redis_gather news; /* read, and not given yet */
    uint64_t read;               /* all up to this revision was read */
    struct gw_redis_recall recall;
    struct gw_redis_list list;
    struct gw_redis_reason reason; /* of the next list */
};

static void begin(struct gw_follow *f);
static void ask_changes(struct gw_follow *f);
static void start_list(struct gw_follow *f);
static void wait_for_change(struct gw_follow *f);

static void
forget(struct gw_follow *f)
{
    gw_redis_gather_fini(&f->news);
    gw_redis_list_end(&f->list);
}

static void
leave_line(struct gw_follow *f)
{
    bool was = f->following;

    f->following = false;
    f->resuming = false;
    if (was && f->on_line != NULL) {
        f->on_line(f->on_line_arg);
    }
}

/* Off the line for so long; text says why. */
static void
rest(struct gw_follow *f, uint64_t ms, const char *text)
{
    const struct timeval tv = gw_clock_timeval(ms);

    leave_line(f);
    forget(f);
    (void)event_add(f->again, &tv);
    f->events.reachable(f->owner, false, text);
}

/* A reply that is no reply to what was asked (no permission, keys of another type): nothing of
 * it is used, and the list begins again after a while.  key: of ours that was asked for. */
static void
complain(struct gw_follow *f, const char *what, const char *key, const redisReply *reply)
{
    char text[200];

    (void)snprintf(text, sizeof(text), "%s: %s%s%s was answered: %s", gw_redis_name(f->redis), what,
                   key[0] == '\0' ? "" : " ", key,
                   reply->type == REDIS_REPLY_ERROR ? reply->str : "something unexpected");
    f->wrong_key = reply->type == REDIS_REPLY_ERROR && strstr(reply->str, "WRONGTYPE") != NULL;
    f->doubted = true;
    gw_redis_reason_set(&f->reason, GW_REDIS_UNUSABLE, NULL);
    rest(f,
         gw_redis_row_add(&f->complaints, GW_REDIS_UNUSABLE, gw_clock_mono_ms(), &complaint_waits),
         text);
}

static void
on_again(evutil_socket_t fd, short what, void *arg)
{
    struct gw_follow *f = arg;

    (void)fd;
    (void)what;
    begin(f);
}

/* The line is broken; f->reason says why.  While there is a pause it is not as if all were well. */
static void
list_again(struct gw_follow *f)
{
    uint64_t pause_ms = gw_redis_reason_pause(&f->reason, gw_clock_mono_ms());
    char text[400];

    if (pause_ms == 0) {
        start_list(f);
        return;
    }
    f->can_resume = false;
    (void)snprintf(text, sizeof(text),
                   "%s is listed again and again, with pauses of up to %d s: %s",
                   gw_redis_name(f->redis), GW_REDIS_REASON_WAITS_MAX_MS / 1000, f->reason.text);
    rest(f, pause_ms, text);
}

static void
break_line(struct gw_follow *f, enum gw_redis_why why, const struct gw_redis_news *news)
{
    gw_redis_reason_set(&f->reason, why, why == GW_REDIS_FOREIGN ? news->foreign : NULL);
    list_again(f);
}

static void
on_heard(void *owner, const struct gw_redis_news *news)
{
    struct gw_follow *f = owner;

    if (news->awaited_ms > 0) {
        f->awaited_until_ms = gw_clock_mono_ms() + news->awaited_ms;
    }
}

/* ---- the list ---- */

/* Fields that are known: objects, and what is none. */
static long long
held(const struct gw_follow *f)
{
    long long n = f->events.holds == NULL ? 0 : (long long)f->events.holds(f->owner);

    return n + (long long)gw_map_count(f->bad.fields);
}

static void
give_list(struct gw_follow *f, uint64_t parting, const char *reason)
{
    struct gw_map *listed = f->list.objects;
    struct gw_object **objects =
        gw_mem_alloc((gw_map_count(listed) + 1) * sizeof(struct gw_object *));
    size_t n = 0;
    size_t at = 0;
    void *o;

    while (gw_map_next(listed, &at, NULL, &o)) {
        objects[n++] = o;
    }
    if (!f->doubted) { /* else on_woken() tells: it may list, and not wait, with each list */
        f->events.reachable(f->owner, true, "");
    }
    uint64_t since =
        f->events.listed(f->owner, objects, n, f->known.revision, f->known.epoch, reason);
    gw_redis_known_owe(&f->known, since == GW_STORE_ALL_TOLD || since < parting ? since : parting);
    free(objects);
    gw_redis_list_end(&f->list);
}

static void
on_listed(void *owner)
{
    struct gw_follow *f = owner;
    uint64_t parting = gw_redis_known_parting(&f->known, &f->list);
    bool parted = parting != UINT64_MAX;

    if (parted) {
        f->events.put_back(f->owner); /* the epoch and the revisions alone would not tell */
    }
    gw_redis_known_list(&f->known, &f->list, parting);
    f->following = true;
    f->wrong_key = false;
    f->heard_ms = gw_clock_wall_ms();
    f->read = f->known.revision;
    give_list(f, parting, gw_redis_reason_listed(&f->reason, parted));
    gw_redis_count_list(&f->count, f->list.fields, held(f));
    if (f->known.owes) {
        gw_redis_recall_start(&f->recall, f->known.owed, f->known.revision);
    } else {
        wait_for_change(f);
    }
}

static void
on_list_broken(void *owner, enum gw_redis_why why, const struct gw_redis_news *news)
{
    break_line(owner, why, news);
}

static void
on_unusable(void *owner, const char *what, const char *key, const redisReply *reply)
{
    complain(owner, what, key, reply);
}

/* Why: as set. */
static void
start_list(struct gw_follow *f)
{
    f->can_resume = false;
    leave_line(f);
    forget(f);
    gw_redis_list_start(&f->list);
}

/* ---- the changes ---- */

static void
give_news(struct gw_follow *f)
{
    if (f->read > f->known.revision || f->news.n > 0 || f->known.owes) {
        f->known.revision = f->read;
        f->events.changed(f->owner, f->news.items, f->news.n, f->known.revision);
    }
    f->known.owes = false;
    gw_redis_gather_fini(&f->news);
}

/* It is given with what came since: that first tells whether it was still the registry of the list.
 */
static void
on_recalled(void *owner)
{
    ask_changes(owner);
}

/* Back on a connection: where it was, if that can be; else by a list. */
static void
begin(struct gw_follow *f)
{
    if (!f->can_resume) {
        start_list(f);
        return;
    }
    f->resuming = true;
    f->read = f->known.revision;
    ask_changes(f);
}

/* The registry has the very change that was given last: what came after it is all that is missing.
 */
static void
resume(struct gw_follow *f)
{
    f->following = true;
    f->resuming = false;
    f->can_resume = false;
    f->wrong_key = false;
    gw_log_info("registry: %s is followed on from revision %" PRIu64, gw_redis_name(f->redis),
                f->known.revision);
    f->events.reachable(f->owner, true, "");
    if (f->on_line != NULL) {
        f->on_line(f->on_line_arg);
    }
}

/* Somebody may have changed the hash past the script, which makes no news.  A restarted gateway
 * would read it as it is, so all do. */
static void
go_on(struct gw_follow *f, long long hash_fields)
{
    enum gw_redis_counted counted =
        f->events.holds == NULL
            ? GW_REDIS_COUNT_GOOD
            : gw_redis_count_look(&f->count, hash_fields, held(f), gw_clock_mono_ms());

    if (counted == GW_REDIS_COUNT_GOOD) {
        wait_for_change(f);
        return;
    }
    gw_redis_reason_set(
        &f->reason, counted == GW_REDIS_COUNT_EMPTY ? GW_REDIS_EMPTIED : GW_REDIS_STRAYED, NULL);
    gw_log_warn("registry: %s: %lld objects are known and %s has %lld: %s", gw_redis_name(f->redis),
                held(f), f->objects, hash_fields, f->reason.text);
    if (counted == GW_REDIS_COUNT_EMPTY) {
        f->events.put_back(f->owner);
    }
    list_again(f);
}

/* What came after the change that is known last.  False: it does not go on from there. */
static bool
take_news(struct gw_follow *f, const struct gw_redis_news *news)
{
    uint64_t stamp = gw_redis_stamps_of(&f->known.stamps, f->read);
    enum gw_redis_why why = gw_redis_news_broken(news, f->known.epoch, f->read, stamp);

    if (why != GW_REDIS_FIRST) {
        break_line(f, why, news);
        return false;
    }
    if (f->resuming && !gw_redis_news_has(news, f->read, stamp)) {
        start_list(f);
        return false;
    }
    gw_redis_stamps_take(&f->known.stamps, news->stamps);
    f->heard_ms = gw_clock_wall_ms();
    if (news->upto > f->read) {
        gw_redis_gather_news(&f->news, news, f->objects, &f->bad);
        f->read = news->upto;
    }
    return true;
}

static void
on_changes(void *arg, const redisReply *reply, const char *error)
{
    struct gw_follow *f = arg;
    struct gw_redis_news news;

    if (error != NULL) {
        return; /* on_down() does what is to be done */
    }
    if (!gw_redis_news_read(reply, &news)) {
        complain(f, "the script", "", reply);
        return;
    }
    on_heard(f, &news);
    if (!take_news(f, &news)) {
        return;
    }
    if (f->read < news.revision) {
        ask_changes(f);
        return;
    }
    if (f->resuming) {
        resume(f);
    }
    give_news(f);
    go_on(f, news.hash_fields);
}

static void
ask_changes(struct gw_follow *f)
{
    gw_redis_changes_ask(f->redis, f->prefix, f->read, NULL, on_changes, f);
}

static void
on_woken(void *owner)
{
    struct gw_follow *f = owner;

    if (f->doubted) {
        f->doubted = false;
        f->events.reachable(f->owner, true, "");
    }
    ask_changes(f);
}

static void
wait_for_change(struct gw_follow *f)
{
    gw_redis_wake_wait(&f->wake, f->known.revision);
}

/* ---- the connection ---- */

static void
on_up(void *owner)
{
    struct gw_follow *f = owner;

    f->ups++;
    f->doubted = false;
    begin(f);
}

static void
on_down(void *owner, const char *text)
{
    struct gw_follow *f = owner;

    if (f->following) {
        gw_redis_reason_set(&f->reason, GW_REDIS_RECONNECTED, NULL);
        f->can_resume = !f->known.owes;
    }
    leave_line(f);
    (void)event_del(f->again);
    gw_redis_wake_stop(&f->wake);
    forget(f);
    f->events.reachable(f->owner, false, text);
}

static char *
key_of(const char *prefix, const char *name)
{
    struct gw_buf key = {0};

    gw_buf_printf(&key, "%s%s", prefix, name);
    return key.p;
}

struct gw_follow *
gw_follow_open(const struct gw_redis_conf *conf, const char *prefix, struct event_base *base,
               const struct gw_store_events *events, void *owner, struct gw_diag *diag)
{
    static const struct gw_redis_events redis_events = {.up = on_up, .down = on_down};
    static const struct gw_redis_list_events list_events = {
        .listed = on_listed, .broken = on_list_broken, .unusable = on_unusable, .heard = on_heard};
    struct gw_follow *f = gw_mem_alloc(sizeof(*f));

    f->redis = gw_redis_open(conf, base, &redis_events, f, diag);
    if (f->redis == NULL) {
        free(f);
        return NULL;
    }
    f->again = event_new(base, -1, 0, on_again, f);
    assert(f->again != NULL);
    gw_redis_bad_init(&f->bad);
    f->prefix = gw_mem_strdup(prefix);
    f->objects = key_of(prefix, "objects");
    f->events = *events;
    f->owner = owner;
    f->list = (struct gw_redis_list){.redis = f->redis,
                                     .prefix = f->prefix,
                                     .hash = f->objects,
                                     .bad = &f->bad,
                                     .events = &list_events,
                                     .owner = f};
    f->recall = (struct gw_redis_recall){.redis = f->redis,
                                         .prefix = f->prefix,
                                         .epoch = f->known.epoch,
                                         .into = &f->news,
                                         .recalled = on_recalled,
                                         .unusable = on_unusable,
                                         .owner = f};
    f->wake = (struct gw_redis_wake){.redis = f->redis,
                                     .changes = key_of(prefix, "changes"),
                                     .beats = key_of(prefix, "beats"),
                                     .woken = on_woken,
                                     .unusable = on_unusable,
                                     .owner = f};
    gw_redis_wake_init(&f->wake, base);
    return f;
}

void
gw_follow_close(struct gw_follow *f)
{
    if (f == NULL) {
        return;
    }
    gw_redis_close(f->redis);
    event_free(f->again);
    forget(f);
    gw_redis_bad_fini(&f->bad);
    free(f->prefix);
    free(f->objects);
    gw_redis_wake_fini(&f->wake);
    free(f);
}

bool
gw_follow_has_seen(const struct gw_follow *f, const struct gw_store_mark *mark)
{
    return f->following && gw_redis_known_has(&f->known, mark);
}

uint64_t
gw_follow_line(const struct gw_follow *f)
{
    return f->following ? f->known.lines : 0;
}

uint64_t
gw_follow_stamp(const struct gw_follow *f, uint64_t revision)
{
    return gw_redis_stamps_of(&f->known.stamps, revision);
}

void
gw_follow_status(const struct gw_follow *f, struct gw_store_status *out, bool *wrong_key)
{
    out->heard_ms = f->heard_ms;
    out->reconnects = f->ups > 0 ? f->ups - 1 : 0;
    out->quarantined = gw_map_count(f->bad.fields);
    gw_redis_reason_status(&f->reason, out);
    *wrong_key = f->wrong_key;
}

const char *
gw_follow_epoch(const struct gw_follow *f)
{
    return f->known.epoch;
}

bool
gw_follow_is_following(const struct gw_follow *f)
{
    return f->following;
}

void
gw_follow_on_line(struct gw_follow *f, void (*on_line)(void *arg), void *arg)
{
    f->on_line = on_line;
    f->on_line_arg = arg;
}

bool
gw_follow_is_awaited(const struct gw_follow *f)
{
    return gw_clock_mono_ms() < f->awaited_until_ms;
}

void
gw_follow_on_beat(struct gw_follow *f, void (*on_beat)(void *arg), void *arg)
{
    f->wake.on_beat = on_beat;
    f->wake.on_beat_arg = arg;
}

void
gw_follow_beat_id(struct gw_follow *f, const char *id)
{
    gw_redis_wake_beat_id(&f->wake, id);
}

void
gw_follow_beats(struct gw_follow *f, long long ms)
{
    f->wake.beats_until_ms = gw_clock_mono_ms() + (uint64_t)ms;
}
