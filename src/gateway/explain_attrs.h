/*
 * explain_attrs.h - what is asked for, as `explain` takes it: attributes by name (those of
 * rbac_rules.json), both ways.
 */
#ifndef GW_GATEWAY_EXPLAIN_ATTRS_H
#define GW_GATEWAY_EXPLAIN_ATTRS_H

#include <jansson.h>

#include "gateway/req.h"

struct gw_explain_attr {
    const char *name;
    size_t at;    /* in struct gw_request_info */
    bool is_flag; /* true or false; else a text */
};

/* All there are; the last has no name. */
extern const struct gw_explain_attr gw_explain_attrs[];

/* All of the question that these rules answered once: a new reference. */
json_t *gw_explain_attrs_of(const struct gw_request_info *info);

/* The other way: texts are the JSON's; what is not there, or of another type, is "" or false. */
struct gw_request_info gw_explain_attrs_read(const json_t *attrs);

#endif
