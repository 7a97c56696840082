/*
 * watch_text.h - the events of a watch as Kubernetes has them, a line of JSON each.
 */
#ifndef GW_SERVER_WATCH_TEXT_H
#define GW_SERVER_WATCH_TEXT_H

#include "base/err.h"
#include "server/admin_table.h"

/* Each appends a line.  table: of which the object is a row, if one was asked for. */

/* {"type":"ADDED","object":{...}}.  revision: from where to go on; the object of a file, which has
 * none of its own, has that. */
void gw_watch_text_event(struct gw_buf *out, const char *type, const struct gw_object *o,
                         uint64_t revision, const struct gw_admin_table *table);

/* The object as it was last, at the revision at which it was gone, or no longer selected. */
void gw_watch_text_deleted(struct gw_buf *out, const struct gw_object *before, uint64_t revision,
                           const struct gw_admin_table *table);

/* All up to this revision has been told.  initial_end: for the first time. */
void gw_watch_text_bookmark(struct gw_buf *out, const struct gw_kind *kind, uint64_t revision,
                            bool initial_end, const struct gw_admin_table *table);

/* A Status, after which nothing comes. */
void gw_watch_text_error(struct gw_buf *out, enum gw_err err);

/* The end: the watch was to begin at a revision that has not come; `now` is the last one. */
void gw_watch_text_too_new(struct gw_buf *out, uint64_t wanted, uint64_t now);

#endif
