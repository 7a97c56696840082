/* session_tunnel.c - the client's connection in the hands of a tunnel. */
#include "gateway/conf.h"
#include "gateway/session_private.h"
#include "gateway/worlds.h"

void
gw_session_tunnel(struct gw_session *s, const struct gw_tunnel_events *events, void *arg)
{
    s->tunneling = true;
    s->keep_alive = false;
    s->tunnel = events;
    s->tunnel_arg = arg;
    gw_wheel_cancel(&s->timer); /* a tunnel has its own deadline */
    if (s->rest_n > 0) {
        events->bytes(arg, s->rest, s->rest_n);
        s->rest_n = 0;
    }
    if (s->stash_n > s->stash_at) {
        events->bytes(arg, s->stash + s->stash_at, s->stash_n - s->stash_at);
        s->stash_at = s->stash_n;
    }
    if (s->all->draining) {
        events->drain(arg, gw_loop_now_ms(s->conn.loop));
    }
    gw_session_leave_now(s);
    gw_conn_poke(&s->conn);
}

/* Spread over most of the time that there is: whoever is told to go comes back at once, and not
 * all at once.  The rest of it is for their answers. */
void
gw_session_drain_tunnels(struct gw_sessions *all)
{
    uint64_t now = gw_loop_now_ms(gw_world_loop(all->world));
    uint64_t span = (uint64_t)gw_world_conf(all->world)->settings.timeouts.drain * 3 / 4;
    uint64_t n = 0;
    uint64_t i = 0;

    for (struct gw_session *s = all->all; s != NULL; s = s->next) {
        n += s->tunneling && s->state == GW_SESSION_BUSY;
    }
    for (struct gw_session *s = all->all; s != NULL; s = s->next) {
        if (s->tunneling && s->state == GW_SESSION_BUSY) {
            s->tunnel->drain(s->tunnel_arg, now + span * i++ / n);
        }
    }
}
