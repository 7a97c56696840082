/*
 * redis_reason.h - why all of the registry in Redis is listed next: for the log, for the metric,
 * and for how long to wait before it.  Pure.
 */
#ifndef GW_REGISTRY_REDIS_REASON_H
#define GW_REGISTRY_REDIS_REASON_H

#include "registry/redis_news.h"
#include "registry/redis_row.h"
#include "registry/store.h"

#define GW_REDIS_REASON_WAITS_MAX_MS 10000 /* between lists for the same reason */

/* Start with {0}: the first list, which needs none. */
struct gw_redis_reason {
    enum gw_redis_why why;
    char text[200];                          /* for people; "": the first list */
    struct gw_redis_row breaks;              /* of the line, for the same reason */
    unsigned long long lists[GW_REDIS_WHYS]; /* so far */
};

/* detail: NULL, or which one it is. */
void gw_redis_reason_set(struct gw_redis_reason *r, enum gw_redis_why why, const char *detail);

/* It has broken the line.  Returns how long to wait before the list, in ms: for the same reason as
 * a moment ago that is something that a list does not mend. */
uint64_t gw_redis_reason_pause(struct gw_redis_reason *r, uint64_t now_ms);

/* It is listed.  parted: the list shows another way than what was known, whatever it was asked for.
 * Returns what the log is to say; NULL: nothing, or it was said with the pause. */
const char *gw_redis_reason_listed(struct gw_redis_reason *r, bool parted);

/* The lists so far, by reason. */
void gw_redis_reason_status(const struct gw_redis_reason *r, struct gw_store_status *out);

#endif
