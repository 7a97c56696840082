/*
 * listener.h - accepts connections, and stops accepting instead of failing.
 */
#ifndef GW_NET_LISTENER_H
#define GW_NET_LISTENER_H

#include <sys/socket.h>

#include "net/loop.h"

struct gw_listener;

/* Opens, binds and listens: "0.0.0.0:8080", "[::]:8080".  first: nobody may be there yet; the
 * further ones share the address with it.  -1 and a sentence in why[]. */
int gw_listener_bind(const char *address, bool first, char why[160]);

/* A unix socket with that file mode; a stale one is replaced, a live one is not.  -1: why[]. */
int gw_listener_bind_unix(const char *path, unsigned mode, char why[160]);

/* Takes the descriptor.  accepted() gets each connection (non-blocking, close-on-exec,
 * TCP_NODELAY); it may call gw_listener_pause(). */
struct gw_listener *gw_listener_new(struct gw_loop *l, int fd,
                                    void (*accepted)(void *owner, int fd,
                                                     const struct sockaddr_storage *peer),
                                    void *owner);

/* Leaves new connections in the kernel's queue; fine in either state. */
void gw_listener_pause(struct gw_listener *l);
void gw_listener_resume(struct gw_listener *l);

/* A descriptor has become free: no longer wait for one. */
void gw_listener_retry(struct gw_listener *l);

/* Accepts what is in the queue, then closes. */
void gw_listener_close(struct gw_listener *l);

#endif
