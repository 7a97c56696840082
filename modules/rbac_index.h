/*
 * rbac_index.h - all roles, bindings and namespaces of a world, found by who asks.
 *
 * A decision looks only at the bindings of the subject at hand (and of its groups) that apply
 * where the request goes; how many others there are makes no difference.
 *
 * Control makes one index, which all workers look into.  It is never changed: a change makes the
 * next one, in which only what it is about is made anew (base/trie.h), and each worker goes over
 * to that in one step.
 */
#ifndef GW_MODULES_RBAC_INDEX_H
#define GW_MODULES_RBAC_INDEX_H

#include "modules/rbac_holder.h"
#include "modules/rbac_shelf.h"

struct gw_rbac_index;

/* An index of one's own, which nobody else looks into; world is not used.  put: the piece replaces
 * what stood under the key, NULL takes it out; takes a reference of its own. */
void *gw_rbac_index_open(struct gw_world *world);
void gw_rbac_index_close(void *index);
void gw_rbac_index_put(void *index, const char *key, struct gw_piece *piece);

/* The view's next(): see world.h. */
struct gw_piece *gw_rbac_index_next(struct gw_piece *before, const struct gw_put *puts, size_t n);

/* Borrowed for as long as the index lasts. */
const struct gw_rbac_role *gw_rbac_index_role(const struct gw_rbac_index *x, struct gw_str key);
const struct gw_rbac_role *gw_rbac_index_role_of(const struct gw_rbac_index *x,
                                                 const struct gw_rbac_binding *b);
/* The templates that the role takes in, by name; NULL: none. */
const struct gw_rbac_shelf *gw_rbac_index_taken(const struct gw_rbac_index *x,
                                                const struct gw_rbac_role *role);
const struct gw_rbac_namespace *gw_rbac_index_namespace(const struct gw_rbac_index *x,
                                                        struct gw_str name);

/* A subject's bindings at one level and place in the order of their names, each once, however
 * many of its groups it has it by. */
struct gw_rbac_found {
    const struct gw_rbac_index *index;
    const struct gw_rbac_holder **holders; /* of the user and of its groups; arena */
    struct gw_rbac_cursor *cursors;        /* one each; arena */
    unsigned n;
};

/* Finds the subject once for a whole decision. */
void gw_rbac_index_find(const struct gw_rbac_index *x, struct gw_arena *a,
                        const struct gw_subject *subject, struct gw_rbac_found *out);

/* Starts at the first binding of the level and place; place NULL: of the level, in any place. */
void gw_rbac_found_start(struct gw_rbac_found *f, enum gw_rbac_level level,
                         const struct gw_str *place);
/* The next one, or NULL. */
const struct gw_rbac_binding *gw_rbac_found_next(struct gw_rbac_found *f);

/* The first of the binding's subjects that the caller is. */
const struct gw_rbac_subject *gw_rbac_index_subject(const struct gw_rbac_binding *b,
                                                    const struct gw_subject *subject);

#endif
