/*
 * object_status.h - what the gateway found wrong with an object, as a condition of its status.
 */
#ifndef GW_SERVER_OBJECT_STATUS_H
#define GW_SERVER_OBJECT_STATUS_H

#include <jansson.h>

#include "registry/object.h"

/* Adds {"type": "ksgate.io/Accepted", "status", "reason", "message"} to status.conditions, when
 * there is something to say. */
void gw_object_status_add(json_t *json, const struct gw_object *o);

/* It is there with the name of whom the object has to give way to, for whoever may know of that
 * one. */
void gw_object_status_name(json_t *json, const struct gw_object_hold *hold);

/* Takes it out again: what was read may be written back as it is. */
void gw_object_status_strip(json_t *json);

#endif
