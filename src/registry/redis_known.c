#include "registry/redis_known.h"

#include <string.h>

static bool
is_same_epoch(const struct gw_redis_known *k, const struct gw_redis_list *list)
{
    return k->lines > 0 && strcmp(k->epoch, list->epoch) == 0;
}

uint64_t
gw_redis_known_parting(const struct gw_redis_known *k, const struct gw_redis_list *list)
{
    uint64_t parted =
        is_same_epoch(k, list) ? gw_redis_stamps_parted(&list->stamps, &k->stamps) : 0;

    if (parted == 0 || parted > k->revision) { /* beyond: it was read, and never given */
        return UINT64_MAX;
    }
    return parted - 1;
}

void
gw_redis_known_list(struct gw_redis_known *k, const struct gw_redis_list *list, uint64_t parting)
{
    k->owes &= parting == UINT64_MAX && list->revision >= k->revision && is_same_epoch(k, list);
    k->lines++;
    k->revision = list->revision;
    k->stamps = list->stamps;
    memcpy(k->epoch, list->epoch, sizeof(k->epoch));
}

void
gw_redis_known_owe(struct gw_redis_known *k, uint64_t since)
{
    if (!k->owes || since < k->owed) {
        k->owed = since;
    }
    k->owes |= since != GW_STORE_ALL_TOLD;
}

bool
gw_redis_known_has(const struct gw_redis_known *k, const struct gw_store_mark *mark)
{
    return strcmp(k->epoch, mark->epoch) == 0 && k->revision >= mark->revision &&
           (mark->stamp == 0 || gw_redis_stamps_of(&k->stamps, mark->revision) == mark->stamp);
}
