/*
 * objects.h - objects of the registry, written as YAML and applied to a world.
 */
#ifndef GW_T_OBJECTS_H
#define GW_T_OBJECTS_H

#include <stdlib.h>

#include "base/mem.h"
#include "gateway/worlds.h"

/* What was found wrong with the last one. */
static struct gw_diag diag;

/* A change: the object of the YAML, or (spec NULL) its end.  The caller owns it. */
static inline struct gw_change
change_of(const char *kind, const char *name, const char *spec)
{
    struct gw_change c = {.revision = 1};
    struct gw_yaml y = {0};
    struct gw_buf text = {0};

    gw_buf_printf(&text, "ksgate.io/%s//%s", kind, name);
    c.key = gw_mem_strdup(text.p);
    gw_buf_reset(&text);
    gw_buf_printf(&text, "{apiVersion: ksgate.io/v1, kind: %s, metadata: {name: %s}, spec: %s}",
                  kind, name, spec == NULL ? "{}" : spec);
    gw_diag_fini(&diag);
    if (spec != NULL && gw_yaml_read(&y, "t.yaml", gw_buf_text(&text), &diag)) {
        c.object = gw_object_new(y.docs[0], &y, &diag);
    }
    if (spec != NULL && c.object == NULL) {
        fail_msg("%s: %s", text.p, gw_diag_first(&diag));
    }
    gw_buf_fini(&text);
    gw_yaml_fini(&y);
    return c;
}

static inline void
apply(struct gw_world *w, const char *kind, const char *name, const char *spec)
{
    struct gw_change c = change_of(kind, name, spec);
    struct gw_batch *b = gw_batch_compile(NULL, &c, 1, 1, false, &diag);

    gw_world_apply(w, b);
    gw_batch_unref(b);
    gw_object_unref(c.object);
    free(c.key);
}

#endif
