/*
 * jwt_presence.h - is the token still in KubeSphere's own token cache?  (kubesphere.md 6.2)
 *
 * ks-core keeps the tokens that it gave out in a Redis, and takes them out at logout.  For an
 * issuer with `token_cache: redis` the worker asks it, without waiting: one question for all
 * requests that want to know the same.  The answer stands for a short while.
 */
#ifndef GW_MODULES_JWT_PRESENCE_H
#define GW_MODULES_JWT_PRESENCE_H

#include "base/err.h"
#include "config/schema.h"
#include "gateway/req.h"
#include "gateway/world.h"

struct gw_jwt_pass;

/* `authentication.token_cache_redis` */
struct gw_jwt_presence_settings {
    const char *url, *password_file;
    long long timeout_ms, remember_ms;
    int fail; /* 0 closed, 1 open */
    /* made from the above */
    const char *password; /* arena; or NULL */
    bool used;            /* by some issuer */
};

extern const struct gw_setting gw_jwt_presence_rows[];

/* Checks the settings, should they be used.  False: see the loader's diag. */
bool gw_jwt_presence_open(struct gw_jwt_presence_settings *s, struct gw_loader *l);

/* What the request has to do until it is known: GW_NEXT when it is known at once, with *err (OK: it
 * is there, or that it can't be found out is not to matter); or GW_WAIT, and told() is called
 * before the request is resumed.  serial: the settings'.  token: the pass's. */
typedef void gw_jwt_presence_fn(struct gw_req *req, enum gw_err err);
enum gw_verdict gw_jwt_presence_ask(struct gw_req *req, const struct gw_jwt_presence_settings *s,
                                    uint64_t serial, struct gw_str token, struct gw_jwt_pass *p,
                                    gw_jwt_presence_fn *told, enum gw_err *err);

/* The worker ends: no request waits any more. */
void gw_jwt_presence_stop(struct gw_world *world);

/* Of every world before others look at it. */
void gw_jwt_presence_prepare(struct gw_world *world);
void gw_jwt_presence_metrics(struct gw_buf *out, struct gw_world *const *worlds, size_t n);

#endif
