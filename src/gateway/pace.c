#include "gateway/pace.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "gateway/conf.h"
#include "gateway/session_private.h"
#include "gateway/worlds.h"

#define LOOK_LEAST_MS 100

static const struct gw_settings *
settings(const struct gw_session *s)
{
    return &gw_world_conf(s->all->world)->settings;
}

/* What the kernel has not got rid of yet. */
static uint32_t
in_kernel(const struct gw_session *s)
{
    int n = 0;

    return ioctl(s->conn.fd, SIOCOUTQ, &n) == 0 && n > 0 ? (uint32_t)n : 0;
}

/* The client has kept us waiting since touched_ms, and meanwhile has moved that many bytes. */
static void
settle(struct gw_session *s, uint64_t bytes)
{
    uint64_t now = gw_loop_now_ms(s->conn.loop);
    uint64_t owed = s->debt_ms + (now - s->touched_ms);
    uint64_t rate = (uint64_t)settings(s)->limits.min_rate;

    s->touched_ms = now;
    if (owed > 0 && bytes > 0) {
        uint64_t paid = rate == 0 ? owed : (bytes * 1000 + rate - 1) / rate;

        owed -= paid < owed ? paid : owed;
    }
    s->debt_ms = owed < UINT32_MAX ? (uint32_t)owed : UINT32_MAX;
}

bool
gw_pace_body(struct gw_session *s, size_t bytes)
{
    settle(s, bytes);
    return s->debt_ms == 0 || s->debt_ms < settings(s)->timeouts.body_idle;
}

long long
gw_pace_body_left(const struct gw_session *s)
{
    long long waited = (long long)(gw_loop_now_ms(s->conn.loop) - s->touched_ms);
    long long left = settings(s)->timeouts.body_idle - s->debt_ms - waited;

    return left > 0 ? left : 0;
}

const char *
gw_pace_words(const struct gw_session *s)
{
    return gw_arena_printf(s->message->req->arena,
                           "%llu bytes came, and it owes %u ms to limits.min_rate, which is %lld "
                           "bytes a second",
                           (unsigned long long)s->message->req->decision.bytes_in, s->debt_ms,
                           settings(s)->limits.min_rate);
}

/* For who owes nothing only what we keep is noted: that much it has taken when it is gone. */
void
gw_pace_stalled(struct gw_session *s)
{
    s->touched_ms = gw_loop_now_ms(s->conn.loop);
    s->pending = (uint32_t)s->conn.out_bytes + (s->debt_ms > 0 ? in_kernel(s) : 0);
}

void
gw_pace_drained(struct gw_session *s)
{
    uint32_t left = s->debt_ms > 0 ? in_kernel(s) : 0;

    settle(s, s->pending > left ? s->pending - left : 0);
    s->pending = 0;
}

/* Sockets tell when there is much room again, which with a large buffer and a slow reader is
 * seldom: what the kernel still has says whether anything moves. */
long long
gw_pace_taking(struct gw_session *s, long long limit_ms)
{
    uint32_t left = (uint32_t)s->conn.out_bytes + in_kernel(s);
    long long every = limit_ms / 4;

    settle(s, s->pending > left ? s->pending - left : 0);
    s->pending = left;
    long long owes = s->debt_ms;
    if (owes >= limit_ms) {
        return 0;
    }
    every = every < limit_ms - owes ? every : limit_ms - owes;
    return every > LOOK_LEAST_MS ? every : LOOK_LEAST_MS;
}
