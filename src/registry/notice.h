/*
 * notice.h - tells that somebody writes to a SQLite database in WAL mode (inotify).
 *
 * A hint, and no more: it comes when the first bytes of a commit go to the -wal file, which may be
 * some time before the commit can be read (the writer then waits for its disk); and writes of our
 * own are told of, too.  Whoever is told looks a few times, later and later.
 */
#ifndef GW_REGISTRY_NOTICE_H
#define GW_REGISTRY_NOTICE_H

#include <stdbool.h>

#include <event2/event.h>

struct gw_notice;

/* Never NULL; without inotify (no instance is left: fs.inotify.max_user_instances) it tells of
 * nothing, and gw_notice_watch() says so. */
struct gw_notice *gw_notice_new(struct event_base *base, const char *database, void (*tell)(void *),
                                void *arg);
void gw_notice_free(struct gw_notice *n); /* NULL is fine */

/* Looks at the -wal file that is there now; to be called again when it may be another.  False: its
 * writes will not be told of. */
bool gw_notice_watch(struct gw_notice *n);

#endif
