/* copy_write.h - the second half of copy.c: a list of writes, some of them under way at a time. */
#ifndef GW_REGISTRY_COPY_WRITE_H
#define GW_REGISTRY_COPY_WRITE_H

#include "registry/copy.h"

struct gw_copy_write {
    enum gw_copy_op op;
    struct gw_object *object; /* a reference: of the source, or what is deleted */
    uint64_t revision;        /* of what was compared, where there was something */
};

struct gw_copy_writes {
    struct gw_copy *copy;
    struct gw_copy_write *list;
    size_t n, size;
    size_t next, under_way;
    bool issuing; /* an answer from within a call must not begin the next */
    bool broken;  /* the store is away: no more are begun */
    void *store;
    void (*done)(void *owner); /* all are answered */
    void *owner;
};

/* Takes the reference. */
void gw_copy_writes_add(struct gw_copy_writes *w, struct gw_copy_write write);

/* From the event loop; done() may come from within. */
void gw_copy_writes_start(struct gw_copy_writes *w, void *store);
void gw_copy_writes_fini(struct gw_copy_writes *w);

#endif
