/*
 * descriptors.h - how many files the server may have open, and what is made of them.
 *
 * A client's connection is one, its request's backend connection another: the clients get half of
 * what is left after a reserve for everything else (listeners, files, registry, the admin socket).
 * So a request that was let in finds a descriptor for its backend, and the registry can write,
 * however many clients there are.
 */
#ifndef GW_SERVER_DESCRIPTORS_H
#define GW_SERVER_DESCRIPTORS_H

#include "gateway/settings.h"

/* What one worker may have, and control. */
struct gw_descriptors {
    size_t clients;  /* connections; as many to backends are then possible, too */
    unsigned pipes;  /* for bodies that are not copied (net/pipe.h) */
    unsigned checks; /* of health, at a time; control's, for the whole server */
};

/* Raises the process's limit as far as limits.connections needs and the hard limit allows; warns
 * when that is not enough. */
struct gw_descriptors gw_descriptors_prepare(const struct gw_settings *s);

#endif
