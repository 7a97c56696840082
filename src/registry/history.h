/*
 * history.h - the last changes of what is registered, so that whoever watches it can go on from
 * where they were (ADR 20).
 *
 * News are the changes of one batch.  They are immutable and counted, so that a change is kept
 * once, however many watch it, on whichever thread.
 */
#ifndef GW_REGISTRY_HISTORY_H
#define GW_REGISTRY_HISTORY_H

#include "registry/store.h"

enum gw_news_how {
    GW_NEWS_NUMBERED, /* each change has a revision of its own */
    GW_NEWS_LOOSE,    /* of files, or of what a replaced store has lost: at a revision that others
                         have, too */
    GW_NEWS_BROKEN,   /* the store was replaced: its numbers do not continue those before */
};

struct gw_news {
    atomic_uint refs;
    enum gw_news_how how;
    bool whole;        /* they are all that was between these revisions */
    uint64_t since;    /* of the registry before */
    uint64_t revision; /* of the registry with all of them */
    size_t bytes;      /* that they keep alive */
    size_t n;
    struct gw_news_item {
        struct gw_object *object, *before; /* a reference each; NULL: it is not there */
        uint64_t revision;
    } items[]; /* in the order of revisions */
};

/* One reference for the caller.  The changes stay the caller's.  since: the registry's revision
 * before; of NUMBERED news alone. */
struct gw_news *gw_news_new(const struct gw_change *changes, size_t n, uint64_t since,
                            uint64_t revision, enum gw_news_how how);
/* As if each of the objects had just been made; takes their references. */
struct gw_news *gw_news_of_objects(struct gw_object *const *objects, size_t n, uint64_t revision);
struct gw_news *gw_news_ref(struct gw_news *n);
void gw_news_unref(struct gw_news *n); /* NULL is fine */

/* Is something of the kind (and, unless ns is "", of the namespace) among them? */
bool gw_news_item_is_of(const struct gw_news_item *i, const struct gw_kind *kind, struct gw_str ns);

struct gw_history;

/* Keeps news that keep no more than so many bytes alive. */
struct gw_history *gw_history_new(size_t most_bytes);
void gw_history_free(struct gw_history *h); /* NULL is fine */

/* What is known now is of this revision; what led to it is not told. */
void gw_history_start(struct gw_history *h, uint64_t revision);
/* The same, after another store took the place of one that was at revision `was`. */
void gw_history_break(struct gw_history *h, uint64_t was, uint64_t revision);

/* Takes a reference of its own; the oldest go when there are too many bytes. */
void gw_history_add(struct gw_history *h, struct gw_news *news);

/* What of the kind and namespace came after that revision, `now` being the registry's: OK and a
 * reference in *out; or TOO_OLD when not all of it is kept, or was ever seen here (of several
 * changes that came at once), or the number is one of a store that was replaced.  A revision beyond
 * `now` may be one that another gateway knows already: OK, and nothing. */
enum gw_store_result gw_history_since(const struct gw_history *h, uint64_t revision, uint64_t now,
                                      const struct gw_kind *kind, struct gw_str ns,
                                      struct gw_news **out);

#endif
