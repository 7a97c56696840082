/* admin_sight_metrics.c - metrics, less the lines about what the caller may not know of. */
#include <string.h>

#include "server/admin_sight.h"

#define OTHERS GW_STR("(other)") /* the sum of extensions that have no counts of their own */

/* The value of the label, as it is written; false when the line has none. */
static bool
label_of(struct gw_str line, struct gw_str label, struct gw_str *value)
{
    for (size_t at = gw_str_find(line, '{'); at + label.n < line.n; at++) {
        struct gw_str rest = gw_str_skip(line, at + 1);

        if ((line.p[at] != '{' && line.p[at] != ',') || !gw_str_has_prefix(rest, label)) {
            continue;
        }
        *value = gw_str_skip(rest, label.n);
        for (size_t n = 0; n < value->n; n++) {
            if (value->p[n] == '"') {
                value->n = n;
            }
            n += n < value->n && value->p[n] == '\\';
        }
        return true;
    }
    return false;
}

/* Names with what has to be escaped are no names of extensions: nobody is told of them. */
static bool
may_be_told(struct gw_viewer *v, struct gw_str line)
{
    struct gw_str value;

    if (line.n == 0 || line.p[0] == '#') {
        return true;
    }
    if (label_of(line, GW_STR("extension=\""), &value)) {
        return gw_str_eq(value, OTHERS) || value.n == 0 || gw_viewer_sees(v, value);
    }
    return !label_of(line, GW_STR("url=\""), &value);
}

void
gw_admin_sight_metrics(struct gw_admin_call *call, struct gw_buf *metrics)
{
    struct gw_viewer v;
    struct gw_str rest = gw_buf_text(metrics);
    const char *end = rest.p + rest.n;
    size_t kept = 0;

    gw_viewer_init(&v, call->req);
    if (v.all || !gw_ext_index_has_restricted(v.world)) {
        return;
    }
    while (rest.n > 0) {
        struct gw_str line = gw_str_cut(&rest, '\n');

        if (may_be_told(&v, line)) {
            size_t n = line.n + (line.p + line.n < end); /* with its '\n' */

            memmove(metrics->p + kept, line.p, n);
            kept += n;
        }
    }
    metrics->n = kept;
}
