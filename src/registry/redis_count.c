#include "registry/redis_count.h"

void
gw_redis_count_list(struct gw_redis_count *c, long long fields, long long known)
{
    *c = (struct gw_redis_count){.off = fields < 0 ? 0 : fields - known};
}

enum gw_redis_counted
gw_redis_count_look(struct gw_redis_count *c, long long fields, long long known, uint64_t now_ms)
{
    if (fields < 0 || fields - known == c->off) {
        c->since_ms = 0;
        return GW_REDIS_COUNT_GOOD;
    }
    if (fields == 0 && known > 0) {
        return GW_REDIS_COUNT_EMPTY;
    }
    if (c->since_ms == 0) {
        c->since_ms = now_ms;
    }
    return now_ms - c->since_ms < GW_REDIS_COUNT_MS ? GW_REDIS_COUNT_GOOD : GW_REDIS_COUNT_OTHER;
}
