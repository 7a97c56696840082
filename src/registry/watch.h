/*
 * watch.h - objects in files that are read again when the files change (registry.files).
 *
 * inotify on the folders, and a look at all files every ten seconds for what inotify does not
 * tell (a link's target elsewhere).  A file that is broken keeps the objects that it had, and all
 * that is wrong with it is logged.  A key that two files have is the first one's.
 */
#ifndef GW_REGISTRY_WATCH_H
#define GW_REGISTRY_WATCH_H

#include <event2/event.h>

#include "registry/object.h"

struct gw_watch;

/* What is different now; from the event loop.  Borrowed.  object NULL: no file has it any more. */
typedef void gw_watch_changed_fn(void *owner, const struct gw_change *changes, size_t n);

/* Reads all files at once; a path that is not there yet is logged and waited for. */
struct gw_watch *gw_watch_open(const char *const *paths, struct event_base *base,
                               gw_watch_changed_fn *changed, void *owner);
void gw_watch_close(struct gw_watch *w); /* NULL is fine */

/* Borrowed; NULL: in no file (or w is NULL). */
struct gw_object *gw_watch_get(const struct gw_watch *w, const char *key);
/* Walks as gw_map_next() does. */
bool gw_watch_next(const struct gw_watch *w, size_t *at, struct gw_object **o);
size_t gw_watch_count(const struct gw_watch *w);

#endif
