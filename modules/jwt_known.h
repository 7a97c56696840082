/*
 * jwt_known.h - the issuers' keys on disk: what was good last goes on being good after a restart,
 * whether the issuer answers by then or not.
 *
 * One file for all sources.  Its first line has a checksum of the rest, which is JSON:
 *
 *     {"sources": [{"issuer", "url", "fetched": ms, "keys": [{"jwk": {...}, "until": ms or 0}]}]}
 */
#ifndef GW_MODULES_JWT_KNOWN_H
#define GW_MODULES_JWT_KNOWN_H

#include "modules/jwt_source.h"

/* What there is to be said of a file. */
struct gw_jwt_doubt {
    const char *why; /* static; NULL: it is good, or there is none */
    bool bad;        /* rubbish, or a file that others may write; else it can't be read just now */
    bool foreign;    /* root reads another user's: good enough to look at, not to serve by */
};

/* A reference for the caller; NULL: there is no file, or it can't be read or believed. */
json_t *gw_jwt_known_read(const char *path, struct gw_jwt_doubt *doubt);

/* What it knows of the source; borrowed; NULL: nothing (root NULL is fine). */
const json_t *gw_jwt_known_find(const json_t *root, const struct gw_jwt_source_name *name);

/* Writes what is known of all sources that are in use, at once or not at all.  False with errno. */
bool gw_jwt_known_write(const char *path);

/* A file that can't be believed gets another name, for whoever wants to know why. */
void gw_jwt_known_set_aside(const char *path);

#endif
