/*
 * saver.h - snapshots are written by a thread of their own: a disk may take its time, and the
 * event loop may not.
 */
#ifndef GW_REGISTRY_SAVER_H
#define GW_REGISTRY_SAVER_H

#include <event2/event.h>

#include "registry/snapshot.h"

struct gw_saver;

/* At most one snapshot is written at a time.  failed: one could not be written, so what is on disk
 * is older; the owner tries again, after a rest. */
struct gw_saver *gw_saver_open(const char *path, struct event_base *base,
                               void (*failed)(void *owner), void *owner);

bool gw_saver_is_busy(const struct gw_saver *s);

/* How long the next one has to wait, so that writing takes a hundredth of a core and no more: a
 * second, and longer where the last one was large or failed.  Not at all where there is none yet:
 * whoever started now would know nothing. */
unsigned gw_saver_rest_ms(const struct gw_saver *s);

/* Takes the snapshot's content; may not be busy.  What goes wrong is logged. */
void gw_saver_save(struct gw_saver *s, struct gw_snapshot *snapshot);

/* Waits for the one that is being written, writes `last` (may be NULL), and ends. */
void gw_saver_close(struct gw_saver *s, struct gw_snapshot *last);

#endif
