/*
 * audit.h - is what a store holds in order?  A pure function of its content.
 *
 * Gateways live with all that is found here (they skip what they can't read, and say so); nothing
 * of it mends itself.  Where there is a repair that loses nothing that means anything, the finding
 * names it.
 */
#ifndef GW_REGISTRY_AUDIT_H
#define GW_REGISTRY_AUDIT_H

#include "base/str.h"
#include "registry/object.h"

struct gw_audit_entry {
    char *key, *text; /* owned; NUL-terminated, and how many bytes there are */
    size_t n_key, n_text;
    uint64_t revision; /* where the store keeps it beside the text; 0: it does not */
};

struct gw_audit_lease {
    char *key; /* owned */
    uint64_t deadline_ms;
};

/* What a store holds.  Start with {0}. */
struct gw_audit_store {
    char *epoch;  /* owned; NULL: none */
    bool counted; /* there is a revision, and it is a number */
    uint64_t revision;
    uint64_t last_change; /* the revision of the newest change; 0: none is kept */
    uint64_t now_ms;      /* of the store's clock */
    struct gw_audit_entry *entries;
    size_t n_entries, size_entries;
    struct gw_audit_lease *leases;
    size_t n_leases, size_leases;
};

void gw_audit_add_entry(struct gw_audit_store *s, struct gw_str key, struct gw_str text,
                        uint64_t revision);
void gw_audit_add_lease(struct gw_audit_store *s, struct gw_str key, uint64_t deadline_ms);
void gw_audit_store_fini(struct gw_audit_store *s);

enum gw_audit_repair {
    GW_AUDIT_BY_HAND,      /* the text says what to do */
    GW_AUDIT_REMOVE,       /* the entry `key`, which nobody can read, if it still is as it was */
    GW_AUDIT_UNLEASE,      /* the lease of `key` */
    GW_AUDIT_LEASE,        /* gives `key` a lease of `number` ms */
    GW_AUDIT_SET_REVISION, /* to `number` */
    GW_AUDIT_MAKE_EPOCH,
};

struct gw_audit_finding {
    enum gw_audit_repair repair;
    char *key;                          /* owned, or NULL */
    const struct gw_audit_entry *entry; /* REMOVE: what is to be saved before; borrowed */
    uint64_t number;
    char text[400]; /* for people: what is wrong, and what it means */
};

/* Start with {0}. */
struct gw_audit {
    struct gw_audit_finding *list;
    size_t n, size;
    size_t objects, leases; /* that are in order */
};

/* Those of the store itself (epoch, revision) first: what else is written needs them. */
void gw_audit_run(struct gw_audit *a, const struct gw_audit_store *s);
void gw_audit_add(struct gw_audit *a, enum gw_audit_repair repair, const char *key, uint64_t number,
                  const char *fmt, ...) __attribute__((format(printf, 5, 6)));
void gw_audit_fini(struct gw_audit *a);

#endif
