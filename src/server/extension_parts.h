/*
 * extension_parts.h - what is registered of each extension, put together for whoever looks.
 *
 * Only what the viewer may know of (admin_sight.h) gets in.  Each object is looked at once; the
 * parts are found by name in a table.
 */
#ifndef GW_SERVER_EXTENSION_PARTS_H
#define GW_SERVER_EXTENSION_PARTS_H

#include "server/admin_select.h"
#include "server/admin_sight.h"

struct gw_extension_part {
    const char *name, *key; /* key: its ExtensionService's, if it had one */
    /* Borrowed; NULL: there is none, for the viewer. */
    struct gw_object *service, *extension, *plan;
    bool taken;         /* by the selection */
    json_t *registered; /* Endpoint objects, [{name, spec}], owned; or NULL */
    json_t *entries;    /* as they are shown; owned; or NULL */
    char *released;     /* the version of its ExtensionVersion */
    bool many_released; /* there are others */
    bool any_released;  /* while they are read: one, with a version or without */
};

struct gw_extension_parts {
    struct gw_extension_part **list; /* by name */
    size_t n;
};

/* Of objects of the kinds that gw_extension_parts_collect() has collected.  Memory is the arena's,
 * objects stay borrowed from the errand. */
void gw_extension_parts_read(struct gw_extension_parts *p, struct gw_errand *e,
                             struct gw_viewer *viewer, struct gw_selection *s);
void gw_extension_parts_fini(struct gw_extension_parts *p);

/* Control thread. */
void gw_extension_parts_collect(struct gw_errand *e);

#endif
