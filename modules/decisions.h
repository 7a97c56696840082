/*
 * decisions.h - the last decisions, kept for whoever asks why.
 *
 * Each worker keeps four rings: what was denied to those who are known, what was denied to
 * strangers, a sample of what was allowed, and what a candidate (shadow.c) would decide otherwise.
 * So a scan by strangers takes no place from the denials that somebody will ask about.
 */
#ifndef GW_MODULES_DECISIONS_H
#define GW_MODULES_DECISIONS_H

#include <stdatomic.h>

#include "base/buf.h"
#include "gateway/module.h"

/* One decision; counted, never changed. */
struct gw_kept {
    atomic_uint refs;
    bool denied;
    bool hidden;                               /* of an extension that is not there for the user */
    bool otherwise;                            /* by the candidate of shadow.files */
    uint64_t start_us;                         /* mono */
    struct gw_str request_id, user, extension; /* in text */
    struct gw_str json;                        /* docs/modules/decisions.md */
    char text[];
};

struct gw_kept_list {
    struct gw_kept **list; /* the newest first */
    size_t n;
};

/* Any thread.  All that the workers keep now; gw_decisions_give() gives them back. */
struct gw_kept_list gw_decisions_take(struct gw_world *const *worlds, size_t n_worlds);
void gw_decisions_give(struct gw_kept_list *all);

/* decisions_text.c.  Appends the JSON of a request's decision: the members of `explain`, and when,
 * from where and by which request. */
void gw_decisions_json(struct gw_buf *out, const struct gw_req *req);

#endif
