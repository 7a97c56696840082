#include "registry/redis_recall.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "registry/redis_script.h"

#define ENTRIES "1000" /* of one call: Redis does nothing else meanwhile */

static void ask(struct gw_redis_recall *r, uint64_t since);

static bool
is_answer(const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3 ||
        reply->element[0]->type != REDIS_REPLY_STRING ||
        reply->element[1]->type != REDIS_REPLY_INTEGER ||
        reply->element[2]->type != REDIS_REPLY_ARRAY) {
        return false;
    }
    const redisReply *fields = reply->element[2];
    for (size_t i = 0; i < fields->elements; i++) {
        if (fields->element[i]->type != REDIS_REPLY_STRING) {
            return false;
        }
    }
    return true;
}

static void
on_deleted(void *arg, const redisReply *reply, const char *error)
{
    struct gw_redis_recall *r = arg;

    if (error != NULL) {
        return;
    }
    if (!is_answer(reply)) {
        r->unusable(r->owner, "the script", "", reply);
        return;
    }
    if (strncmp(reply->element[0]->str, r->epoch, GW_REDIS_EPOCH_MAX) != 0) {
        r->recalled(r->owner); /* the next changes tell what that means */
        return;
    }
    uint64_t upto = (uint64_t)reply->element[1]->integer;
    const redisReply *fields = reply->element[2];
    for (size_t i = 0; i < fields->elements; i++) {
        const redisReply *field = fields->element[i];
        struct gw_change gone = {.revision = r->until};

        if (gw_redis_field_is_name(field)) {
            gone.key = gw_mem_strdup(field->str);
            gw_redis_gather_add(r->into, &gone);
        }
    }
    if (upto < r->until) {
        ask(r, upto);
    } else {
        r->recalled(r->owner);
    }
}

static void
ask(struct gw_redis_recall *r, uint64_t since)
{
    char after[24];
    char until[24];
    const char *const argv[] = {"deleted", after, until, ENTRIES, NULL};

    (void)snprintf(after, sizeof(after), "%" PRIu64, since);
    (void)snprintf(until, sizeof(until), "%" PRIu64, r->until);
    gw_script_call(r->redis, r->prefix, argv, on_deleted, r);
}

void
gw_redis_recall_start(struct gw_redis_recall *r, uint64_t since, uint64_t until)
{
    r->until = until;
    ask(r, since);
}
