#include "net/loop.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/dns.h"

/* For all that is done later; then the sockets are looked at again. */
#define TURN_US 1000

void
gw_loop_turn(struct gw_loop *l)
{
    l->now_us = gw_clock_mono_us();
}

bool
gw_loop_made_room(const struct gw_loop *l, int error)
{
    bool made =
        (error == EMFILE || error == ENFILE) && l->room.make != NULL && l->room.make(l->room.owner);

    errno = error; /* still what is to be said when nothing could be done */
    return made;
}

static void
read_wall_clock(struct gw_loop *l)
{
    gw_loop_turn(l);
    l->wall_offset_ms = gw_clock_wall_ms() - gw_loop_now_ms(l);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct gw_loop *l = arg;

    (void)fd;
    (void)what;
    read_wall_clock(l);
    gw_doubts_settle(l);
    gw_wheel_run(&l->wheel, gw_loop_now_ms(l));
}

void
gw_loop_later_cancel(struct gw_later *later)
{
    if (later->prev == NULL) {
        return;
    }
    *later->prev = later->next;
    if (later->next != NULL) {
        later->next->prev = later->prev;
    } else {
        later->loop->later_last = later->prev;
    }
    later->prev = NULL;
}

static void
wait_for_turn(struct gw_loop *l)
{
    const struct timeval now = {0};

    event_add(l->turn, &now); /* timeouts come behind the sockets */
}

void
gw_loop_later(struct gw_loop *l, struct gw_later *later)
{
    if (later->prev != NULL) {
        return;
    }
    if (l->later == NULL) {
        wait_for_turn(l);
    }
    later->loop = l;
    later->next = NULL;
    later->prev = l->later_last;
    *l->later_last = later;
    l->later_last = &later->next;
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
    struct gw_loop *l = arg;

    (void)fd;
    (void)what;
    gw_loop_turn(l);
    uint64_t until_us = l->now_us + TURN_US;
    while (l->later != NULL && l->now_us < until_us) {
        struct gw_later *first = l->later;

        gw_loop_later_cancel(first);
        first->run(first);
        gw_loop_turn(l);
    }
    if (l->later != NULL) {
        wait_for_turn(l);
    }
}

struct gw_loop *
gw_loop_new(void)
{
    struct gw_loop *l = gw_mem_alloc(sizeof(*l));
    struct event_config *config = event_config_new();
    const struct timeval every = gw_clock_timeval(GW_WHEEL_TICK_MS);

    assert(config != NULL);
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    /* Early close tells a peer's FIN apart from its last bytes, without a read that would block. */
    event_config_require_features(config, EV_FEATURE_ET | EV_FEATURE_O1 | EV_FEATURE_EARLY_CLOSE);
    l->base = event_base_new_with_config(config);
    event_config_free(config);
    assert(l->base != NULL);
    read_wall_clock(l);
    gw_wheel_init(&l->wheel, gw_loop_now_ms(l));
    gw_doubts_init(&l->doubts);
    l->scratch = (char *)gw_mem_alloc(GW_SCRATCH_FRONT + GW_SCRATCH_SIZE) + GW_SCRATCH_FRONT;
    l->tick = event_new(l->base, -1, EV_PERSIST, on_tick, l);
    event_add(l->tick, &every);
    l->later_last = &l->later;
    l->turn = event_new(l->base, -1, 0, on_turn, l);
    return l;
}

void
gw_loop_free(struct gw_loop *l)
{
    gw_dns_free(l->dns);
    event_free(l->tick);
    event_free(l->turn);
    event_base_free(l->base);
    gw_pipes_close(&l->pipes);
    free(l->scratch - GW_SCRATCH_FRONT);
    free(l);
}
