#include "modules/ext_kube.h"

#include <stdio.h>

#define LABEL_LONGEST 63

static const char *const schemes[] = {"http", "https", NULL};

/* clang-format off */
const struct gw_setting gw_ext_kube_rows[] = {
    {.name = "namespace", .set = gw_set_text, .at = offsetof(struct gw_ext_kube, ns), .flags = GW_REQUIRED,
     .example = "extension-devops", .help = "The Kubernetes Service's namespace."},
    {.name = "name", .set = gw_set_text, .at = offsetof(struct gw_ext_kube, name), .flags = GW_REQUIRED,
     .example = "devops-api", .help = "Its name."},
    {.name = "port", .set = gw_set_int, .at = offsetof(struct gw_ext_kube, port), .flags = GW_REQUIRED, .min = 1,
     .max = 65535, .example = "9090", .help = "Its port."},
    {.name = "scheme", .set = gw_set_word, .at = offsetof(struct gw_ext_kube, scheme), .words = schemes,
     .initial = "http", .help = "How it is spoken to."},
    {0},
};
/* clang-format on */

/* RFC 1123, as Kubernetes wants its names: lower case. */
static bool
is_label(const char *text)
{
    size_t n = strlen(text);

    for (size_t i = 0; i < n; i++) {
        bool is_plain = (text[i] >= 'a' && text[i] <= 'z') || (text[i] >= '0' && text[i] <= '9');

        if (!is_plain && (text[i] != '-' || i == 0 || i == n - 1)) {
            return false;
        }
    }
    return n > 0 && n <= LABEL_LONGEST;
}

static bool
check_label(const char *text, const char *key, struct gw_loader *l, const json_t *json)
{
    if (is_label(text)) {
        return true;
    }
    gw_schema_error(l, json_object_get(json, key),
                    gw_arena_printf(l->arena, "spec.service.%s", key),
                    "\"%s\" is not the %s of a Kubernetes Service: lower case letters, digits and "
                    "\"-\" within, at most %d",
                    text, key, LABEL_LONGEST);
    return false;
}

bool
gw_ext_kube_check(const struct gw_ext_kube *k, struct gw_loader *l, const json_t *json)
{
    bool good = check_label(k->ns, "namespace", l, json);

    good = check_label(k->name, "name", l, json) && good;
    if (strcmp(schemes[k->scheme], "https") == 0) {
        gw_schema_error(l, json_object_get(json, "scheme"), "spec.service.scheme",
                        "TLS to backends is not there yet; a Service can only be reached by http");
        good = false;
    }
    return good;
}

void
gw_ext_kube_url(char url[GW_EXT_KUBE_URL_SIZE], const char *ns, const char *name, long long port)
{
    (void)snprintf(url, GW_EXT_KUBE_URL_SIZE, "http://%s.%s.svc:%lld", name, ns, port);
}
