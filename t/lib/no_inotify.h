/* no_inotify.h - takes all instances of inotify that this user may have, and gives them back. */
#ifndef GW_T_NO_INOTIFY_H
#define GW_T_NO_INOTIFY_H

#include <sys/inotify.h>
#include <unistd.h>

struct no_inotify {
    size_t n;
    int taken[65536];
};

static inline void
no_inotify_begin(struct no_inotify *all)
{
    const size_t most = sizeof(all->taken) / sizeof(all->taken[0]);

    all->n = 0;
    while (all->n < most && (all->taken[all->n] = inotify_init1(IN_CLOEXEC)) >= 0) {
        all->n++;
    }
}

static inline void
no_inotify_end(struct no_inotify *all)
{
    while (all->n > 0) {
        close(all->taken[--all->n]);
    }
}

#endif
