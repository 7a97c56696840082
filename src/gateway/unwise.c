/* unwise.c - settings that are legal, and that somebody may regret (settings.h). */
#include <stdlib.h>

#include "gateway/settings.h"

static const json_t *
section(const json_t *root, const char *name)
{
    return json_object_get(root, name);
}

static void
warn_paths(const struct gw_settings *s, struct gw_loader *l, const json_t *root)
{
    if (s->core.allow_paths != 0) {
        gw_diag_warn(
            l->diag,
            gw_yaml_place(l->source, json_object_get(section(root, "core"), "allow_paths")),
            "core.allow_paths: ks-core and the console get paths that can be read in two "
            "ways; be sure that they split a path before they decode it, and merge no "
            "slashes that policy has not");
    }
}

/* All of IPv6, or of IPv4, which is below ::ffff:0:0/96. */
static bool
is_everybody(const struct gw_cidr *c)
{
    return c->bits == 0 || (c->bits == 96 && c->address[10] == 0xff && c->address[11] == 0xff);
}

static void
warn_trusted(const struct gw_settings *s, struct gw_loader *l, const json_t *root)
{
    const json_t *values = json_object_get(root, "trusted_proxies");

    for (size_t i = 0; i < s->n_trusted; i++) {
        const json_t *value = json_is_array(values) ? json_array_get(values, i) : values;

        if (is_everybody(&s->trusted[i])) {
            gw_diag_warn(l->diag, gw_yaml_place(l->source, value),
                         "trusted_proxies[%zu]: %s is everybody: each client can say with "
                         "X-Forwarded-For that it is any other; name the proxies' own addresses",
                         i, s->trusted_proxies[i]);
        }
    }
}

/* To connect is to write, and needs no token. */
static void
warn_mode(const struct gw_settings *s, struct gw_loader *l, const json_t *root)
{
    unsigned long mode = s->admin.mode == NULL ? 0 : strtoul(s->admin.mode, NULL, 8);

    if (s->admin.socket != NULL && (mode & 0002) != 0) {
        gw_diag_warn(l->diag,
                     gw_yaml_place(l->source, json_object_get(section(root, "admin"), "mode")),
                     "admin.mode: with \"%s\" every user of this machine may do everything, since "
                     "the admin socket asks for no token; \"0660\" is for its owner and group",
                     s->admin.mode);
    }
}

static void
warn_tls(const struct gw_settings *s, struct gw_loader *l, const json_t *root)
{
    const json_t *redis = json_object_get(section(root, "registry"), "redis");

    if (s->registry.driver == 1 && s->registry.redis.tls.insecure_skip_verify) {
        gw_diag_warn(
            l->diag,
            gw_yaml_key_place(l->source, json_object_get(redis, "tls"), "insecure_skip_verify"),
            "registry.redis.tls.insecure_skip_verify: whoever is between here and there "
            "can be the registry, and learns its password; name a ca_file instead");
    }
}

void
gw_settings_warn(const struct gw_settings *s, struct gw_loader *l, const json_t *root)
{
    warn_paths(s, l, root);
    warn_trusted(s, l, root);
    warn_mode(s, l, root);
    warn_tls(s, l, root);
}
