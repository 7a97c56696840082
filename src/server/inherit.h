/*
 * inherit.h - what the supervisor hands to the server process, and how it is found again.
 *
 * Descriptors are inherited by number; the numbers travel in the environment variable
 * KSGATE_SERVER as "listen=5,6,7,8 admin=9 ready=10 config=-1".
 */
#ifndef GW_SERVER_INHERIT_H
#define GW_SERVER_INHERIT_H

#include "gateway/settings.h"

#define GW_INHERIT_ENV "KSGATE_SERVER"
#define GW_INHERIT_FDS 1024

struct gw_inherit {
    int fds[GW_INHERIT_FDS]; /* listener by listener, in each worker by worker */
    size_t n_fds;
    int admin_fd, ready_fd; /* -1: none */
    int config_fd;          /* the configuration to start with; -1: the file's */
};

/* Opens all listening sockets.  False and a sentence in why[]. */
bool gw_inherit_open(struct gw_inherit *h, const struct gw_settings *s, char why[200]);

/* The child's environment variable; and back.  False when it is not there or not well-formed. */
void gw_inherit_write(const struct gw_inherit *h, struct gw_buf *out);
bool gw_inherit_read(struct gw_inherit *h);

#endif
