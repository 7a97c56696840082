/* subject.h - who asks, copied into memory that outlives the request: for caches. */
#ifndef GW_MODULES_SUBJECT_H
#define GW_MODULES_SUBJECT_H

#include "gateway/req.h"

/* What gw_subject_copy() needs: lists and texts. */
size_t gw_subject_bytes(const struct gw_subject *s);

/* All that `from` says, its lists and texts at *at, which is aligned as for pointers and moves on
 * behind them. */
void gw_subject_copy(struct gw_subject *to, const struct gw_subject *from, char **at);

#endif
