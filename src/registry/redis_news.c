#include "registry/redis_news.h"

#include <string.h>

#include "base/log.h"
#include "registry/splice.h"

struct gw_object *
gw_redis_field_read(const char *hash, const redisReply *field, const redisReply *json)
{
    struct gw_diag diag = {0};
    struct gw_object *o = NULL;

    if (field->type != REDIS_REPLY_STRING || json->type != REDIS_REPLY_STRING) {
        gw_log_warn("registry: something in %s is no text and is skipped", hash);
        return NULL;
    }
    if (strlen(field->str) == (size_t)field->len) {
        o = gw_splice_read((struct gw_str){json->str, (size_t)json->len}, field->str, &diag);
    }
    if (o == NULL) {
        gw_log_warn("registry: field \"%.300s\" of %s is no object and is skipped: %s", field->str,
                    hash, gw_diag_first(&diag));
    }
    gw_diag_fini(&diag);
    return o;
}

bool
gw_redis_news_read(const redisReply *reply, struct gw_redis_news *news)
{
    static const int types[] = {REDIS_REPLY_STRING, REDIS_REPLY_INTEGER, REDIS_REPLY_INTEGER,
                                REDIS_REPLY_INTEGER, REDIS_REPLY_ARRAY};

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 5) {
        return false;
    }
    for (size_t i = 0; i < 5; i++) {
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
    *news = (struct gw_redis_news){.epoch = reply->element[0]->str,
                                   .revision = (uint64_t)reply->element[1]->integer,
                                   .oldest = (uint64_t)reply->element[2]->integer,
                                   .upto = (uint64_t)reply->element[3]->integer,
                                   .fields = fields};
    return fields->elements % 2 == 0;
}

const char *
gw_redis_news_broken(const struct gw_redis_news *news, const char *epoch, uint64_t revision)
{
    if (strncmp(news->epoch, epoch, GW_REDIS_EPOCH_MAX) != 0) {
        return epoch[0] == '\0'         ? "the registry was written to for the first time"
               : news->epoch[0] == '\0' ? "the registry was wiped (it has no epoch)"
                                        : "the registry was replaced (its epoch changed)";
    }
    if (news->revision < revision) {
        return "the registry went back to an older revision";
    }
    if (news->revision > revision && (news->oldest > revision + 1 || news->upto <= revision)) {
        return "changes were missed that are no longer kept";
    }
    return NULL;
}
