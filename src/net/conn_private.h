/* conn_private.h - a connection's inside, shared by conn.c (it is opened, read and closed) and
 * conn_write.c (what goes out). */
#ifndef GW_NET_CONN_PRIVATE_H
#define GW_NET_CONN_PRIVATE_H

#include <errno.h>

#include "net/conn.h"

/* What was kept to be written is given up, and a pipe given back. */
void gw_conn_drop_out(struct gw_conn *c);

/* The write side is shut when that was asked for and all is written. */
void gw_conn_finish_shutdown(struct gw_conn *c);

/* No error of the connection: this kernel (a sandbox, a filter) does not splice here. */
static inline bool
gw_conn_is_refusal(int error)
{
    return error == EINVAL || error == ENOSYS || error == EOPNOTSUPP || error == EPERM;
}

#endif
