#include "registry/redis_row.h"

uint64_t
gw_redis_row_add(struct gw_redis_row *r, int what, uint64_t now_ms,
                 const struct gw_redis_waits *waits)
{
    bool same = r->began && r->what == what && now_ms - r->last_ms < GW_REDIS_ROW_CALM_MS;
    uint64_t pause_ms = !same                         ? waits->first
                        : r->pause_ms < waits->second ? waits->second
                                                      : r->pause_ms * 2;

    *r = (struct gw_redis_row){.began = true,
                               .what = what,
                               .last_ms = now_ms,
                               .pause_ms = pause_ms < waits->most ? pause_ms : waits->most};
    return r->pause_ms;
}
