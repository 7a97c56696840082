#include "registry/refusals.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

/* The store is well but for this: who reads the log has to know, and not only who has written. */
void
gw_refusals_add(struct gw_refusals *r, const char *name, bool new_only, const char *text)
{
    r->n++;
    r->ms = gw_clock_wall_ms();
    r->new_only = new_only;
    if (strncmp(r->why, text, sizeof(r->why) - 1) != 0) {
        (void)snprintf(r->why, sizeof(r->why), "%s", text);
        gw_log_warn("registry: %s refuses %s: %s; what is known stays in use", name,
                    new_only ? "what is new" : "a write", text);
    }
}

void
gw_refusals_end(struct gw_refusals *r, const char *name, bool is_new)
{
    if (r->why[0] != '\0' && (is_new || !r->new_only)) {
        r->why[0] = '\0';
        gw_log_info("registry: %s takes writes again", name);
    }
}

void
gw_refusals_status(const struct gw_refusals *r, struct gw_store_status *out)
{
    out->refused = r->n;
    out->refused_ms = r->ms;
    (void)snprintf(out->refused_for, sizeof(out->refused_for), "%s", r->why);
}
