/*
 * targets.h - all that is checked: one target for each URL and way of checking it, however many
 * routes and workers want it.
 *
 * Workers take and give back; whoever checks (server/checker.h) hears of each first and last one
 * and notes what comes out.  What is known of a URL goes when nobody wants it checked any more,
 * and lives on when it is to be checked in another way.  All of it may be called by any thread.
 */
#ifndef GW_GATEWAY_TARGETS_H
#define GW_GATEWAY_TARGETS_H

#include <stdatomic.h>

#include "base/mailbox.h"
#include "gateway/health.h"
#include "gateway/vitals.h"

#define GW_TARGET_REASON 160

struct gw_target {
    struct gw_mail born, gone; /* for whoever checks, to be told by */
    void *patient;             /* the same one's */
    const char *url;           /* owned, as is what the check points to */
    struct gw_health_check check;
    atomic_bool down;
    /* behind the lock: */
    struct gw_target *next; /* another way of checking the same URL */
    unsigned users;
    struct gw_vitals vitals;
    uint64_t since_ms; /* wall; that it is up, or down; 0: nobody has asked yet */
    char reason[GW_TARGET_REASON];
};

/* Whoever checks: where to hear of the first user of a target, and of the last; on the thread of
 * that user.  One that is gone is freed by whoever was told.  Before there are any. */
struct gw_targets_watcher {
    void (*born)(struct gw_target *t);
    void (*gone)(struct gw_target *t);
};
void gw_targets_watch(struct gw_targets_watcher watcher);
void gw_target_free(struct gw_target *t);

/* Counted. */
struct gw_target *gw_target_take(struct gw_str url, const struct gw_health_check *check);
void gw_target_give(struct gw_target *t);

/* What a check has shown, and why.  True: it is up or down now, other than before. */
bool gw_target_note(struct gw_target *t, bool good, const char *why);
/* One has shown nothing. */
void gw_targets_note_void(void);

struct gw_health_status {
    bool healthy; /* also when nobody has asked yet */
    uint64_t since_ms;
    char reason[GW_TARGET_REASON];
};

/* Of all its checks together; false when it has none. */
bool gw_targets_status(struct gw_str url, struct gw_health_status *out);

void gw_targets_metrics(struct gw_buf *out);

#endif
