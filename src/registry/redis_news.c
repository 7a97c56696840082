#include "registry/redis_news.h"

#include <string.h>

#include "base/log.h"
#include "registry/splice.h"

static const struct {
    const char *label, *text;
} whys[GW_REDIS_WHYS] = {
    [GW_REDIS_FIRST] = {"first", ""},
    [GW_REDIS_RECONNECTED] = {"reconnected", "the connection was lost and is back"},
    [GW_REDIS_UNUSABLE] = {"unusable", "an answer could not be used"},
    [GW_REDIS_BEGUN] = {"begun", "the registry was written to for the first time"},
    [GW_REDIS_WIPED] = {"wiped", "the registry was wiped (it has no epoch)"},
    [GW_REDIS_REPLACED] = {"replaced", "the registry was replaced (its epoch changed)"},
    [GW_REDIS_OLDER] = {"older", "the registry went back to an older revision"},
    [GW_REDIS_FORKED] = {"forked", "the registry went back, and on from there with other changes"},
    [GW_REDIS_STRAYED] = {"strayed", "objects were added or deleted past the script"},
    [GW_REDIS_EMPTIED] = {"emptied", "its objects were deleted past the script"},
    [GW_REDIS_MISSED] = {"missed", "changes were missed that are no longer kept"},
    [GW_REDIS_FOREIGN] = {"foreign", "the changes have an entry that is not of ksgate"},
};

const char *
gw_redis_why_text(enum gw_redis_why why)
{
    return whys[why].text;
}

const char *
gw_redis_why_label(enum gw_redis_why why)
{
    return whys[why].label;
}

void
gw_redis_bad_init(struct gw_redis_bad *bad)
{
    *bad = (struct gw_redis_bad){.fields = gw_map_new()};
}

void
gw_redis_bad_fini(struct gw_redis_bad *bad)
{
    gw_map_free(bad->fields, NULL);
}

void
gw_redis_bad_begin(struct gw_redis_bad *bad)
{
    bad->list = 1 - bad->list;
}

void
gw_redis_bad_end(struct gw_redis_bad *bad)
{
    struct gw_map *left = gw_map_new();
    struct gw_str field;
    size_t at = 0;
    void *mark;

    while (gw_map_next(bad->fields, &at, &field, &mark)) {
        if (mark == &bad->marks[bad->list]) {
            (void)gw_map_put(left, field, mark);
        }
    }
    gw_map_free(bad->fields, NULL);
    bad->fields = left;
}

static void
note(struct gw_redis_bad *bad, const char *hash, struct gw_str field, const char *why)
{
    if (gw_map_put(bad->fields, field, &bad->marks[bad->list]) == NULL) {
        gw_log_warn("registry: field \"%.300s\" of %s is no object and is skipped: %s", field.p,
                    hash, why);
    }
}

bool
gw_redis_field_is_name(const redisReply *field)
{
    return strlen(field->str) == (size_t)field->len;
}

struct gw_object *
gw_redis_field_read(const char *hash, const redisReply *field, const redisReply *json,
                    struct gw_redis_bad *bad)
{
    struct gw_diag diag = {0};
    struct gw_object *o = NULL;

    if (field->type != REDIS_REPLY_STRING) {
        gw_log_warn("registry: something in %s is no text and is skipped", hash);
        return NULL;
    }
    struct gw_str key = {field->str, (size_t)field->len};
    if (json->type == REDIS_REPLY_STRING && strlen(field->str) == key.n) {
        o = gw_splice_read((struct gw_str){json->str, (size_t)json->len}, field->str, &diag);
    }
    if (o == NULL && json->type != REDIS_REPLY_NIL) {
        note(bad, hash, key, gw_diag_first(&diag));
    } else {
        (void)gw_map_take(bad->fields, key);
    }
    gw_diag_fini(&diag);
    return o;
}

bool
gw_redis_news_read(const redisReply *reply, struct gw_redis_news *news)
{
    static const int types[] = {REDIS_REPLY_STRING,  REDIS_REPLY_INTEGER, REDIS_REPLY_INTEGER,
                                REDIS_REPLY_INTEGER, REDIS_REPLY_ARRAY,   REDIS_REPLY_INTEGER,
                                REDIS_REPLY_ARRAY,   REDIS_REPLY_STRING,  REDIS_REPLY_INTEGER};
    const size_t n = sizeof(types) / sizeof(types[0]);

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != n) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (reply->element[i]->type != types[i]) {
            return false;
        }
    }
    const redisReply *fields = reply->element[4];
    for (size_t i = 0; i < fields->elements; i++) {
        int type = fields->element[i]->type;
        if (type != REDIS_REPLY_STRING && (i % 2 == 0 || type != REDIS_REPLY_NIL)) {
            return false;
        }
    }
    const redisReply *stamps = reply->element[6];
    for (size_t i = 0; i < stamps->elements; i++) {
        if (stamps->element[i]->type != REDIS_REPLY_INTEGER) {
            return false;
        }
    }
    *news = (struct gw_redis_news){.epoch = reply->element[0]->str,
                                   .foreign = reply->element[7]->str,
                                   .revision = (uint64_t)reply->element[1]->integer,
                                   .oldest = (uint64_t)reply->element[2]->integer,
                                   .upto = (uint64_t)reply->element[3]->integer,
                                   .awaited_ms = (uint64_t)reply->element[5]->integer,
                                   .fields = fields,
                                   .stamps = stamps,
                                   .hash_fields = reply->element[8]->integer};
    return fields->elements % 2 == 0 && stamps->elements % 2 == 0;
}

/* When the change of that number was made; 0: they don't tell. */
static uint64_t
stamp_of(const struct gw_redis_news *news, uint64_t revision)
{
    const redisReply *stamps = news->stamps;

    for (size_t i = 0; i < stamps->elements; i += 2) {
        if ((uint64_t)stamps->element[i]->integer == revision) {
            return (uint64_t)stamps->element[i + 1]->integer;
        }
    }
    return 0;
}

bool
gw_redis_news_has(const struct gw_redis_news *news, uint64_t revision, uint64_t stamp)
{
    return stamp != 0 && stamp_of(news, revision) == stamp;
}

bool
gw_redis_news_has_another(const struct gw_redis_news *news, uint64_t revision, uint64_t stamp)
{
    uint64_t now = stamp_of(news, revision);

    return now != 0 && now != stamp;
}

enum gw_redis_why
gw_redis_news_broken(const struct gw_redis_news *news, const char *epoch, uint64_t revision,
                     uint64_t stamp)
{
    if (strncmp(news->epoch, epoch, GW_REDIS_EPOCH_MAX) != 0) {
        return epoch[0] == '\0'         ? GW_REDIS_BEGUN
               : news->epoch[0] == '\0' ? GW_REDIS_WIPED
                                        : GW_REDIS_REPLACED;
    }
    if (news->revision < revision) {
        return GW_REDIS_OLDER;
    }
    if (news->foreign[0] != '\0' && news->upto <= revision) {
        return GW_REDIS_FOREIGN;
    }
    if (stamp != 0 && gw_redis_news_has_another(news, revision, stamp)) {
        return GW_REDIS_FORKED;
    }
    if (news->revision > revision && (news->oldest > revision + 1 || news->upto <= revision)) {
        return GW_REDIS_MISSED;
    }
    return GW_REDIS_FIRST;
}
