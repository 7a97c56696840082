/* json.h - what jansson lacks. */
#ifndef GW_CONFIG_JSON_H
#define GW_CONFIG_JSON_H

#include <jansson.h>

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

#endif
