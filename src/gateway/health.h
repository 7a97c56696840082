/*
 * health.h - what backends are asked, to find out whether they are well.
 *
 * A check is what a spec (healthCheck) or the configuration (core.health_check) says of it.
 * Whoever sends requests to an endpoint joins it with the check it wants; an endpoint is checked
 * once in each way that is wanted, by the control thread, for all routes and workers together
 * (targets.h).  It is down (upstream.h) while one of its checks says so.
 */
#ifndef GW_GATEWAY_HEALTH_H
#define GW_GATEWAY_HEALTH_H

#include "config/schema.h"

struct gw_endpoint;

enum gw_health_type {
    GW_HEALTH_NONE, /* not checked */
    GW_HEALTH_HTTP, /* the status of a GET */
    GW_HEALTH_TCP,  /* a connection can be made */
};

struct gw_health_check {
    int type;                /* enum gw_health_type */
    const char *path, *host; /* host NULL: the URL's */
    struct gw_health_range {
        unsigned least, most;
    } status; /* of good answers */
    long long interval_ms;
    long long timeout_ms;         /* for all of it: name, connection, answer */
    long long healthy, unhealthy; /* so many in a row */
};

/* Of an object's section, where it is there; and of the configuration's, which is always. */
extern const struct gw_setting gw_health_rows[], gw_health_core_rows[];

/* Checks what rows can't.  json: the section as written; NULL: it is not there.  path: its name,
 * "spec.healthCheck". */
bool gw_health_finish(struct gw_health_check *c, struct gw_loader *l, const json_t *json,
                      const char *path);

bool gw_health_same(const struct gw_health_check *a, const struct gw_health_check *b);

/* Worker.  A user of the endpoint wants it checked so, or no longer; counted.  NULL, or of the
 * type none: nothing is wanted.  What is known of it holds from here on. */
void gw_health_join(struct gw_endpoint *e, const struct gw_health_check *c);
void gw_health_leave(struct gw_endpoint *e, const struct gw_health_check *c);

/* For the endpoint's world: something is known anew; and it goes. */
void gw_health_apply(struct gw_endpoint *e);
void gw_health_fini(struct gw_endpoint *e);

#endif
