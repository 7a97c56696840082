#include "modules/login_state.h"

struct counts {
    atomic_ullong n[GW_LOGIN_N_COUNTS];
};

static struct counts *
counts_of(struct gw_world *world)
{
    return gw_world_state(world, &gw_login_view, sizeof(struct counts));
}

static void *
open_worker(struct gw_world *world)
{
    (void)counts_of(world); /* before others look at it */
    return gw_login_flights_new();
}

/* Mail that tells of a refresh has been read by then, and there is no request left. */
static void
close_worker(void *index)
{
    gw_login_flights_free(index);
}

/* A view of no kinds: a worker's memory with a beginning and an end. */
const struct gw_view gw_login_view = {
    .name = "login",
    .kinds = (const char *const[]){NULL},
    .open = open_worker,
    .close = close_worker,
};

struct gw_login_flights *
gw_login_flights_of(const struct gw_world *world)
{
    return gw_world_index(world, &gw_login_view);
}

void
gw_login_count(struct gw_world *world, enum gw_login_count what)
{
    gw_counter_add(&counts_of(world)->n[what], 1);
}

unsigned long long
gw_login_counted(struct gw_world *world, enum gw_login_count what)
{
    return gw_counter_read(&counts_of(world)->n[what]);
}
