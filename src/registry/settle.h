/*
 * settle.h - when the objects go that a wiped or replaced store does not have any more.
 *
 * They are kept (known.h calls them orphans) until somebody has written to the new store and
 * then nothing more for a while: by then what was meant to be there is there.  Endpoints that
 * register themselves are nobody's decision: their writes don't count, and they have longer to
 * come back.  Nothing goes while the store can't be reached.
 */
#ifndef GW_REGISTRY_SETTLE_H
#define GW_REGISTRY_SETTLE_H

#include <event2/event.h>

#include "registry/known.h"

#define GW_SETTLE_MS           5000  /* without a write */
#define GW_SETTLE_ENDPOINTS_MS 60000 /* for endpoints to register again */

struct gw_settle;

/* gone: what was dropped, in `changes`; the callback frees them with gw_changes_fini(). */
struct gw_settle *gw_settle_new(struct event_base *base, struct gw_known *known,
                                void (*gone)(void *owner, struct gw_changes *changes), void *owner);
void gw_settle_free(struct gw_settle *s);

void gw_settle_reachable(struct gw_settle *s, bool yes);

/* After a listing of n objects; replaced as gw_known_list() said.  Warns: at once if nothing that
 * was known is missing, else after the changes that come next, which may tell that it was deleted.
 */
void gw_settle_listed(struct gw_settle *s, struct gw_object *const *objects, size_t n,
                      bool replaced, const char *reason);

/* After changes. */
void gw_settle_changed(struct gw_settle *s, const struct gw_change *changes, size_t n);

#endif
