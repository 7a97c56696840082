#include "base/diag.h"

#include <stdarg.h>
#include <stdlib.h>

#include "base/mem.h"

#define LONGEST_NAME 63 /* of names that are worth a guess */

static void __attribute__((format(printf, 4, 0)))
add(struct gw_diag *d, enum gw_severity severity, struct gw_place at, const char *fmt, va_list ap)
{
    struct gw_finding f = {.severity = severity, .place = at};

    if (vasprintf(&f.text, fmt, ap) < 0) {
        f.text = gw_mem_strdup(fmt);
    }
    f.place.file = gw_mem_strdup(at.file);
    d->findings = gw_mem_room(d->findings, d->n, &d->size, sizeof(*d->findings));
    d->findings[d->n++] = f;
    d->errors += severity == GW_ERROR;
}

void
gw_diag_error(struct gw_diag *d, struct gw_place at, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    add(d, GW_ERROR, at, fmt, ap);
    va_end(ap);
}

void
gw_diag_warn(struct gw_diag *d, struct gw_place at, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    add(d, GW_WARNING, at, fmt, ap);
    va_end(ap);
}

static int
by_place(const void *left, const void *right)
{
    const struct gw_finding *a = *(const struct gw_finding *const *)left;
    const struct gw_finding *b = *(const struct gw_finding *const *)right;
    int order = gw_str_cmp(gw_str_of(a->place.file), gw_str_of(b->place.file));

    if (order == 0) {
        order = (a->place.line > b->place.line) - (a->place.line < b->place.line);
    }
    if (order == 0) {
        order = (a->place.column > b->place.column) - (a->place.column < b->place.column);
    }
    return order != 0 ? order : (a > b) - (a < b); /* the same place: as they were found */
}

void
gw_diag_place(struct gw_place at, struct gw_buf *out)
{
    if (at.file == NULL) {
        return;
    }
    gw_buf_printf(out, "%s:", at.file);
    if (at.line > 0) {
        gw_buf_printf(out, "%d:", at.line);
    }
    if (at.line > 0 && at.column > 0) {
        gw_buf_printf(out, "%d:", at.column);
    }
    gw_buf_puts(out, " ");
}

static void
format_one(const struct gw_finding *f, struct gw_buf *out)
{
    gw_diag_place(f->place, out);
    gw_buf_printf(out, "%s: %s\n", f->severity == GW_ERROR ? "error" : "warning", f->text);
}

const struct gw_finding **
gw_diag_sorted(const struct gw_diag *d)
{
    const struct gw_finding **sorted = gw_mem_alloc(d->n * sizeof(const struct gw_finding *));

    for (size_t i = 0; i < d->n; i++) {
        sorted[i] = &d->findings[i];
    }
    qsort(sorted, d->n, sizeof(const struct gw_finding *), by_place);
    return sorted;
}

void
gw_diag_format(const struct gw_diag *d, struct gw_buf *out)
{
    const struct gw_finding **sorted = gw_diag_sorted(d);

    for (size_t i = 0; i < d->n; i++) {
        format_one(sorted[i], out);
    }
    free(sorted);
}

const char *
gw_diag_first(const struct gw_diag *d)
{
    for (size_t i = 0; i < d->n; i++) {
        if (d->findings[i].severity == GW_ERROR) {
            return d->findings[i].text;
        }
    }
    return "";
}

void
gw_diag_fini(struct gw_diag *d)
{
    for (size_t i = 0; i < d->n; i++) {
        /* the place's name is const for its readers; the copy is ours */
        union {
            const char *given;
            char *owned;
        } file = {.given = d->findings[i].place.file};

        free(file.owned);
        free(d->findings[i].text);
    }
    free(d->findings);
    *d = (struct gw_diag){0};
}

static size_t
least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Edits that make one of the other: a letter more, less or other, or two that are swapped
 * ("optimal string alignment").  Three rows of the table are enough for the swap. */
static size_t
distance(struct gw_str a, struct gw_str b)
{
    size_t rows[3][LONGEST_NAME + 1];
    size_t *above2 = rows[0];
    size_t *above = rows[1];
    size_t *row = rows[2];

    for (size_t j = 0; j <= b.n; j++) {
        above2[j] = above[j] = j;
    }
    for (size_t i = 1; i <= a.n; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            row[j] =
                least(least(above[j], row[j - 1]) + 1, above[j - 1] + (a.p[i - 1] != b.p[j - 1]));
            if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1]) {
                row[j] = least(row[j], above2[j - 2] + 1);
            }
        }
        size_t *oldest = above2;
        above2 = above;
        above = row;
        row = oldest;
    }
    return above[b.n];
}

const char *
gw_diag_nearest(struct gw_str typed, const char *const *names)
{
    const char *nearest = NULL;
    size_t best = 3; /* more than two edits is another word */

    if (typed.n > LONGEST_NAME) {
        return NULL;
    }
    for (; *names != NULL; names++) {
        struct gw_str name = gw_str_of(*names);

        if (name.n > LONGEST_NAME) {
            continue;
        }
        size_t edits = distance(typed, name);
        if (edits < best && edits * 2 < typed.n) {
            best = edits;
            nearest = *names;
        }
    }
    return nearest;
}
