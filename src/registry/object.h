/*
 * object.h - one registered object: immutable, counted, shared by all threads.
 *
 * An object is Kubernetes-shaped JSON.  Its key "group/kind/namespace/name" (kind in the
 * singular as in `kind:`, group empty for v1, namespace empty for cluster-scoped kinds)
 * names it in the store, in the change stream and in views.
 */
#ifndef GW_REGISTRY_OBJECT_H
#define GW_REGISTRY_OBJECT_H

#include <jansson.h>
#include <stdatomic.h>

#include "base/diag.h"
#include "base/str.h"
#include "config/yaml.h"

/* A kind that the registry knows. */
struct gw_kind {
    const char *group;   /* "iam.kubesphere.io", "" for v1 */
    const char *version; /* "v1beta1" */
    const char *kind;    /* "WorkspaceRole" */
    const char *plural;  /* "workspaceroles" */
    bool namespaced;
    bool loose_names; /* any path segment is a name, as for Kubernetes' RBAC objects */
};

/* All kinds, ends with {0}.  resources.md section 1. */
extern const struct gw_kind gw_kinds[];

const struct gw_kind *gw_kind_find(struct gw_str group, struct gw_str kind);
const struct gw_kind *gw_kind_by_plural(struct gw_str group, struct gw_str version,
                                        struct gw_str plural);

/* There may be 100 000 of them, so each is one piece of memory and holds its JSON as text: a tree
 * of values is some fifteen times as large. */
/* What was found wrong with an object that is registered all the same. */
struct gw_object_flaw {
    bool unused; /* an error: it counts as absent */
    char text[]; /* the findings, "; " between them */
};

/* What it claims is another's (claims.h): as long as that is so, it counts as absent. */
struct gw_object_hold {
    struct gw_object *winner; /* a reference; NULL: it is not used for what it is itself */
    const char *unnamed;      /* why, for whoever may not know of the winner */
    char named[];             /* the same for whoever may */
};

struct gw_object {
    atomic_uint refs;
    unsigned json_bytes;
    _Atomic(struct gw_object_flaw *) flaw; /* owned; NULL: none */
    _Atomic(struct gw_object_hold *) hold; /* owned; NULL: none */
    uint64_t revision;                     /* its resourceVersion; 0: not stored yet */
    const struct gw_kind *kind;            /* a row of gw_kinds */
    const char *ns, *name;                 /* ns "" when cluster-scoped */
    const char *json; /* compact, keys sorted, without apiVersion and kind, which `kind` knows */
    char key[];       /* "group/kind/namespace/name" */
};

/* The whole object, made anew: the caller's, who may change it. */
json_t *gw_object_json(const struct gw_object *o);
/* The same as a line of compact JSON behind what is in out. */
void gw_object_write(const struct gw_object *o, struct gw_buf *out);

/* Notes it for whoever reads the object; the first time counts.  Control thread, which compiles it;
 * others may be looking at the object. */
void gw_object_note(struct gw_object *o, bool unused, const char *text);
/* Borrowed as the object is; or NULL. */
const struct gw_object_flaw *gw_object_flaw(const struct gw_object *o);
/* How many objects have one, or are held. */
unsigned gw_object_flaws(void);

/* named NULL: it is held no more; winner NULL: by no other object.  Returns what stood there, which
 * is the caller's to free when nobody can be looking at it any more.  Control thread. */
struct gw_object_hold *gw_object_set_hold(struct gw_object *o, struct gw_object *winner,
                                          const char *named, const char *unnamed);
void gw_object_hold_free(struct gw_object_hold *h); /* NULL is fine */
/* Borrowed until the thread looks for mail again; or NULL. */
const struct gw_object_hold *gw_object_hold(const struct gw_object *o);

/* Is it the same object with the same content? */
bool gw_object_equal(const struct gw_object *a, const struct gw_object *b);

/* Makes an object of JSON from outside; json stays the caller's.  Checks: apiVersion and kind
 * known, metadata.name (RFC 1123 subdomain; RBAC names may hold more, as Kubernetes' path
 * segments), namespace present exactly when the kind is namespaced, labels and annotations maps of
 * text, depth 32 and 1 MiB at most, and what registered validators of the kind say.  NULL: see
 * diag.  source gives places; may be NULL. */
struct gw_object *gw_object_new(json_t *json, const struct gw_yaml *source, struct gw_diag *diag);

/* The same without the registered validators: for what a store or a snapshot holds.  A stored
 * object that a newer validator would refuse is still there, and its view says so. */
struct gw_object *gw_object_stored(json_t *json, struct gw_diag *diag);

struct gw_object *gw_object_ref(struct gw_object *o);
void gw_object_unref(struct gw_object *o); /* NULL is fine */

/* "group/kind/namespace/name" in heap memory of the caller. */
char *gw_object_key(const struct gw_kind *kind, struct gw_str ns, struct gw_str name);

/* What a store keeps of it: compact JSON with sorted keys that begins with `{"metadata":{` and
 * has no uid, creationTimestamp and resourceVersion.  A store puts these three in behind the
 * first GW_BARE_HEAD bytes.  Equal objects give equal texts.  Heap memory of the caller. */
char *gw_object_bare(const struct gw_object *o);
#define GW_BARE_HEAD (sizeof("{\"metadata\":{") - 1)

/* A random UUID (version 4) for metadata.uid. */
void gw_object_uid(char out[37]);

/* What the upper layers (modules' views) want checked before an object of a kind is stored,
 * and in files.  Set once at start; path and place come from `source` (may be NULL). */
typedef void gw_object_check_fn(const struct gw_kind *kind, const json_t *json,
                                const struct gw_yaml *source, struct gw_diag *diag);
void gw_object_on_check(gw_object_check_fn *fn);

/* A change, in the order of revisions. */
struct gw_change {
    char *key;                /* owned */
    struct gw_object *object; /* a reference of the change's own; NULL: deleted */
    /* The same, of what stood there before; NULL: nothing.  Sync knows it; a store leaves it out.
     */
    struct gw_object *before;
    uint64_t revision;
    bool from_file; /* the object is one of registry.files; sync knows it */
};

#endif
