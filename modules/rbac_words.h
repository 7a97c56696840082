/*
 * rbac_words.h - a list of words as rules and clauses have them: ["get", "list"] or ["*"].
 */
#ifndef GW_MODULES_RBAC_WORDS_H
#define GW_MODULES_RBAC_WORDS_H

#include <jansson.h>

#include "base/str.h"

struct gw_rbac_words {
    struct gw_str *list; /* one heap block, texts included; NULL when empty */
    unsigned n;
    bool star; /* one of them is "*" */
};

/* Copies an array of texts; absent or null is the empty list.  False: it is something else,
 * and the list is empty. */
bool gw_rbac_words_read(struct gw_rbac_words *w, const json_t *array);
void gw_rbac_words_fini(struct gw_rbac_words *w);
size_t gw_rbac_words_bytes(const struct gw_rbac_words *w); /* of the heap */

/* Exactly, in upper and lower case as written. */
bool gw_rbac_words_have(const struct gw_rbac_words *w, struct gw_str word);

#endif
