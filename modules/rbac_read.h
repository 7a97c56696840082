/*
 * rbac_read.h - what pieces of all kinds begin with (private to rbac_pieces.c and rbac_role.c).
 */
#ifndef GW_MODULES_RBAC_READ_H
#define GW_MODULES_RBAC_READ_H

#include "modules/rbac_pieces.h"

/* A piece of `size` bytes with room for `bytes` of text; *at is where that begins.  Its free() is
 * still to be set. */
void *gw_rbac_read_new(size_t size, size_t bytes, enum gw_rbac_sort sort,
                       const struct gw_kind *kind, const json_t *json, char **at);
void gw_rbac_read_free(struct gw_piece *p);

/* Writes the text where *at is, and moves that behind its end. */
const char *gw_rbac_read_text(char **at, const char *text);

/* An array, or NULL when there is none; *ok becomes false for anything else. */
const json_t *gw_rbac_read_array(const json_t *json, const char *name, const struct gw_yaml *source,
                                 struct gw_diag *diag, bool *ok);

struct gw_piece *gw_rbac_read_role(const struct gw_kind *kind, const json_t *json,
                                   const struct gw_yaml *source, struct gw_diag *diag);
struct gw_piece *gw_rbac_read_template(const struct gw_kind *kind, const json_t *json,
                                       const struct gw_yaml *source, struct gw_diag *diag);

#endif
