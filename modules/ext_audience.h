/*
 * ext_audience.h - spec.visibility and spec.workspaces: for whom an extension is.
 *
 * For everybody, or for some workspaces: those that are named, those that have a Subscription, or
 * those of the named that have one.  Who it is not for is not to know that it is there
 * (visibility.h).
 */
#ifndef GW_MODULES_EXT_AUDIENCE_H
#define GW_MODULES_EXT_AUDIENCE_H

#include "config/schema.h"
#include "gateway/world.h"

struct gw_ext_audience {
    bool restricted;                 /* not for everybody */
    bool subscribed;                 /* for those that have a Subscription alone */
    unsigned n_workspaces;           /* 0: whichever they are */
    const struct gw_str *workspaces; /* else these alone, sorted */
};

/* What the rows fill. */
struct gw_ext_audience_rows {
    int visibility;
    const char *const *workspaces;
};

/* "all", "subscribed"; NULL-terminated. */
extern const char *const gw_ext_visibility_words[];

/* Checks what rows can't; its texts are those of `rows`, its list the loader's arena's.  spec: as
 * written, for places. */
bool gw_ext_audience_compile(struct gw_ext_audience *out, const struct gw_ext_audience_rows *rows,
                             struct gw_loader *l, const json_t *spec);

/* Of an object as it is stored, whatever its spec is; the list, and its texts, are the arena's.
 * What gw_ext_audience_compile() would refuse is for no workspace. */
void gw_ext_audience_read(struct gw_ext_audience *out, const json_t *spec, struct gw_arena *arena);

/* Is the extension, which is a restricted one, for that workspace? */
bool gw_ext_audience_has(const struct gw_ext_audience *a, const struct gw_world *world,
                         struct gw_str extension, struct gw_str workspace);

#endif
