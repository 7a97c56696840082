/*
 * rbac_shelf.h - the RoleTemplates of an index, and those that roles take in.
 *
 * Very many roles take in the same templates: each workspace has its four, each namespace its
 * three. So a selection is made once for all that say the same, and a template that changes is
 * looked for in the selections and not in the roles.  All of this is immutable and counted, as the
 * index is.
 */
#ifndef GW_MODULES_RBAC_SHELF_H
#define GW_MODULES_RBAC_SHELF_H

#include "base/trie.h"
#include "modules/rbac_pieces.h"

/* Templates in the order of their names. */
struct gw_rbac_shelf {
    struct gw_piece piece;
    unsigned n;
    struct gw_rbac_role *list[]; /* references */
};

/* The next one, in which `template` stands under the name, or (NULL) nothing does; before may be
 * NULL.  Lets go of `before`. */
struct gw_rbac_shelf *gw_rbac_shelf_next(struct gw_rbac_shelf *before, const char *name,
                                         struct gw_rbac_role *template);

/* What the roles of one gather text take in. */
struct gw_rbac_selection {
    atomic_uint refs;
    unsigned roles; /* so many have the text */
    struct gw_str key;
    struct gw_rbac_shelf *taken; /* a reference; NULL: none */
};

extern const struct gw_trie_kind gw_rbac_selections;

/* One role more or less has the text.  of: all templates. */
void gw_rbac_selection_count(struct gw_trie *selections, struct gw_str text, int more,
                             const struct gw_rbac_shelf *of);
/* All of them anew, because the templates are others. */
void gw_rbac_selection_all(struct gw_trie *selections, const struct gw_rbac_shelf *of);

#endif
