#include "registry/redis_list.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "registry/redis_script.h"

#define SCAN_COUNT   "500"  /* fields of one HSCAN */
#define CHANGE_COUNT "256"  /* changes of one batch */
#define STAMP_COUNT  "1024" /* changes before a list: who waits for them is answered by it, too */

static void ask_changes(struct gw_redis_list *l);
static void scan(struct gw_redis_list *l, const char *cursor);

static void
free_object(void *o)
{
    gw_object_unref(o);
}

void
gw_redis_changes_ask(struct gw_redis *redis, const char *prefix, uint64_t revision,
                     const char *before, gw_redis_done_fn *done, void *arg)
{
    char since[24];
    const char *argv[] = {"changes", since, CHANGE_COUNT, before, NULL};

    (void)snprintf(since, sizeof(since), "%" PRIu64, revision);
    gw_script_call(redis, prefix, argv, done, arg);
}

/* A field may be told twice: the later one is as new or newer. */
static void
put(struct gw_redis_list *l, const redisReply *field, struct gw_object *o)
{
    struct gw_str key = {field->str, (size_t)field->len};

    if (o != NULL) {
        free_object(gw_map_put(l->objects, key, o));
    } else if (gw_redis_field_is_name(field)) {
        free_object(gw_map_take(l->objects, key));
    }
}

static void
on_changes(void *arg, const redisReply *reply, const char *error)
{
    struct gw_redis_list *l = arg;
    struct gw_redis_news news;

    if (error != NULL) {
        return;
    }
    if (!gw_redis_news_read(reply, &news)) {
        l->events->unusable(l->owner, "the script", "", reply);
        return;
    }
    l->events->heard(l->owner, &news);
    enum gw_redis_why why = gw_redis_news_broken(&news, l->epoch, l->revision,
                                                 gw_redis_stamps_of(&l->stamps, l->revision));
    if (why != GW_REDIS_FIRST) {
        l->events->broken(l->owner, why, &news);
        return;
    }
    gw_redis_stamps_take(&l->stamps, news.stamps);
    for (size_t i = 0; i < news.fields->elements; i += 2) {
        const redisReply *field = news.fields->element[i];

        put(l, field, gw_redis_field_read(l->hash, field, news.fields->element[i + 1], l->bad));
    }
    l->revision = news.upto;
    l->fields = news.hash_fields;
    if (news.upto < news.revision) {
        ask_changes(l);
        return;
    }
    gw_redis_bad_end(l->bad);
    l->events->listed(l->owner);
}

static void
ask_changes(struct gw_redis_list *l)
{
    gw_redis_changes_ask(l->redis, l->prefix, l->revision, STAMP_COUNT, on_changes, l);
}

static void
on_scan(void *arg, const redisReply *reply, const char *error)
{
    struct gw_redis_list *l = arg;

    if (error != NULL) {
        return;
    }
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        reply->element[0]->type != REDIS_REPLY_STRING ||
        reply->element[1]->type != REDIS_REPLY_ARRAY) {
        l->events->unusable(l->owner, "HSCAN", l->hash, reply);
        return;
    }
    const redisReply *pairs = reply->element[1];
    for (size_t i = 0; i + 1 < pairs->elements; i += 2) {
        const redisReply *field = pairs->element[i];
        struct gw_object *o = gw_redis_field_read(l->hash, field, pairs->element[i + 1], l->bad);

        if (o != NULL) {
            put(l, field, o);
        }
    }
    if (strcmp(reply->element[0]->str, "0") == 0) {
        ask_changes(l);
    } else {
        scan(l, reply->element[0]->str);
    }
}

static void
scan(struct gw_redis_list *l, const char *cursor)
{
    const char *argv[] = {"HSCAN", l->hash, cursor, "COUNT", SCAN_COUNT};
    struct gw_redis_command c = {.argc = 5, .argv = argv};

    gw_redis_send(l->redis, &c, on_scan, l);
}

static void
on_mark(void *arg, const redisReply *reply, const char *error)
{
    struct gw_redis_list *l = arg;

    if (error != NULL) {
        return;
    }
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        reply->element[0]->type != REDIS_REPLY_STRING ||
        reply->element[1]->type != REDIS_REPLY_INTEGER) {
        l->events->unusable(l->owner, "the script", "", reply);
        return;
    }
    l->revision = (uint64_t)reply->element[1]->integer;
    (void)snprintf(l->epoch, sizeof(l->epoch), "%s", reply->element[0]->str);
    scan(l, "0");
}

void
gw_redis_list_start(struct gw_redis_list *l)
{
    static const char *const argv[] = {"mark", NULL};

    gw_redis_list_end(l);
    l->objects = gw_map_new();
    gw_redis_stamps_forget(&l->stamps);
    gw_redis_bad_begin(l->bad);
    gw_script_call(l->redis, l->prefix, argv, on_mark, l);
}

void
gw_redis_list_end(struct gw_redis_list *l)
{
    gw_map_free(l->objects, free_object);
    l->objects = NULL;
}
