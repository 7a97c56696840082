/*
 * mapback.h - what a backend says about its own paths, in the client's terms.
 *
 * A backend behind a stripped prefix thinks it lives at "/".  Location, Refresh and the Path of
 * Set-Cookie are mapped back below the prefix, so that redirects and cookies stay inside.
 */
#ifndef GW_GATEWAY_MAPBACK_H
#define GW_GATEWAY_MAPBACK_H

#include "gateway/req.h"
#include "http/write.h"

struct gw_backend;

/* Appends the answer's Location, Refresh and Set-Cookie headers, mapped. */
void gw_map_back(const struct gw_req *req, const struct gw_headers *h,
                 const struct gw_backend *backend, struct gw_out *out);

struct gw_map {
    struct gw_str prefix; /* what the client's paths begin with: "/extensions/x" */
    struct gw_str base;   /* what the backend's have in its place: "/base", or none */
};

/* The mapped URL, or the URL itself: a root-relative path, and an absolute URL of the backend's
 * own authority or of the host that the client asked, get the prefix in place of the base; all
 * else, and what is outside the base, is left alone. */
struct gw_str gw_map_back_url(struct gw_arena *a, struct gw_str url, const struct gw_map *map,
                              struct gw_str backend_authority, struct gw_str host);

/* A Set-Cookie value with its Path below the prefix; added when there was none or a relative
 * one is not: then the browser's default is right already. */
struct gw_str gw_map_back_cookie(struct gw_arena *a, struct gw_str cookie,
                                 const struct gw_map *map);

#endif
