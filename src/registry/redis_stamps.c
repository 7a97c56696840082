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
