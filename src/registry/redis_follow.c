#include "registry/redis_follow.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "registry/redis_count.h"
#include "registry/redis_news.h"
#include "registry/redis_script.h"
#include "registry/redis_stamps.h"

#define BLOCK_MS     500   /* of XREAD; also how soon a wiped store is noticed */
#define AGAIN_MS     1000  /* after an answer that could not be used */
#define CALM_MS      30000 /* a line that lasted so long is no part of a row of broken ones */
#define FIRST_MS     500 /* before a list of the same reason as the last one's; then twice that ... */
#define LONGEST_MS   10000
#define SCAN_COUNT   "500"  /* fields of one HSCAN */
#define CHANGE_COUNT "256"  /* changes of one batch */
#define BEAT_COUNT   "64"   /* beats, of which the last one counts */
#define STAMP_COUNT  "1024" /* changes before a list: who waits for them is answered by it, too */

struct gw_follow {
    struct gw_redis *redis;
    char *prefix;
    char *objects, *changes;
    struct gw_store_events events;
    void *owner;
    struct event *again; /* after an answer that could not be used */
    bool following;      /* listed, and on the line since */
    bool can_resume;     /* it was, when the connection was lost */
    bool resuming;       /* it asks whether it can go on where it was */
    bool wrong_key;      /* a key of ours holds something of another type */
    struct gw_redis_bad bad;
    uint64_t awaited_until_ms; /* mono: all gateways are waited for */
    void (*on_line)(void *arg);
    void *on_line_arg;
    /* the beats of others, while this one waits */
    void (*on_beat)(void *arg);
    void *on_beat_arg;
    uint64_t beats_until_ms; /* mono: until then they are looked at */
    char *beats;
    char beats_id[GW_BEAT_ID_MAX + 1]; /* the last one that is known; "": none yet */
    uint64_t heard_ms;                 /* wall clock */
    unsigned long long ups;
    char epoch[GW_REDIS_EPOCH_MAX + 1];
    uint64_t revision;
    struct gw_redis_stamps stamps; /* of what was read */
    uint64_t lines;                /* that were begun so far */
    struct gw_redis_count count;   /* of what is in the hash */
    long long scan_fields;         /* that it has at the end of the list */

    /* read, and not given yet: an answer of many changes may end amid some that belong together */
    struct gw_change *news;
    size_t n_news, size_news;
    struct gw_map *news_at; /* key to its place in the news; NULL: none */
    uint64_t read; /* all up to this revision was read; less than `revision`: see recall() */
    bool owes;     /* what was deleted after `owed` is still to be told */
    uint64_t owed;

    /* while listing */
    struct gw_map *scanned; /* key to object, a reference each; NULL: not listing */
    char scan_epoch[GW_REDIS_EPOCH_MAX + 1];
    uint64_t scan_revision;
    struct gw_redis_stamps scan_stamps;
    unsigned long long lists[GW_REDIS_WHYS]; /* so far */
    char reason[200];                        /* as `why`, for people; "": the first list */
    enum gw_redis_why why;

    /* the lines that broke, one after the other for the same reason */
    enum gw_redis_why broken; /* GW_REDIS_FIRST: none yet */
    uint64_t broken_ms;       /* when the last one did (mono) */
    uint64_t pause_ms;        /* before the next list; 0: it was the first one of this reason */
};

static void start_list(struct gw_follow *f);
static void wait_for_change(struct gw_follow *f);
static void ask_changes(struct gw_follow *f);
static void begin(struct gw_follow *f);

static void
free_object(void *o)
{
    gw_object_unref(o);
}

static void
forget_news(struct gw_follow *f)
{
    for (size_t i = 0; i < f->n_news; i++) {
        free(f->news[i].key);
        gw_object_unref(f->news[i].object);
    }
    free(f->news);
    gw_map_free(f->news_at, NULL);
    f->news = NULL;
    f->news_at = NULL;
    f->n_news = 0;
    f->size_news = 0;
}

static void
forget_list(struct gw_follow *f)
{
    forget_news(f);
    gw_map_free(f->scanned, free_object);
    f->scanned = NULL;
}

/* Of the next list.  detail: NULL, or which one it is. */
static void
set_why(struct gw_follow *f, enum gw_redis_why why, const char *detail)
{
    f->why = why;
    (void)snprintf(f->reason, sizeof(f->reason), detail == NULL ? "%s" : "%s (%s)",
                   gw_redis_why_text(why), detail);
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

/* A reply that is no reply to what was asked (no permission, keys of another type): nothing of
 * it is used, and the list begins again after a while.  key: of ours that was asked for. */
static void
complain(struct gw_follow *f, const char *what, const char *key, const redisReply *reply)
{
    struct timeval tv = {.tv_sec = AGAIN_MS / 1000, .tv_usec = AGAIN_MS % 1000 * 1000L};
    char text[200];

    (void)snprintf(text, sizeof(text), "%s: %s%s%s was answered: %s", gw_redis_name(f->redis), what,
                   key[0] == '\0' ? "" : " ", key,
                   reply->type == REDIS_REPLY_ERROR ? reply->str : "something unexpected");
    f->wrong_key = reply->type == REDIS_REPLY_ERROR && strstr(reply->str, "WRONGTYPE") != NULL;
    set_why(f, GW_REDIS_UNUSABLE, NULL);
    leave_line(f);
    forget_list(f);
    (void)event_add(f->again, &tv);
    f->events.reachable(f->owner, false, text);
}

static void
on_again(evutil_socket_t fd, short what, void *arg)
{
    struct gw_follow *f = arg;

    (void)fd;
    (void)what;
    begin(f);
}

/* The line is broken; f->why says why.  For the same reason as a moment ago: that is something that
 * a list does not mend, so there is a pause, which grows, and in which it is not as if all were
 * well. */
static void
list_again(struct gw_follow *f)
{
    uint64_t now = gw_clock_mono_ms();
    bool same = f->broken == f->why && now - f->broken_ms < CALM_MS;
    char text[400];

    f->broken = f->why;
    f->broken_ms = now;
    if (!same) {
        f->pause_ms = 0;
        start_list(f);
        return;
    }
    f->pause_ms = f->pause_ms == 0 ? FIRST_MS : f->pause_ms * 2;
    if (f->pause_ms > LONGEST_MS) {
        f->pause_ms = LONGEST_MS;
    }
    struct timeval tv = {.tv_sec = (time_t)(f->pause_ms / 1000),
                         .tv_usec = (suseconds_t)(f->pause_ms % 1000 * 1000)};
    f->can_resume = false;
    (void)snprintf(text, sizeof(text),
                   "%s is listed again and again, with pauses of up to %d s: %s",
                   gw_redis_name(f->redis), LONGEST_MS / 1000, f->reason);
    leave_line(f);
    forget_list(f);
    (void)event_add(f->again, &tv);
    f->events.reachable(f->owner, false, text);
}

/* Does what was read not go on from there?  Then all is listed anew. */
static bool
is_broken(struct gw_follow *f, const struct gw_redis_news *news, const char *epoch,
          uint64_t revision, const struct gw_redis_stamps *stamps)
{
    enum gw_redis_why why =
        gw_redis_news_broken(news, epoch, revision, gw_redis_stamps_of(stamps, revision));

    if (why == GW_REDIS_FIRST) {
        return false;
    }
    set_why(f, why, why == GW_REDIS_FOREIGN ? news->foreign : NULL);
    list_again(f);
    return true;
}

/* ---- the list ---- */

/* Fields that are known: objects, and what is none. */
static long long
held(const struct gw_follow *f)
{
    long long n = f->events.holds == NULL ? 0 : (long long)f->events.holds(f->owner);

    return n + (long long)gw_map_count(f->bad.fields);
}

/* Deletions are in no list.  Of a registry that is not what was known before, they are told all the
 * same, as far as they are kept: what it lacks would be taken for lost, although somebody may have
 * deleted it since, or its lease ended, as others have seen. */
static void
recall(struct gw_follow *f, enum gw_store_line line, uint64_t parting)
{
    uint64_t since = line == GW_LINE_IS_OTHER    ? 0
                     : line == GW_LINE_WENT_BACK ? parting
                                                 : UINT64_MAX;

    if (!f->owes || since < f->owed) {
        f->owed = since;
    }
    f->owes |= line != GW_LINE_GOES_ON;
    f->read = f->owes && f->owed < f->revision ? f->owed : f->revision;
}

/* After which change the list is of a registry that went another way than the line before; none:
 * UINT64_MAX. */
static uint64_t
find_parting(struct gw_follow *f)
{
    bool same = f->lines > 0 && strcmp(f->epoch, f->scan_epoch) == 0;
    uint64_t parted = same ? gw_redis_stamps_parted(&f->scan_stamps, &f->stamps) : 0;

    if (parted == 0) {
        return UINT64_MAX;
    }
    f->events.put_back(f->owner); /* the epoch and the revisions alone would not tell */
    return parted - 1;
}

/* NULL: there is none, or it was said. */
static const char *
reason_of_list(const struct gw_follow *f, uint64_t parting)
{
    if (f->why != GW_REDIS_OLDER && f->why != GW_REDIS_FORKED && parting != UINT64_MAX) {
        return gw_redis_why_text(GW_REDIS_FORKED); /* the line was lost for some other reason */
    }
    bool was_said = f->pause_ms > 0 && f->why == f->broken;
    return f->reason[0] == '\0' || was_said ? NULL : f->reason;
}

static void
finish_list(struct gw_follow *f)
{
    size_t n = 0;
    size_t at = 0;
    void *o;
    struct gw_map *scanned = f->scanned;
    struct gw_object **objects =
        gw_mem_alloc((gw_map_count(scanned) + 1) * sizeof(struct gw_object *));

    while (gw_map_next(scanned, &at, NULL, &o)) {
        objects[n++] = o;
    }
    f->scanned = NULL;
    f->following = true;
    f->lines++;
    f->wrong_key = false;
    gw_redis_bad_end(&f->bad);
    f->heard_ms = gw_clock_wall_ms();
    uint64_t parting = find_parting(f);
    f->revision = f->scan_revision;
    f->stamps = f->scan_stamps;
    memcpy(f->epoch, f->scan_epoch, sizeof(f->epoch));
    f->lists[f->why]++;
    f->events.reachable(f->owner, true, "");
    enum gw_store_line line =
        f->events.listed(f->owner, objects, n, f->revision, f->epoch, reason_of_list(f, parting));
    recall(f, line, parting);
    free(objects);
    gw_map_free(scanned, free_object);
    gw_redis_count_list(&f->count, f->scan_fields, held(f));
    if (f->owes) {
        ask_changes(f);
    } else {
        wait_for_change(f);
    }
}

/* A name with a NUL byte in it is nobody's, and not that of the object before the NUL.  What else
 * has no object, or one that can't be used, is gone: so a list would find it. */
static bool
is_name(const redisReply *field)
{
    return strlen(field->str) == (size_t)field->len;
}

/* False: it is said. */
static bool
read_news(struct gw_follow *f, const redisReply *reply, struct gw_redis_news *news)
{
    if (!gw_redis_news_read(reply, news)) {
        complain(f, "the script", "", reply);
        return false;
    }
    if (news->awaited_ms > 0) {
        f->awaited_until_ms = gw_clock_mono_ms() + news->awaited_ms;
    }
    return true;
}

/* Makes the scan right by what happened since it began. */
static void
on_scan_changes(void *arg, const redisReply *reply, const char *error)
{
    struct gw_follow *f = arg;
    struct gw_redis_news news;

    if (error != NULL) {
        return; /* on_down() does what is to be done */
    }
    if (!read_news(f, reply, &news)) {
        return;
    }
    if (is_broken(f, &news, f->scan_epoch, f->scan_revision, &f->scan_stamps)) {
        return;
    }
    gw_redis_stamps_take(&f->scan_stamps, news.stamps);
    for (size_t i = 0; i < news.fields->elements; i += 2) {
        const redisReply *field = news.fields->element[i];
        const redisReply *json = news.fields->element[i + 1];
        struct gw_str key = {field->str, (size_t)field->len};
        struct gw_object *o = gw_redis_field_read(f->objects, field, json, &f->bad);

        if (o != NULL) {
            free_object(gw_map_put(f->scanned, key, o));
        } else if (is_name(field)) {
            free_object(gw_map_take(f->scanned, key));
        }
    }
    f->scan_revision = news.upto;
    f->scan_fields = news.hash_fields;
    if (news.upto < news.revision) {
        ask_changes(f);
    } else {
        finish_list(f);
    }
}

static void scan(struct gw_follow *f, const char *cursor);

static void
on_scan(void *arg, const redisReply *reply, const char *error)
{
    struct gw_follow *f = arg;

    if (error != NULL) {
        return;
    }
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        reply->element[0]->type != REDIS_REPLY_STRING ||
        reply->element[1]->type != REDIS_REPLY_ARRAY) {
        complain(f, "HSCAN", f->objects, reply);
        return;
    }
    const redisReply *pairs = reply->element[1];
    for (size_t i = 0; i + 1 < pairs->elements; i += 2) {
        const redisReply *field = pairs->element[i];
        struct gw_object *o =
            gw_redis_field_read(f->objects, field, pairs->element[i + 1], &f->bad);

        /* a field may come twice: the later one is as new or newer */
        if (o != NULL) {
            free_object(gw_map_put(f->scanned, gw_str_of(field->str), o));
        }
    }
    if (strcmp(reply->element[0]->str, "0") == 0) {
        ask_changes(f);
    } else {
        scan(f, reply->element[0]->str);
    }
}

static void
scan(struct gw_follow *f, const char *cursor)
{
    const char *argv[] = {"HSCAN", f->objects, cursor, "COUNT", SCAN_COUNT};
    struct gw_redis_command c = {.argc = 5, .argv = argv};

    gw_redis_send(f->redis, &c, on_scan, f);
}

static void
on_mark(void *arg, const redisReply *reply, const char *error)
{
    struct gw_follow *f = arg;

    if (error != NULL) {
        return;
    }
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        reply->element[0]->type != REDIS_REPLY_STRING ||
        reply->element[1]->type != REDIS_REPLY_INTEGER) {
        complain(f, "the script", "", reply);
        return;
    }
    f->scan_revision = (uint64_t)reply->element[1]->integer;
    (void)snprintf(f->scan_epoch, sizeof(f->scan_epoch), "%s", reply->element[0]->str);
    scan(f, "0");
}

/* Why: as set. */
static void
start_list(struct gw_follow *f)
{
    static const char *const argv[] = {"mark", NULL};

    f->can_resume = false;
    leave_line(f);
    forget_list(f);
    f->scanned = gw_map_new();
    gw_redis_stamps_forget(&f->scan_stamps);
    gw_redis_bad_begin(&f->bad);
    gw_script_call(f->redis, f->prefix, argv, on_mark, f);
}

/* ---- the changes ---- */

static int
by_revision(const void *a, const void *b)
{
    const struct gw_change *x = a;
    const struct gw_change *y = b;

    return (x->revision > y->revision) - (x->revision < y->revision);
}

/* Takes the change over.  What an earlier answer said of the same key is no longer so. */
static void
add_news(struct gw_follow *f, const struct gw_change *c)
{
    if (f->news_at == NULL) {
        f->news_at = gw_map_new();
    }
    size_t at = (size_t)(uintptr_t)gw_map_get(f->news_at, gw_str_of(c->key));
    if (at > 0) { /* counted from 1 */
        free(f->news[at - 1].key);
        gw_object_unref(f->news[at - 1].object);
        f->news[at - 1] = *c;
        return;
    }
    if (f->n_news == f->size_news) {
        f->size_news = f->size_news == 0 ? 16 : f->size_news * 2;
        f->news = gw_mem_resize(f->news, f->size_news * sizeof(*f->news));
    }
    f->news[f->n_news++] = *c;
    (void)gw_map_put(f->news_at, gw_str_of(c->key), (void *)(uintptr_t)f->n_news);
}

static void
keep_changes(struct gw_follow *f, const struct gw_redis_news *news)
{
    size_t n = 0;
    struct gw_change *changes = gw_mem_alloc((news->fields->elements + 1) * sizeof(*changes));

    for (size_t i = 0; i < news->fields->elements; i += 2) {
        const redisReply *field = news->fields->element[i];
        const redisReply *json = news->fields->element[i + 1];
        struct gw_object *o = gw_redis_field_read(f->objects, field, json, &f->bad);

        if (o != NULL || is_name(field)) {
            changes[n++] = (struct gw_change){.key = gw_mem_strdup(field->str),
                                              .object = o,
                                              .revision = o == NULL ? news->upto : o->revision};
        }
    }
    qsort(changes, n, sizeof(*changes), by_revision);
    for (size_t i = 0; i < n; i++) {
        add_news(f, &changes[i]);
    }
    free(changes);
    f->read = news->upto;
}

static void
give_news(struct gw_follow *f)
{
    if (f->read > f->revision || f->n_news > 0 || f->owes) {
        f->revision = f->read;
        f->events.changed(f->owner, f->news, f->n_news, f->revision);
    }
    f->owes = false;
    forget_news(f);
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
    f->read = f->revision;
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
                f->revision);
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
    set_why(f, counted == GW_REDIS_COUNT_EMPTY ? GW_REDIS_EMPTIED : GW_REDIS_STRAYED, NULL);
    gw_log_warn("registry: %s: %lld objects are known and %s has %lld: %s", gw_redis_name(f->redis),
                held(f), f->objects, hash_fields, f->reason);
    if (counted == GW_REDIS_COUNT_EMPTY) {
        f->events.put_back(f->owner);
    }
    list_again(f);
}

/* What is recalled may be kept no longer, or not be whole. */
static bool
is_forgotten(const struct gw_follow *f, const struct gw_redis_news *news)
{
    enum gw_redis_why why = gw_redis_news_broken(news, f->epoch, f->read, 0);

    return why == GW_REDIS_MISSED || why == GW_REDIS_FOREIGN;
}

static void
on_changes(void *arg, const redisReply *reply, const char *error)
{
    struct gw_follow *f = arg;
    struct gw_redis_news news;

    if (error != NULL) {
        return;
    }
    if (!read_news(f, reply, &news)) {
        return;
    }
    if (!f->following && !f->resuming) {
        set_why(f, GW_REDIS_UNUSABLE, NULL);
        list_again(f);
        return;
    }
    if (f->read < f->revision && is_forgotten(f, &news)) {
        f->read = f->revision; /* the list alone has to do */
        ask_changes(f);
        return;
    }
    if (is_broken(f, &news, f->epoch, f->read, &f->stamps)) {
        return;
    }
    if (f->resuming &&
        !gw_redis_news_has(&news, f->read, gw_redis_stamps_of(&f->stamps, f->read))) {
        start_list(f);
        return;
    }
    gw_redis_stamps_take(&f->stamps, news.stamps);
    f->heard_ms = gw_clock_wall_ms();
    if (news.upto > f->read) {
        keep_changes(f, &news);
    }
    if (news.upto < news.revision) {
        ask_changes(f);
    } else {
        if (f->resuming) {
            resume(f);
        }
        give_news(f);
        go_on(f, news.hash_fields);
    }
}

/* After the revision of the list in the making, or of the line. */
static void
ask_changes(struct gw_follow *f)
{
    char since[24];
    bool listing = f->scanned != NULL;

    (void)snprintf(since, sizeof(since), "%" PRIu64, listing ? f->scan_revision : f->read);
    const char *argv[] = {"changes", since, CHANGE_COUNT, listing ? STAMP_COUNT : NULL, NULL};
    gw_script_call(f->redis, f->prefix, argv, listing ? on_scan_changes : on_changes, f);
}

/* A master that becomes a replica ends what blocks.  The next command finds out, and another
 * connection leads to the new master. */
static bool
is_demoted(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "UNBLOCKED ", 10) == 0;
}

static void
on_wake(void *arg, const redisReply *reply, const char *error)
{
    struct gw_follow *f = arg;

    if (error != NULL) {
        return;
    }
    if (reply->type != REDIS_REPLY_NIL && reply->type != REDIS_REPLY_ARRAY && !is_demoted(reply)) {
        complain(f, "XREAD", f->changes, reply);
    } else {
        ask_changes(f); /* woken or not: the script tells, and checks the line */
    }
}

/* Of what woke us: the last entry of beats. */
static bool
take_beat(struct gw_follow *f, const redisReply *reply)
{
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++) {
        const redisReply *stream = reply->element[i];
        const redisReply *entries = stream->elements == 2 ? stream->element[1] : NULL;

        if (entries == NULL || entries->elements == 0 ||
            stream->element[0]->type != REDIS_REPLY_STRING ||
            strcmp(stream->element[0]->str, f->beats) != 0) {
            continue;
        }
        const redisReply *last = entries->element[entries->elements - 1];
        if (last->elements > 0 && last->element[0]->type == REDIS_REPLY_STRING) {
            gw_follow_beat_id(f, last->element[0]->str);
            return true;
        }
    }
    return false;
}

/* As on_wake(), when both streams were listened to. */
static void
on_wake_or_beat(void *arg, const redisReply *reply, const char *error)
{
    struct gw_follow *f = arg;

    if (error == NULL && reply->type == REDIS_REPLY_ERROR) {
        f->beats_until_ms = 0; /* whichever of the two it is: changes alone will tell */
        wait_for_change(f);
        return;
    }
    if (error == NULL && take_beat(f, reply)) {
        f->on_beat(f->on_beat_arg);
    }
    on_wake(arg, reply, error);
}

static void
wait_for_change(struct gw_follow *f)
{
    char since[48];
    char block[16];
    bool beats = f->beats_id[0] != '\0' && gw_clock_mono_ms() < f->beats_until_ms;
    const char *alone[] = {"XREAD", "COUNT", "1", "BLOCK", block, "STREAMS", f->changes, since};
    const char *both[] = {"XREAD",   "COUNT",    BEAT_COUNT, "BLOCK", block,
                          "STREAMS", f->changes, f->beats,   since,   f->beats_id};
    struct gw_redis_command c = {
        .argc = beats ? 10 : 8, .argv = beats ? both : alone, .extra_ms = BLOCK_MS};

    /* Behind all that somebody else may have added to it: that is no news, and would wake us at
     * once, for ever. */
    (void)snprintf(since, sizeof(since), "%" PRIu64 "-%" PRIu64, f->revision, UINT64_MAX);
    (void)snprintf(block, sizeof(block), "%d", BLOCK_MS);
    gw_redis_send(f->redis, &c, beats ? on_wake_or_beat : on_wake, f);
}

static void
on_up(void *owner)
{
    struct gw_follow *f = owner;

    f->ups++;
    begin(f);
}

static void
on_down(void *owner, const char *text)
{
    struct gw_follow *f = owner;

    if (f->following) {
        set_why(f, GW_REDIS_RECONNECTED, NULL);
        f->can_resume = !f->owes;
    }
    leave_line(f);
    (void)event_del(f->again);
    forget_list(f);
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
    f->changes = key_of(prefix, "changes");
    f->beats = key_of(prefix, "beats");
    f->events = *events;
    f->owner = owner;
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
    forget_list(f);
    gw_redis_bad_fini(&f->bad);
    free(f->prefix);
    free(f->objects);
    free(f->changes);
    free(f->beats);
    free(f);
}

bool
gw_follow_has_seen(const struct gw_follow *f, const struct gw_store_mark *mark)
{
    return f->following && strcmp(f->epoch, mark->epoch) == 0 && f->revision >= mark->revision &&
           (mark->stamp == 0 || gw_redis_stamps_of(&f->stamps, mark->revision) == mark->stamp);
}

uint64_t
gw_follow_line(const struct gw_follow *f)
{
    return f->following ? f->lines : 0;
}

uint64_t
gw_follow_stamp(const struct gw_follow *f, uint64_t revision)
{
    return gw_redis_stamps_of(&f->stamps, revision);
}

void
gw_follow_status(const struct gw_follow *f, struct gw_store_status *out, bool *wrong_key)
{
    out->heard_ms = f->heard_ms;
    out->reconnects = f->ups > 0 ? f->ups - 1 : 0;
    out->quarantined = gw_map_count(f->bad.fields);
    static_assert(GW_REDIS_WHYS <= GW_STORE_WHYS, "there is room for each");
    for (int why = 0; why < GW_REDIS_WHYS; why++) {
        out->lists[why].why = gw_redis_why_label((enum gw_redis_why)why);
        out->lists[why].n = f->lists[why];
    }
    out->n_lists = GW_REDIS_WHYS;
    *wrong_key = f->wrong_key;
}

const char *
gw_follow_epoch(const struct gw_follow *f)
{
    return f->epoch;
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
    f->on_beat = on_beat;
    f->on_beat_arg = arg;
}

void
gw_follow_beat_id(struct gw_follow *f, const char *id)
{
    if (strlen(id) <= GW_BEAT_ID_MAX) {
        (void)snprintf(f->beats_id, sizeof(f->beats_id), "%s", id);
    }
}

void
gw_follow_beats(struct gw_follow *f, long long ms)
{
    f->beats_until_ms = gw_clock_mono_ms() + (uint64_t)ms;
}
