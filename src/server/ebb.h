/* ebb.h - when a crowd has left, its memory goes back to the system. */
#ifndef GW_SERVER_EBB_H
#define GW_SERVER_EBB_H

#include <stdbool.h>

/* Start with {0}. */
struct gw_ebb {
    long long peak; /* connections, since the last ebb */
    unsigned calm;  /* looks in a row that found less than half of it */
};

/* To be called at each look, with how many connections there are.  True once after so many have
 * left, and stayed away for a while, that their memory is worth the milliseconds of
 * gw_mem_trim(). */
bool gw_ebb(struct gw_ebb *e, long long connections);

#endif
