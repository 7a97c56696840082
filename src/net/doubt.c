#include "net/doubt.h"

#include <poll.h>
#include <stddef.h>

#include "net/conn.h"

#define AT_ONCE 256

void
gw_doubt_add(struct gw_conn *c)
{
    struct gw_doubt *d = &c->doubt;
    struct gw_doubt **list = &c->loop->doubts;

    if (d->prev != NULL) {
        return;
    }
    *d = (struct gw_doubt){.next = *list, .prev = list};
    if (d->next != NULL) {
        d->next->prev = &d->next;
    }
    *list = d;
}

void
gw_doubt_drop(struct gw_conn *c)
{
    struct gw_doubt *d = &c->doubt;

    if (d->prev == NULL) {
        return;
    }
    *d->prev = d->next;
    if (d->next != NULL) {
        d->next->prev = d->prev;
    }
    d->prev = NULL;
}

static struct gw_conn *
conn_of(struct gw_doubt *d)
{
    return (struct gw_conn *)((char *)d - offsetof(struct gw_conn, doubt));
}

static void
settle(struct gw_conn **conns, struct pollfd *fds, nfds_t n)
{
    int failed = poll(fds, n, 0); /* no events: POLLERR and POLLHUP are always told of */

    for (nfds_t i = 0; failed > 0 && i < n; i++) {
        if (fds[i].revents != 0) {
            failed--;
            conns[i]->may_read = true;
            gw_conn_call_later(conns[i]); /* nobody is called, or closed, from within */
        }
    }
}

void
gw_doubts_settle(struct gw_loop *l)
{
    while (l->doubts != NULL) {
        struct gw_conn *conns[AT_ONCE];
        struct pollfd fds[AT_ONCE];
        nfds_t n = 0;

        for (; l->doubts != NULL && n < AT_ONCE; n++) {
            conns[n] = conn_of(l->doubts);
            fds[n] = (struct pollfd){.fd = conns[n]->fd};
            gw_doubt_drop(conns[n]);
        }
        settle(conns, fds, n);
    }
}
