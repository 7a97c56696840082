#include "registry/redis_reason.h"

#include <assert.h>
#include <stdio.h>

void
gw_redis_reason_set(struct gw_redis_reason *r, enum gw_redis_why why, const char *detail)
{
    r->why = why;
    (void)snprintf(r->text, sizeof(r->text), detail == NULL ? "%s" : "%s (%s)",
                   gw_redis_why_text(why), detail);
}

uint64_t
gw_redis_reason_pause(struct gw_redis_reason *r, uint64_t now_ms)
{
    static const struct gw_redis_waits waits = {
        .first = 0, .second = 500, .most = GW_REDIS_REASON_WAITS_MAX_MS};

    return gw_redis_row_add(&r->breaks, (int)r->why, now_ms, &waits);
}

const char *
gw_redis_reason_listed(struct gw_redis_reason *r, bool parted)
{
    if (parted && r->why != GW_REDIS_OLDER && r->why != GW_REDIS_FORKED) {
        gw_redis_reason_set(r, GW_REDIS_FORKED, NULL); /* the line was lost for some other reason */
    }
    bool was_said = r->breaks.pause_ms > 0 && r->breaks.what == (int)r->why;

    r->lists[r->why]++;
    return r->text[0] == '\0' || was_said ? NULL : r->text;
}

void
gw_redis_reason_status(const struct gw_redis_reason *r, struct gw_store_status *out)
{
    static_assert(GW_REDIS_WHYS <= GW_STORE_WHYS, "there is room for each");
    for (int why = 0; why < GW_REDIS_WHYS; why++) {
        out->lists[why].why = gw_redis_why_label((enum gw_redis_why)why);
        out->lists[why].n = r->lists[why];
    }
    out->n_lists = GW_REDIS_WHYS;
}
