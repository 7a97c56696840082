/*
 * admin_versions.h - the versions of an extension, for those who look at it.
 */
#ifndef GW_SERVER_ADMIN_VERSIONS_H
#define GW_SERVER_ADMIN_VERSIONS_H

#include <stdbool.h>

#include <jansson.h>

/* rows: spec.versions as it is stored, or NULL.  endpoints: as they are shown, with url, version
 * and live.  A list with one entry for each row and one for the rest: {name, match, share,
 * fallback, endpoints: [url...], live}; NULL: there are no rows.  The caller owns it.  whole: with
 * `match`, which names users, and the cookies that others would like to know. */
json_t *gw_admin_versions(const json_t *rows, const json_t *endpoints, bool whole);

#endif
