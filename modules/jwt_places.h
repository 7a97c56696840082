/*
 * jwt_places.h - where else than in two headers a credential may stand: a part of the config
 * section `authentication`.
 */
#ifndef GW_MODULES_JWT_PLACES_H
#define GW_MODULES_JWT_PLACES_H

#include "config/schema.h"

/* Of a web page (RFC 6454): scheme, host and port. */
struct gw_jwt_origin {
    bool https;
    struct gw_str host; /* without its port; of any case */
    unsigned port;      /* the scheme's own, if none is written */
};

struct gw_jwt_places {
    const char *cookie;                    /* its name; "" or NULL: cookies are no credentials */
    const char *const *cookie_origins;     /* whose pages may use it beside our own */
    const char *const *cookie_private;     /* cookies that only the console gets */
    const char *form_cookie, *form_header; /* which must agree when a form is sent */
    bool query_token;                      /* access_token, of upgrades */
    /* made from the above */
    struct gw_jwt_origin *origins;
    size_t n_origins;
    struct gw_str *hidden; /* the names of all cookies that only the console gets */
    size_t n_hidden;       /* 0: cookies are none of our business */
};

/* False: see the loader's diag. */
bool gw_jwt_places_open(struct gw_jwt_places *p, struct gw_loader *l);

/* "https://host:8443", and nothing behind it.  False when it is not. */
bool gw_jwt_origin_parse(struct gw_str text, struct gw_jwt_origin *out);

/* "host:8443" of a request that came by that scheme. */
bool gw_jwt_origin_of(bool https, struct gw_str authority, struct gw_jwt_origin *out);

bool gw_jwt_origin_eq(const struct gw_jwt_origin *a, const struct gw_jwt_origin *b);

#endif
