/*
 * admin_select.h - which objects of a list are asked for: labelSelector, fieldSelector, limit
 * and continue, as the Kubernetes API has them.
 */
#ifndef GW_SERVER_ADMIN_SELECT_H
#define GW_SERVER_ADMIN_SELECT_H

#include "server/admin_call.h"

#define GW_SELECT_TERMS 16

/* Start with {0}.  Texts are the request's. */
struct gw_selection {
    struct gw_select_term {
        struct gw_str name, value;
        bool field; /* metadata.name or metadata.namespace, not a label */
        enum {
            GW_SELECT_IS,
            GW_SELECT_IS_NOT,
            GW_SELECT_THERE,
            GW_SELECT_NOT_THERE,
            GW_SELECT_IN, /* value: "a,b" */
            GW_SELECT_NOT_IN
        } how;
    } terms[GW_SELECT_TERMS];
    unsigned n_terms;
    uint64_t limit;      /* 0: all */
    struct gw_str after; /* the key of the last object of the page before; none: from the start */
    uint64_t since;      /* the revision of the first page, which is the list's; 0: this is it */
    uint64_t taken;      /* counted by gw_selection_takes() */
    uint64_t left;       /* the same of those behind the page; with terms: not more than 1 */
    const char *last;    /* the key of the last object that was taken; borrowed */
};

/* Reads the query.  GW_NEXT, or the refusal of what is not understood: a selector that is
 * ignored would answer with objects that nobody asked for. */
enum gw_verdict gw_selection_read(struct gw_selection *s, struct gw_admin_call *call);

/* Do all of its selectors hold for the object? */
bool gw_selection_matches(const struct gw_selection *s, const struct gw_object *o);

/* Is the object part of the answer?  Asked in the order of keys. */
bool gw_selection_takes(struct gw_selection *s, const struct gw_object *o);

/* The same for what is listed under that name and key, which may be other ones: the object has its
 * labels.  The key is borrowed. */
bool gw_selection_takes_as(struct gw_selection *s, const struct gw_object *o, const char *name,
                           const char *key);

/* metadata of the list, made at that revision: "continue" if there is a next page. */
json_t *gw_selection_metadata(const struct gw_selection *s, uint64_t revision);

/* The List object around the items; takes that reference. */
json_t *gw_selection_list(const struct gw_selection *s, const struct gw_kind *kind,
                          uint64_t revision, json_t *items);

#endif
