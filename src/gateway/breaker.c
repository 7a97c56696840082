#include "gateway/breaker.h"

/* So many times the errors that eject, all of them silent, open the circuit. */
#define LASTING 2
/* Ejections in a row are longer each time, up to so many times the first. */
#define LONGEST 6
/* Where nobody can take over, the first trial comes sooner, and the pauses double. */
#define FIRST_PART 10
#define DOUBLINGS  4
/* By so much chance makes it longer: workers and gateways don't march in step. */
#define JITTER_PART 10

static bool
is_due(const struct gw_breaker *b, uint64_t now_ms)
{
    return now_ms >= b->until_ms && b->trial == 0;
}

bool
gw_breaker_admits(const struct gw_breaker *b, uint64_t now_ms)
{
    return b->state == GW_BREAKER_CLOSED || is_due(b, now_ms);
}

bool
gw_breaker_refuses(const struct gw_breaker *b, uint64_t now_ms)
{
    return b->state == GW_BREAKER_OPEN && !is_due(b, now_ms);
}

bool
gw_breaker_begin(struct gw_breaker *b, uint64_t now_ms, unsigned number)
{
    if (b->state == GW_BREAKER_CLOSED || !is_due(b, now_ms)) {
        return false;
    }
    b->trial = number;
    return true;
}

void
gw_breaker_cancel(struct gw_breaker *b, unsigned number)
{
    if (b->trial == number) {
        b->trial = 0;
    }
}

static uint64_t
pause_of(const struct gw_breaker *b, const struct gw_outlier_rules *r)
{
    uint64_t one = (uint64_t)r->eject_ms;

    if (b->state == GW_BREAKER_EJECTED) {
        return one * (b->times < LONGEST ? b->times : LONGEST);
    }
    unsigned doublings = b->times - 1 < DOUBLINGS ? b->times - 1 : DOUBLINGS;
    uint64_t pause = (one / FIRST_PART + 1) << doublings;

    return pause < one ? pause : one;
}

static enum gw_breaker_state
next_state(const struct gw_breaker *b, const struct gw_outlier_rules *r, bool may_eject)
{
    if (b->silent >= LASTING * (uint64_t)r->errors) {
        return GW_BREAKER_OPEN;
    }
    return may_eject && b->errors >= (uint64_t)r->errors ? GW_BREAKER_EJECTED : GW_BREAKER_CLOSED;
}

bool
gw_breaker_failed(struct gw_breaker *b, const struct gw_outlier_rules *r,
                  const struct gw_breaker_failure *f, uint64_t now_ms, uint64_t chance)
{
    bool trial = f->trial != 0 && f->trial == b->trial;

    b->errors++;
    b->silent = f->silent ? b->silent + 1 : 0;
    b->trial = trial ? 0 : b->trial;
    enum gw_breaker_state next =
        r->errors == 0 ? GW_BREAKER_CLOSED : next_state(b, r, f->may_eject);

    if (b->state != GW_BREAKER_CLOSED && !trial) { /* it was on its way there already */
        bool stricter = next > b->state;

        b->state = stricter ? next : b->state;
        return stricter;
    }
    b->state = next;
    if (next == GW_BREAKER_CLOSED) {
        return false;
    }
    b->times++;
    uint64_t pause = pause_of(b, r);
    b->until_ms = now_ms + pause + chance % (pause / JITTER_PART + 1);
    return true;
}
