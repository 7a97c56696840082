/*
 * lastgood.h - the configuration that a server was last ready with, kept by the supervisor.
 *
 * A server that dies is started again at once, and the file on disk may be in the middle of an
 * administrator's edit by then.  What worked a moment ago is better than no gateway.
 */
#ifndef GW_SERVER_LASTGOOD_H
#define GW_SERVER_LASTGOOD_H

#include "base/buf.h"

/* Start with {0}. */
struct gw_lastgood {
    struct gw_buf good;  /* a server was ready with this text */
    struct gw_buf tried; /* the file's text at the last start */
    bool kept;           /* the last start was with the kept text */
};

/* Before a start: a descriptor of the kept text, when there is one and the file is not usable
 * (or a start with it has just failed); says so in the log.  -1: read the file. */
int gw_lastgood_choose(struct gw_lastgood *g, const char *file, bool failed_before);

/* The server is ready: what was tried is good. */
void gw_lastgood_ready(struct gw_lastgood *g);

void gw_lastgood_fini(struct gw_lastgood *g);

#endif
