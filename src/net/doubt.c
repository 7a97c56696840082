#include "net/doubt.h"

#include <poll.h>
#include <stddef.h>

#include "net/conn.h"

void
gw_doubts_init(struct gw_doubts *l)
{
    *l = (struct gw_doubts){.end = &l->first};
}

void
gw_doubt_add(struct gw_conn *c)
{
    struct gw_doubt *d = &c->doubt;
    struct gw_doubts *l = &c->loop->doubts;

    if (c->doubted) {
        return;
    }
    c->doubted = true;
    *d = (struct gw_doubt){.prev = l->end};
    *l->end = d;
    l->end = &d->next;
}

void
gw_doubt_drop(struct gw_conn *c)
{
    struct gw_doubt *d = &c->doubt;

    if (!c->doubted) {
        return;
    }
    c->doubted = false;
    *d->prev = d->next;
    if (d->next != NULL) {
        d->next->prev = d->prev;
    } else {
        c->loop->doubts.end = d->prev;
    }
}

static struct gw_conn *
conn_of(struct gw_doubt *d)
{
    return (struct gw_conn *)((char *)d - offsetof(struct gw_conn, doubt));
}

void
gw_doubts_settle(struct gw_loop *l)
{
    struct gw_conn *conns[GW_DOUBTS_A_TICK];
    struct pollfd fds[GW_DOUBTS_A_TICK] = {0};
    nfds_t n = 0;

    for (; l->doubts.first != NULL && n < GW_DOUBTS_A_TICK; n++) {
        conns[n] = conn_of(l->doubts.first);
        fds[n] = (struct pollfd){.fd = conns[n]->fd};
        gw_doubt_drop(conns[n]);
    }
    int failed = n == 0 ? 0 : poll(fds, n, 0); /* POLLERR and POLLHUP are told of unasked */
    for (nfds_t i = 0; failed > 0 && i < n; i++) {
        if (fds[i].revents != 0) {
            failed--;
            gw_conn_call_later(conns[i]); /* nobody is called, or closed, from within */
        }
    }
}
