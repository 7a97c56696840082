/*
 * jwt_json.h - the JSON of a token, read where it stands.
 *
 * Every token that is new to a worker is read before anybody is believed, also one that an attacker
 * made.  So there is no tree of allocations, as jansson makes, but one list in the arena, in the
 * order of the text (docs/adr/0010-claims-are-read-in-place.md).
 *
 * What is read is RFC 8259 and no more: as jansson with JSON_REJECT_DUPLICATES, which the unit test
 * holds it to.
 */
#ifndef GW_MODULES_JWT_JSON_H
#define GW_MODULES_JWT_JSON_H

#include "base/arena.h"

enum gw_jwt_json_type {
    GW_JWT_JSON_NULL,
    GW_JWT_JSON_BOOL, /* which is nobody's question */
    GW_JWT_JSON_INTEGER,
    GW_JWT_JSON_REAL,
    GW_JWT_JSON_TEXT,
    GW_JWT_JSON_ARRAY,
    GW_JWT_JSON_OBJECT,
};

/* A value; behind one that holds others stand these. */
struct gw_jwt_json {
    struct gw_str key;  /* of a member of an object */
    struct gw_str text; /* of a text: decoded UTF-8, without NUL bytes */
    union {
        long long integer;
        double real;
    } number;
    unsigned size; /* with all that it holds: so far behind it stands the next */
    enum gw_jwt_json_type type;
};

/* Reads an object, `depth` levels deep at most.  NULL: the text is anything else.  Slices are of
 * the text, or of the arena. */
const struct gw_jwt_json *gw_jwt_json_read(struct gw_arena *a, struct gw_str text, unsigned depth);

/* The member; NULL: there is none, or it is no object (NULL is fine). */
const struct gw_jwt_json *gw_jwt_json_get(const struct gw_jwt_json *object, const char *name);

static inline bool
gw_jwt_json_is(const struct gw_jwt_json *v, enum gw_jwt_json_type type)
{
    return v != NULL && v->type == type;
}

/* All that an array or an object holds, one after the other:
 *
 *     for (v = gw_jwt_json_first(o); v != NULL; v = gw_jwt_json_next(o, v))
 */
static inline const struct gw_jwt_json *
gw_jwt_json_first(const struct gw_jwt_json *of)
{
    return of == NULL || of->size == 1 ? NULL : of + 1;
}

static inline const struct gw_jwt_json *
gw_jwt_json_next(const struct gw_jwt_json *of, const struct gw_jwt_json *v)
{
    return v + v->size == of + of->size ? NULL : v + v->size;
}

#endif
