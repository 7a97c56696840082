#include "server/ebb.h"

#define MANY     1000 /* connections: some megabytes */
#define CALM_FOR 10   /* looks: who comes and goes all the time is not trimmed after each time */

bool
gw_ebb(struct gw_ebb *e, long long connections)
{
    if (connections > e->peak) {
        e->peak = connections;
    }
    if (e->peak - connections < MANY || connections > e->peak / 2) {
        e->calm = 0;
        return false;
    }
    e->calm++;
    if (e->calm < CALM_FOR) {
        return false;
    }
    *e = (struct gw_ebb){.peak = connections};
    return true;
}
