/*
 * checker.h - asks backends whether they are well; on the control thread.
 *
 * What is asked comes from the workers' targets (gateway/targets.h); each change of what is known
 * goes to all workers as a message.
 */
#ifndef GW_SERVER_CHECKER_H
#define GW_SERVER_CHECKER_H

#include "gateway/conf.h"
#include "net/loop.h"

/* The control thread's loop.  Before there are workers, and once.  most: checks at a time. */
void gw_checker_open(struct gw_loop *l, unsigned n_workers, unsigned most);
/* The configuration in force, also after each reload. */
void gw_checker_use(const struct gw_conf *conf);
/* After the workers have gone, and all mail was read. */
void gw_checker_close(void);

#endif
