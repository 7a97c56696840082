/*
 * pipe.h - kernel pipes, through which bytes go from one socket to another without being copied.
 *
 * A pipe is lent only while there are bytes in it: a connection at rest owns none.  Each loop
 * keeps a few at hand.  When none is to be had (descriptors, the kernel's limit of pipe memory,
 * GW_PIPES_LENT) the caller copies instead; nothing fails for want of a pipe.
 */
#ifndef GW_NET_PIPE_H
#define GW_NET_PIPE_H

#include <stdbool.h>
#include <stddef.h>

/* Asked of the kernel.  A packet takes at least a page's place in a pipe, however short it is, so
 * that small packets fill it early. */
#define GW_PIPE_SIZE ((size_t)256 * 1024)
/* A user whose pipes are too many (pipe-user-pages-soft) is given smaller ones, in the end of two
 * pages; through those it costs more than copying. */
#define GW_PIPE_LEAST  ((size_t)64 * 1024)
#define GW_PIPES_LENT  128 /* of one loop at a time: slow readers hold theirs for long */
#define GW_PIPES_SPARE 16  /* kept at hand by one loop */
#define GW_PIPES_PAUSE 256 /* so many times none is asked for, after one was refused */

struct gw_pipe {
    struct gw_pipe *next; /* among the spare ones */
    size_t n;             /* bytes in it */
    size_t size;
    int in, out; /* its ends: written to, read from */
};

/* All of one loop; zeroed to begin with. */
struct gw_pipes {
    struct gw_pipe *spare;
    unsigned n_spare, n_lent;
    unsigned most;  /* of both, if not 0: where descriptors are few */
    unsigned pause; /* not asked for in so many more times */
};

/* An empty pipe, or NULL. */
struct gw_pipe *gw_pipe_take(struct gw_pipes *all);

/* One that still has bytes in it is closed: nobody else may get them. */
void gw_pipe_give(struct gw_pipes *all, struct gw_pipe *p);

void gw_pipes_close(struct gw_pipes *all); /* all must have been given back */

/* At most n bytes from the socket into the (empty) pipe: how many, 0 at the end of the stream,
 * -1 with errno (EAGAIN: nothing there; EINVAL: this socket can't be spliced). */
long gw_pipe_fill(struct gw_pipe *p, int fd, size_t n);

/* As much as the socket takes: how many bytes (0: none now), or -1 with errno.  A socket that
 * nobody reads raises SIGPIPE, which the process ignores. */
long gw_pipe_empty(struct gw_pipe *p, int fd);

/* The same into memory, for who finds that the socket can't be spliced to. */
long gw_pipe_read(struct gw_pipe *p, char *into, size_t n);

#endif
