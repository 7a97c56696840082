/*
 * follow.h - the files that a configuration names (config/named.h): has one of them changed?
 *
 * inotify on the folders says when to look, and every ten seconds it is looked anyway; what counts
 * is what is in a file.  It is looked at 40 ms after the first sign, whatever comes meanwhile; a
 * file that was written to within these is given 40 ms more, 12 times at most.  So a change is told
 * within half a second, and in a folder that is always busy, too.
 */
#ifndef GW_SERVER_FOLLOW_H
#define GW_SERVER_FOLLOW_H

#include <event2/event.h>

#include "config/named.h"

struct gw_follow;

/* paths: those that have changed, or can be read no longer, or again; with commas between.  It may
 * call gw_follow_use().  From the event loop. */
typedef void gw_follow_changed_fn(void *owner, const char *paths);

struct gw_follow *gw_follow_new(struct event_base *base, gw_follow_changed_fn *changed,
                                void *owner);
void gw_follow_free(struct gw_follow *f); /* NULL is fine */

/* These, from now on; copied.  What has changed since they were looked at is told soon. */
void gw_follow_use(struct gw_follow *f, const struct gw_named *files);

/* For follow.c: calls each() for every folder in which something may happen that makes the path
 * lead to another file: where the file is, and where each link on the way to it is.  The folder is
 * the callee's to use until it returns. */
void gw_follow_way(const char *path, void (*each)(void *arg, const char *folder), void *arg);

#endif
