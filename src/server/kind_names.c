#include "server/kind_names.h"

#include <ctype.h>

/* As in Kubernetes where it has one. */
static const struct {
    const char *letters, *group, *kind;
} short_names[] = {
    {"es", "ksgate.io", "ExtensionService"},
    {"ep", "ksgate.io", "Endpoint"},
    {"ns", "", "Namespace"},
    {"cm", "", "ConfigMap"},
    {"ws", "tenant.kubesphere.io", "Workspace"},
};
#define N_SHORT_NAMES (sizeof(short_names) / sizeof(short_names[0]))

const char *
gw_kind_short_name(const struct gw_kind *kind)
{
    for (size_t i = 0; i < N_SHORT_NAMES; i++) {
        if (gw_kind_find(gw_str_of(short_names[i].group), gw_str_of(short_names[i].kind)) == kind) {
            return short_names[i].letters;
        }
    }
    return NULL;
}

void
gw_kind_singular(struct gw_buf *out, const struct gw_kind *kind)
{
    for (const char *p = kind->kind; *p != '\0'; p++) {
        char letter = (char)tolower((unsigned char)*p);

        gw_buf_add(out, &letter, 1);
    }
}
