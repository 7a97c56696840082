#include "registry/redis_stamps.h"

void
gw_redis_stamps_forget(struct gw_redis_stamps *s)
{
    *s = (struct gw_redis_stamps){0};
}

void
gw_redis_stamps_take(struct gw_redis_stamps *s, const redisReply *pairs)
{
    for (size_t i = 0; i + 1 < pairs->elements; i += 2) {
        uint64_t revision = (uint64_t)pairs->element[i]->integer;

        s->at[revision % GW_REDIS_STAMPS] = (struct gw_redis_stamp){
            .revision = revision, .stamp = (uint64_t)pairs->element[i + 1]->integer};
    }
}

uint64_t
gw_redis_stamps_of(const struct gw_redis_stamps *s, uint64_t revision)
{
    const struct gw_redis_stamp *at = &s->at[revision % GW_REDIS_STAMPS];

    return at->revision == revision ? at->stamp : 0;
}

uint64_t
gw_redis_stamps_parted(const struct gw_redis_stamps *now, const struct gw_redis_stamps *before)
{
    uint64_t first = 0;

    for (size_t i = 0; i < GW_REDIS_STAMPS; i++) {
        uint64_t revision = now->at[i].revision;
        uint64_t was = gw_redis_stamps_of(before, revision);

        if (was != 0 && now->at[i].stamp != 0 && was != now->at[i].stamp &&
            (first == 0 || revision < first)) {
            first = revision;
        }
    }
    return first;
}
