/* redis_row.h - trouble that comes again and again: how long to wait before the next try.  Pure. */
#ifndef GW_REGISTRY_REDIS_ROW_H
#define GW_REGISTRY_REDIS_ROW_H

#include <stdbool.h>
#include <stdint.h>

#define GW_REDIS_ROW_CALM_MS 30000 /* without any: the next one is the first of another row */

/* In ms: after the first one of a row; the second; and so on, twice as long each time, up to most.
 */
struct gw_redis_waits {
    uint64_t first, second, most;
};

/* Start with {0}. */
struct gw_redis_row {
    bool began;
    int what; /* of this kind */
    uint64_t last_ms, pause_ms;
};

/* now_ms: mono.  Returns how long to wait. */
uint64_t gw_redis_row_add(struct gw_redis_row *r, int what, uint64_t now_ms,
                          const struct gw_redis_waits *waits);

#endif
