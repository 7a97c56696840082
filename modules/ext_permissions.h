/*
 * ext_permissions.h - which paths of an extension are resources of a tenant.
 *
 * A row "/workspaces/{workspace}/pipelines/{name}" makes a resource request, in that workspace,
 * of the path itself, of the path without the name (list, create), and of what lies below it
 * (the segment after the name is the subresource).  The longest row that fits wins, then the
 * one with fewer placeholders.
 */
#ifndef GW_MODULES_EXT_PERMISSIONS_H
#define GW_MODULES_EXT_PERMISSIONS_H

#include "config/schema.h"
#include "gateway/req.h"

struct gw_ext_permission {
    const char *path, *group, *resource; /* as written */
    /* made from the path; a {name} at its end is left out, since a name may always follow */
    struct gw_ext_segment {
        enum gw_ext_segment_kind {
            GW_EXT_LITERAL,
            GW_EXT_WORKSPACE,
            GW_EXT_NAMESPACE,
            GW_EXT_CLUSTER,
            GW_EXT_NAME,
        } kind;
        struct gw_str text; /* of a literal */
    } * segments;
    unsigned n_segments, n_literals, order;
};

/* The rows of one item, for gw_set_list. */
extern const struct gw_setting gw_ext_permission_rows[];

/* Makes the segments of all, and sorts them.  json: the list as written, for places. */
bool gw_ext_permissions_compile(struct gw_list *list, struct gw_loader *l, const json_t *json);

/* path: below the extension, percent-decoded.  True: it is a resource, and info says which (all
 * but the verb). */
bool gw_ext_permissions_match(const struct gw_list *list, struct gw_str path,
                              struct gw_request_info *info);

/* request info's step 7, 12 and 14: get, list, watch, create ...; "" for other methods. */
struct gw_str gw_ext_permissions_verb(struct gw_str method, bool has_name, bool watch);

#endif
