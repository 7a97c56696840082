#include "registry/notice.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/mem.h"

struct gw_notice {
    int fd; /* -1: there is no inotify */
    struct event *event;
    char *wal;
    void (*tell)(void *);
    void *arg;
};

/* What is told does not matter: someone has written.  One read for each call, or a busy writer
 * would keep us here; if there is more, the loop calls again. */
static void
on_inotify(evutil_socket_t fd, short what, void *arg)
{
    struct gw_notice *n = arg;
    _Alignas(struct inotify_event) char events[4096];

    (void)what;
    if (read(fd, events, sizeof(events)) > 0) {
        n->tell(n->arg);
    }
}

struct gw_notice *
gw_notice_new(struct event_base *base, const char *database, void (*tell)(void *), void *arg)
{
    struct gw_notice *n = gw_mem_alloc(sizeof(*n));
    size_t size = strlen(database) + sizeof("-wal");

    *n = (struct gw_notice){.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC),
                            .wal = gw_mem_alloc(size),
                            .tell = tell,
                            .arg = arg};
    (void)snprintf(n->wal, size, "%s-wal", database);
    if (n->fd >= 0) {
        n->event = event_new(base, n->fd, EV_READ | EV_PERSIST, on_inotify, n);
        assert(n->event != NULL);
        (void)event_add(n->event, NULL);
    }
    return n;
}

void
gw_notice_free(struct gw_notice *n)
{
    if (n == NULL) {
        return;
    }
    if (n->fd >= 0) {
        event_free(n->event);
        close(n->fd);
    }
    free(n->wal);
    free(n);
}

/* The same file is watched once, however often it is named. */
bool
gw_notice_watch(struct gw_notice *n)
{
    return n->fd >= 0 && inotify_add_watch(n->fd, n->wal, IN_MODIFY) >= 0;
}
