/* jwt_json_private.h - shared by jwt_json.c and jwt_json_text.c. */
#ifndef GW_MODULES_JWT_JSON_PRIVATE_H
#define GW_MODULES_JWT_JSON_PRIVATE_H

#include "modules/jwt_json.h"

struct gw_jwt_json_reader {
    struct gw_arena *arena;
    const char *at, *end;
    struct gw_jwt_json *list; /* in the order of the text */
    size_t n, room;
    unsigned deeper; /* levels that may still be opened */
};

/* A text, of which r->at is behind the first quote; then it is behind the last.  False: it is
 * none. */
bool gw_jwt_json_text(struct gw_jwt_json_reader *r, struct gw_str *text);

#endif
