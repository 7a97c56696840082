/*
 * admin_table.h - objects in rows, as kubectl asks for them (Kubernetes API concepts, "Receiving
 * resources as Tables"): who reads them has to know nothing of the kind.
 */
#ifndef GW_SERVER_ADMIN_TABLE_H
#define GW_SERVER_ADMIN_TABLE_H

#include "server/admin_call.h"

struct gw_admin_table {
    const char *version; /* of meta.k8s.io; NULL: not asked for */
    enum {
        GW_TABLE_METADATA, /* of each object: its metadata, the default */
        GW_TABLE_OBJECT,   /* all of it */
        GW_TABLE_NONE,
    } with;
};

/* What the request accepts (RFC 9110, 12.5.1: the first that we have; weights are not looked at),
 * and the parameter includeObject.  GW_NEXT, or the refusal. */
enum gw_verdict gw_admin_table_read(struct gw_admin_table *t, struct gw_admin_call *call);

/* The Table of these objects of one kind; metadata: the list's.  Takes both references. */
json_t *gw_admin_table_json(const struct gw_admin_table *t, const struct gw_kind *kind,
                            json_t *metadata, json_t *items);

#endif
