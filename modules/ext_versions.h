/*
 * ext_versions.h - spec.versions: which requests of an extension go to which version of it.
 *
 * A row names a version, and says which requests always go there (match), and what share of all
 * others (weight).  What no row gets is the rest's: the endpoints of all versions that have no row.
 * docs/howto/versions.md says it for users, ADR 22 why.
 */
#ifndef GW_MODULES_EXT_VERSIONS_H
#define GW_MODULES_EXT_VERSIONS_H

#include "config/schema.h"
#include "gateway/req.h"

/* What of a request must be one of these values. */
struct gw_ext_condition {
    enum gw_ext_condition_of {
        GW_EXT_OF_HEADER,
        GW_EXT_OF_COOKIE,
        GW_EXT_OF_USER,      /* who is known to the gateway, as are: */
        GW_EXT_OF_GROUP,     /* one of the caller's */
        GW_EXT_OF_WORKSPACE, /* in which the caller is bound */
    } of;
    unsigned match;     /* of the row's: all conditions of one have to hold */
    struct gw_str name; /* of the header or cookie */
    unsigned n_values;
    const struct gw_str *values;
};

struct gw_ext_version {
    struct gw_str name;
    unsigned weight; /* percent */
    bool alone;      /* when it is down, its requests go nowhere else */
    unsigned n_conditions;
    const struct gw_ext_condition *conditions; /* those of one match stand together */
};

struct gw_ext_versions {
    unsigned n;
    const struct gw_ext_version *list; /* NULL: none */
};

/* What the rows fill: struct gw_list of these. */
struct gw_ext_version_row {
    const char *name;
    long long weight;
    int fallback;
    struct gw_list match;
};

extern const struct gw_setting gw_ext_version_rows[];

/* Checks what rows can't; its texts and lists are the loader's arena's.  json: the list as
 * written, for places. */
bool gw_ext_versions_compile(struct gw_ext_versions *out, const struct gw_list *rows,
                             struct gw_loader *l, const json_t *json);

/* For ext_share: how much memory it takes, and a copy there: both places move on. */
void gw_ext_versions_size(const struct gw_ext_versions *v, size_t *structs, size_t *texts);
void gw_ext_versions_copy(struct gw_ext_versions *v, char **structs, char **texts);

/* The request, whose destination has a split made of these (ext_sides.h), goes to one of its
 * sides.  For a dry one, the decision says why in words. */
void gw_ext_versions_choose(struct gw_req *req);

/* Is it a version's name: a token (RFC 9110, 5.6.2) of 63 bytes at most?  It stands in logs and
 * metrics, and is compared byte for byte. */
bool gw_ext_version_ok(const char *name);
#define GW_EXT_VERSION_RULE \
    "is not the name of a version: letters, digits, '.', '-', '_' and '+', at most 63"

#endif
