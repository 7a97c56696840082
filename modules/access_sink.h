/*
 * access_sink.h - where lines go: a file, or standard output, behind a thread of its own.
 *
 * Workers hand over whole blocks of lines and never wait for the disk.  When it is slower than
 * the lines come, what is over the bound is dropped and counted; nothing else suffers.
 */
#ifndef GW_MODULES_ACCESS_SINK_H
#define GW_MODULES_ACCESS_SINK_H

#include "base/buf.h"

struct gw_access_sink;

/* path: a file, which is opened (and made) when the first line comes, so that whoever only
 * checks a config makes none; or "stdout".  most: bytes that may wait to be written.  One
 * reference for the caller; the last one gone, what waits is written and the file closed. */
struct gw_access_sink *gw_access_sink_new(const char *path, size_t most);
struct gw_access_sink *gw_access_sink_ref(struct gw_access_sink *s);
void gw_access_sink_unref(struct gw_access_sink *s); /* NULL is fine; any thread */

/* Takes the block's memory, and empties it.  n_lines: how many lines it has. */
void gw_access_sink_write(struct gw_access_sink *s, struct gw_buf *block, unsigned n_lines);

/* Waits until all that waits is written, or ms are over.  Not on a request's way. */
void gw_access_sink_drain(struct gw_access_sink *s, unsigned ms);

/* Of all sinks of the process. */
unsigned long long gw_access_sink_written(void); /* lines */
unsigned long long gw_access_sink_dropped(void);

#endif
