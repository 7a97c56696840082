/*
 * jwt_source.h - an issuer that publishes its keys, and what each worker knows of them.
 *
 *     jwt_fetch.c's thread   -- a new set, as mail -->   the worker's slot   <- its requests
 *                            <-- an unknown kid -----
 *
 * A source is made when a configuration first names it and stays as long as the process: another
 * configuration that names the same one goes on with what is known.  There are as many as an
 * operator has ever written down, so none is ever freed.
 */
#ifndef GW_MODULES_JWT_SOURCE_H
#define GW_MODULES_JWT_SOURCE_H

#include <jansson.h>

#include "base/diag.h"
#include "base/mailbox.h"
#include "gateway/req.h"
#include "gateway/world.h"
#include "modules/jwt_keyset.h"

struct gw_jwt_link;

/* One worker's; on its thread alone. */
struct gw_jwt_slot {
    struct gw_jwt_keyset *keys; /* a reference; NULL: none are known yet */
    struct gw_jwt_link *waiters;
    uint64_t ask_after_ms; /* mono; earlier, the issuer is not asked again */
    uint64_t asked_ms;     /* wall; when the set was asked for that we know; 0: never */
    uint64_t answered;     /* the question that this was the answer of; 0: none */
    uint64_t heard;        /* times that those who wait were woken */
    bool asked;            /* by this worker, and there is no answer yet */
    bool failed;           /* the last fetch */
};

/* A key, what it came from, and until when it is taken.  jwt_fetch.c's thread's. */
struct gw_jwt_entry {
    struct gw_jwt_key *key; /* a reference */
    json_t *jwk;            /* a reference */
    uint64_t until_ms;      /* wall; 0: it is in the issuer's set */
};

/* What makes it this source and no other.  Texts: never NULL. */
struct gw_jwt_source_name {
    const char *issuer, *url; /* of the set, or of the document that names it */
    const char *ca_file;      /* "": the system's */
    bool discovery;
    long long old_keys_ms; /* for so long a key is taken after it has left the set */
};

enum gw_jwt_fetched {
    GW_JWT_FETCH_CHANGED,
    GW_JWT_FETCH_UNCHANGED,
    GW_JWT_FETCH_FAILED,
    GW_JWT_N_FETCHED
};

struct gw_jwt_source {
    struct gw_jwt_source *next;     /* older; never changes */
    struct gw_jwt_source_name name; /* owned */
    struct gw_jwt_keyset *first;    /* what was on the disk, or NULL; never changes once served */
    struct gw_jwt_slot *slots;      /* one for each worker; NULL: not in a server */
    /* for readiness and metrics: written by the fetching thread and control, read by anyone */
    atomic_bool used; /* by the configuration in force */
    atomic_uint n_keys, n_old;
    atomic_ullong fetched_ms; /* wall; the last good fetch; 0: never */
    atomic_ullong fetches[GW_JWT_N_FETCHED];
    atomic_ullong begun;           /* questions: the number of the last */
    _Atomic(const char *) trouble; /* static words, of the last fetch; NULL: it was good */
    /* the fetching thread's; before it starts, control's */
    struct gw_jwt_entry entries[GW_JWT_KEYS_MAX];
    size_t n_entries;
    bool foreign; /* they are from a file of another user: not to serve by */
    struct gw_jwt_fetch *fetch;
};

/* Control thread.  The source of that name, made when it is new: then what the file (a path) knows
 * of it is taken over.  What is wrong with the file is a warning. */
struct gw_jwt_source *gw_jwt_source_open(const struct gw_jwt_source_name *name, const char *file,
                                         struct gw_diag *diag, struct gw_place at);

/* Any thread: the newest of all, for a walk by `next`; NULL: there are none. */
struct gw_jwt_source *gw_jwt_sources(void);

/* Control thread, before the workers hear of the source. */
void gw_jwt_source_serve(struct gw_jwt_source *s, size_t n_workers);

/* What the worker knows; borrowed until its loop's next turn; NULL: nothing yet. */
static inline struct gw_jwt_keyset *
gw_jwt_source_keys(const struct gw_jwt_source *s, unsigned world_id)
{
    return s->slots == NULL ? s->first : s->slots[world_id].keys;
}

/* Worker, by mail: keys is a new set (a reference for the callee), or NULL: as before.  Removed
 * keys are told to on_removed; those who wait look again, if `wake`. */
struct gw_jwt_news {
    struct gw_mail mail;
    struct gw_jwt_source *source;
    struct gw_world *world;
    struct gw_jwt_keyset *keys;
    uint64_t ask_after_ms, asked_ms, answered;
    bool failed, wake;
};
void gw_jwt_news_send(struct gw_jwt_source *s, struct gw_world *w, const struct gw_jwt_news *news);

/* Control thread, before there are workers: who has kept something for a key. */
typedef void gw_jwt_removed_fn(struct gw_world *w, const struct gw_jwt_key *key);
void gw_jwt_source_on_removed(gw_jwt_removed_fn *fn);

#endif
