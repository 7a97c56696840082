#include "net/pipe.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"

#define HOW (SPLICE_F_MOVE | SPLICE_F_NONBLOCK)

/* NULL: none, or none that is worth it. */
static struct gw_pipe *
make(void)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
        return NULL;
    }
    int size = fcntl(ends[1], F_SETPIPE_SZ, (int)GW_PIPE_SIZE);
    if (size < 0) {
        size = fcntl(ends[1], F_GETPIPE_SZ);
    }
    if (size < (int)GW_PIPE_LEAST) {
        close(ends[0]);
        close(ends[1]);
        return NULL;
    }
    struct gw_pipe *p = gw_mem_alloc(sizeof(*p));
    *p = (struct gw_pipe){.out = ends[0], .in = ends[1], .size = (size_t)size};
    return p;
}

static void
destroy(struct gw_pipe *p)
{
    close(p->in);
    close(p->out);
    free(p);
}

struct gw_pipe *
gw_pipe_take(struct gw_pipes *all)
{
    struct gw_pipe *p = all->spare;

    if (all->n_lent >= GW_PIPES_LENT) {
        return NULL;
    }
    if (p != NULL) {
        all->spare = p->next;
        all->n_spare--;
    } else if (all->pause > 0) {
        all->pause--;
        return NULL;
    } else if (all->most != 0 && all->n_lent >= all->most) {
        return NULL;
    } else if ((p = make()) == NULL) {
        all->pause = GW_PIPES_PAUSE;
        return NULL;
    }
    all->n_lent++;
    return p;
}

void
gw_pipe_give(struct gw_pipes *all, struct gw_pipe *p)
{
    assert(all->n_lent > 0);
    all->n_lent--;
    if (p->n > 0 || all->n_spare >= GW_PIPES_SPARE) {
        destroy(p);
        return;
    }
    p->next = all->spare; /* the newest first: its ring is still in the cache */
    all->spare = p;
    all->n_spare++;
}

void
gw_pipes_close(struct gw_pipes *all)
{
    assert(all->n_lent == 0);
    while (all->spare != NULL) {
        struct gw_pipe *p = all->spare;

        all->spare = p->next;
        destroy(p);
    }
    all->n_spare = 0;
}

long
gw_pipe_fill(struct gw_pipe *p, int fd, size_t n)
{
    ssize_t got;

    assert(p->n == 0); /* else EAGAIN could mean either end */
    do {
        got = splice(fd, NULL, p->in, NULL, n, HOW);
    } while (got < 0 && errno == EINTR);
    if (got > 0) {
        p->n = (size_t)got;
    }
    return got;
}

long
gw_pipe_empty(struct gw_pipe *p, int fd)
{
    size_t before = p->n;

    while (p->n > 0) {
        ssize_t sent = splice(p->out, NULL, fd, NULL, p->n, HOW);

        if (sent > 0) {
            p->n -= (size_t)sent;
        } else if (sent == 0 || errno == EAGAIN) {
            break;
        } else if (errno != EINTR) {
            return -1;
        }
    }
    return (long)(before - p->n);
}

long
gw_pipe_read(struct gw_pipe *p, char *into, size_t n)
{
    ssize_t got;

    do {
        got = read(p->out, into, n);
    } while (got < 0 && errno == EINTR);
    if (got > 0) {
        p->n -= (size_t)got;
    }
    return got;
}
