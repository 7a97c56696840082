/*
 * sessions.c - the sessions of a worker, from the first to the last: who is let in, and how all of
 * them end.
 */
#include <string.h>

#include "gateway/conf.h"
#include "gateway/guests.h"
#include "gateway/session_private.h"
#include "gateway/shed.h"
#include "gateway/worlds.h"

static long long
linger_ms(const struct gw_session *s)
{
    return gw_world_conf(s->all->world)->settings.timeouts.linger;
}

static void
note_peer(struct gw_session *s, const struct sockaddr_storage *peer)
{
    static const unsigned char v4_mapped[12] = {[10] = 0xff, [11] = 0xff};

    if (peer->ss_family == AF_INET) {
        memcpy(s->address, v4_mapped, 12);
        memcpy(s->address + 12, &((const struct sockaddr_in *)peer)->sin_addr, 4);
    } else if (peer->ss_family == AF_INET6) {
        memcpy(s->address, &((const struct sockaddr_in6 *)peer)->sin6_addr, 16);
    }
}

/* A client of too many connections is told so in answer to its request, and has not long to ask;
 * one of twice as many is shut out. */
static bool
count_guest(struct gw_session *s)
{
    const struct gw_settings *set = &gw_world_conf(s->all->world)->settings;
    long long limit = set->limits.connections_per_client;

    if (limit == 0 || s->trusted || gw_settings_trusts(set, s->address)) {
        return true;
    }
    long long n = gw_guests_enter(s->address);
    s->counted = true;
    s->over = n > limit;
    if (s->over) {
        GW_SESSION_COUNT(s, refused, 1);
        gw_session_deadline(s, linger_ms(s));
    }
    if (n > 2 * limit) {
        gw_session_end(s, true);
        return false;
    }
    return true;
}

void
gw_session_open(struct gw_sessions *all, int fd, const struct sockaddr_storage *peer, bool trusted)
{
    struct gw_session *s = gw_slab_take(gw_session_slab(all));

    s->all = all;
    s->trusted = trusted;
    note_peer(s, peer);
    gw_shed_add(s);
    all->count++;
    all->clients += !trusted;
    GW_SESSION_COUNT(s, accepted, 1);
    GW_SESSION_COUNT(s, connections, 1);
    gw_session_start(s, fd);
    if (!count_guest(s)) {
        return;
    }
    /* Clients usually speak first, and at once: one read now saves a turn of the loop. */
    gw_session_try_read(s);
}

void
gw_sessions_drain(struct gw_sessions *all)
{
    all->draining = true;
    gw_session_drain_tunnels(all);
    gw_session_drain_streams(all);
    for (struct gw_session *s = all->all; s != NULL; s = s->next) {
        s->keep_alive = false;
        if (s->state != GW_SESSION_IDLE) {
            continue;
        }
        if (s->conn.out_bytes > 0) {
            gw_session_linger(s);
        } else if (s->requests == 0) {
            gw_session_deadline(s, linger_ms(s)); /* just come: its request is on its way */
        } else {
            gw_session_end(s, false);
        }
    }
}

void
gw_sessions_close(struct gw_sessions *all)
{
    gw_wheel_cancel(&all->leaving);
    for (struct gw_session *s = all->all; s != NULL; s = s->next) {
        gw_session_shut_out(s);
    }
    while (all->all != NULL) {
        struct gw_timer *t = &all->all->timer;

        gw_wheel_cancel(t);
        t->fire(t);
    }
}
