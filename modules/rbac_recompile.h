/*
 * rbac_recompile.h - whom changed bindings concern, and their holders made anew: each once,
 * however many of its bindings are different.
 */
#ifndef GW_MODULES_RBAC_RECOMPILE_H
#define GW_MODULES_RBAC_RECOMPILE_H

#include "base/trie.h"
#include "modules/rbac_holder.h"

/* Start with {0}. */
struct gw_rbac_recompile {
    struct gw_rbac_edit {
        uint64_t hash; /* of the name */
        const char *name;
        struct gw_rbac_binding *binding; /* a reference */
        unsigned number;                 /* which edit it is: the later one counts */
        bool group, comes;
    } * edits;
    size_t n, size;
};

/* The binding goes; it comes.  In the order in which that happens. */
void gw_rbac_recompile_without(struct gw_rbac_recompile *r, struct gw_rbac_binding *b);
void gw_rbac_recompile_with(struct gw_rbac_recompile *r, struct gw_rbac_binding *b);

/* Puts new holders in the place of those that are concerned; then it is {0} again. */
void gw_rbac_recompile_finish(struct gw_rbac_recompile *r, struct gw_trie *users,
                              struct gw_trie *groups);

#endif
