/*
 * endpoint_status.h - what is known of a backend, as JSON.
 */
#ifndef GW_SERVER_ENDPOINT_STATUS_H
#define GW_SERVER_ENDPOINT_STATUS_H

#include <jansson.h>

#include "registry/object.h"

/* Adds "healthy", "reason" and "since" when the backend of this URL is checked, or left alone by a
 * worker.  False when it is down, or left alone. */
bool gw_endpoint_status_add(json_t *to, const char *url);

/* The object for whoever reads it: a new reference.  The status of an Endpoint is ours, and of
 * this moment; of other kinds, what is stored, and what we found wrong (object_status.h). */
json_t *gw_endpoint_status_object(const struct gw_object *o);

/* Adds status.expires to an Endpoint; 0: nothing. */
void gw_endpoint_status_expires(json_t *endpoint, uint64_t until_ms);

/* The same as compact JSON behind what is in out. */
void gw_endpoint_status_write(const struct gw_object *o, struct gw_buf *out);

/* An Endpoint that is written has no status, and others none of our conditions: what was read may
 * be written back as it is. */
void gw_endpoint_status_strip(const struct gw_kind *kind, json_t *object);

#endif
