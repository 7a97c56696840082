#include "gateway/vitals.h"

/* By so much of the interval chance moves a check. */
#define JITTER_PART 10

static bool
turn(struct gw_vitals *v, bool down)
{
    v->down = down;
    v->streak = 0;
    return true;
}

bool
gw_vitals_note(struct gw_vitals *v, const struct gw_health_check *c, bool good)
{
    bool agrees = good != v->down;
    long long enough = !v->proven ? 1 : good ? c->healthy : c->unhealthy;

    v->asked = true;
    v->streak = agrees ? 0 : v->streak + 1;
    bool turns = !agrees && v->streak >= enough;
    v->proven = v->proven || good;
    return turns && turn(v, !good);
}

uint64_t
gw_vitals_due(long long interval_ms, uint64_t phase_ms, uint64_t began_ms, uint64_t now_ms,
              uint64_t chance)
{
    uint64_t every = (uint64_t)interval_ms;
    uint64_t phase = phase_ms % every;
    /* not sooner than half an interval after the last one, even if that was late */
    uint64_t least = began_ms + every / 2 > now_ms ? began_ms + every / 2 : now_ms + 1;
    uint64_t slot = least / every * every + phase;

    slot += slot < least ? every : 0;
    return slot + chance % (every / JITTER_PART + 1);
}
