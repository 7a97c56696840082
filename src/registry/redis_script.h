/* redis_script.h - calls of the registry's Lua script (redis.lua). */
#ifndef GW_REGISTRY_REDIS_SCRIPT_H
#define GW_REGISTRY_REDIS_SCRIPT_H

#include "net/redis.h"

#define GW_SCRIPT_ARGS 8 /* the operation and its arguments, at most */

/* EVALSHA, and EVAL when Redis does not know the script (yet, or after SCRIPT FLUSH).  argv ends
 * with NULL; its texts are copied. */
void gw_script_call(struct gw_redis *r, const char *prefix, const char *const *argv,
                    gw_redis_done_fn *done, void *arg);

#endif
