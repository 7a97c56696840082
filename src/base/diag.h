/*
 * diag.h - what is wrong with something that a person wrote, all of it at once.
 *
 * A list of findings, each with its place.  Readers of files, objects and settings
 * add to it and go on; whoever asked prints it.
 */
#ifndef GW_BASE_DIAG_H
#define GW_BASE_DIAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/buf.h"

enum gw_severity {
    GW_WARNING,
    GW_ERROR
};

struct gw_place {
    const char *file; /* NULL: not from a file */
    int line, column; /* from 1; 0: not known */
};

struct gw_finding {
    enum gw_severity severity;
    struct gw_place place; /* its file name is owned by the gw_diag */
    char *text;            /* owned by the gw_diag */
};

/* Start with {0}. */
struct gw_diag {
    struct gw_finding *findings;
    size_t n, size;
    size_t errors; /* how many of them are errors */
};

void gw_diag_error(struct gw_diag *d, struct gw_place at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void gw_diag_warn(struct gw_diag *d, struct gw_place at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* "file:line:column: error: text\n" for each, in the order of file, line and column. */
void gw_diag_format(const struct gw_diag *d, struct gw_buf *out);

/* "file:line:column: ", as far as it is known; appended. */
void gw_diag_place(struct gw_place at, struct gw_buf *out);

/* The findings in that order; heap memory, its content is borrowed. */
const struct gw_finding **gw_diag_sorted(const struct gw_diag *d);

/* The first error's text, or "". */
const char *gw_diag_first(const struct gw_diag *d);

void gw_diag_fini(struct gw_diag *d);

/* The nearest of the names (NULL-terminated list) to a mistyped one, or NULL when none
 * is near: at most two edits (or a swap), and fewer than half of its letters. */
const char *gw_diag_nearest(struct gw_str typed, const char *const *names);

#endif
