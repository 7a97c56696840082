/* json.h - what jansson lacks. */
#ifndef GW_CONFIG_JSON_H
#define GW_CONFIG_JSON_H

#include <jansson.h>

#include "base/str.h"

/* jansson's iterators and its reference count take no const, although they change nothing
 * that a reader sees.  For reading and counting only. */
static inline json_t *
gw_json_loose(const json_t *value)
{
    union {
        const json_t *given;
        json_t *loose;
    } v = {.given = value};

    return v.loose;
}

/* Borrowed; what is no text, or not there, has none. */
static inline struct gw_str
gw_json_text(const json_t *value)
{
    return (struct gw_str){json_string_value(value), json_string_length(value)};
}

#endif
