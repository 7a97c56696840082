#include "server/columns.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"

#define NAMED_MAX 3 /* in one cell */

/* -- values ------------------------------------------------------------------------------------ */

/* "spec.matcher.path" */
static const json_t *
value_at(const json_t *object, const char *path)
{
    struct gw_str rest = gw_str_of(path);

    while (object != NULL && rest.n > 0) {
        struct gw_str name = gw_str_cut(&rest, '.');

        object = json_object_getn(object, name.p, name.n);
    }
    return object;
}

static const char *
text_at(const json_t *object, const char *path)
{
    const char *text = json_string_value(value_at(object, path));

    return text == NULL ? "" : text;
}

static void
add_value(struct gw_buf *out, const json_t *value, const char *otherwise)
{
    const char *text = json_string_value(value);

    if (json_is_integer(value)) {
        gw_buf_printf(out, "%lld", (long long)json_integer_value(value));
    } else if (json_is_boolean(value)) {
        gw_buf_puts(out, json_is_true(value) ? "yes" : "no");
    } else {
        gw_buf_puts(out, text != NULL && *text != '\0' ? text : otherwise);
    }
}

/* As people say it. */
static void
add_seconds(struct gw_buf *out, unsigned long long seconds)
{
    if (seconds < 120) {
        gw_buf_printf(out, "%llus", seconds);
    } else if (seconds < 7200) {
        gw_buf_printf(out, "%llum", seconds / 60);
    } else if (seconds < 172800) {
        gw_buf_printf(out, "%lluh", seconds / 3600);
    } else {
        gw_buf_printf(out, "%llud", seconds / 86400);
    }
}

/* -- cells ------------------------------------------------------------------------------------- */

static void
backends(struct gw_buf *out, const json_t *object)
{
    const json_t *service = value_at(object, "spec.service");
    size_t n = json_array_size(value_at(object, "spec.endpoints"));

    if (service != NULL) {
        add_value(out, json_object_get(service, "name"), "-");
        gw_buf_puts(out, ".");
        add_value(out, json_object_get(service, "namespace"), "-");
    }
    if (service == NULL) {
        gw_buf_printf(out, "%zu", n);
    } else if (n > 0) { /* it is one more */
        gw_buf_printf(out, " and %zu", n);
    }
}

static void
audience(struct gw_buf *out, const json_t *object)
{
    size_t n = json_array_size(value_at(object, "spec.workspaces"));
    bool subscribed = strcmp(text_at(object, "spec.visibility"), "subscribed") == 0;

    if (n > 0) {
        gw_buf_printf(out, "%zu workspace%s%s", n, n == 1 ? "" : "s",
                      subscribed ? ", subscribed" : "");
    } else {
        gw_buf_puts(out, subscribed ? "subscribed" : "all");
    }
}

static void
weight(struct gw_buf *out, const json_t *object)
{
    add_value(out, value_at(object, "spec.weight"), "1");
    if (json_is_true(value_at(object, "spec.draining"))) {
        gw_buf_puts(out, " (draining)");
    }
}

static void
lease(struct gw_buf *out, const json_t *object)
{
    const json_t *seconds = value_at(object, "spec.leaseSeconds");

    add_value(out, seconds, "none");
    gw_buf_puts(out, json_is_integer(seconds) ? "s" : "");
}

/* Of an object that was read, not of a watch's event. */
static void
lease_end(struct gw_buf *out, const json_t *object)
{
    uint64_t now = gw_clock_wall_ms();
    uint64_t at = 0;

    if (!gw_clock_read_rfc3339(gw_str_of(text_at(object, "status.expires")), &at)) {
        gw_buf_puts(out, "-");
    } else if (at <= now) {
        gw_buf_puts(out, "now");
    } else {
        gw_buf_puts(out, "in ");
        add_seconds(out, (at - now + 999) / 1000);
    }
}

static void
health(struct gw_buf *out, const json_t *object)
{
    const json_t *healthy = value_at(object, "status.healthy");

    if (json_is_false(healthy)) {
        gw_buf_printf(out, "down: %s", text_at(object, "status.reason"));
    } else {
        gw_buf_puts(out, json_is_true(healthy) ? "up" : "-");
    }
}

/* Whom or what it is about. */
static void
revoked(struct gw_buf *out, const json_t *object)
{
    static const char *const names[] = {"user", "jti", "tokenHash"};
    const json_t *spec = json_object_get(object, "spec");

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *text = json_string_value(json_object_get(spec, names[i]));

        if (text != NULL && *text != '\0') {
            gw_buf_printf(out, "%s %s", names[i], text);
            return;
        }
    }
    gw_buf_puts(out, "-");
}

/* An object that counts no longer may still be there. */
static void
expires(struct gw_buf *out, const json_t *object)
{
    struct gw_str text = gw_str_of(text_at(object, "spec.expires"));
    uint64_t at = 0;

    gw_buf_str(out, text.n > 0 ? text : GW_STR("never"));
    if (gw_clock_read_rfc3339(text, &at) && at <= gw_clock_wall_ms()) {
        gw_buf_puts(out, " (over)");
    }
}

static void
role(struct gw_buf *out, const json_t *object)
{
    gw_buf_printf(out, "%s/%s", text_at(object, "roleRef.kind"), text_at(object, "roleRef.name"));
}

static void
subjects(struct gw_buf *out, const json_t *object)
{
    const json_t *list = json_object_get(object, "subjects");
    size_t n = json_array_size(list);

    for (size_t i = 0; i < n && i < NAMED_MAX; i++) {
        const json_t *s = json_array_get(list, i);
        bool user = strcmp(text_at(s, "kind"), "User") == 0;

        gw_buf_printf(out, "%s%s%s%s", i == 0 ? "" : ", ", user ? "" : text_at(s, "kind"),
                      user ? "" : "/", text_at(s, "name"));
    }
    if (n > NAMED_MAX) {
        gw_buf_printf(out, " and %zu more", n - NAMED_MAX);
    }
    gw_buf_puts(out, n == 0 ? "-" : "");
}

static void
rules(struct gw_buf *out, const json_t *object)
{
    const json_t *direct = json_object_get(object, "rules");

    gw_buf_printf(out, "%zu", json_array_size(direct));
}

static void
workspace_label(struct gw_buf *out, const json_t *object)
{
    const json_t *labels = value_at(object, "metadata.labels");

    add_value(out, json_object_get(labels, "kubesphere.io/workspace"), "-");
}

static void
backend(struct gw_buf *out, const json_t *endpoint)
{
    const json_t *service = json_object_get(endpoint, "service");

    if (service != NULL) {
        gw_buf_printf(out, "%s.%s", text_at(service, "name"), text_at(service, "namespace"));
    } else {
        add_value(out, json_object_get(endpoint, "url"), "-");
    }
}

static void
api_backend(struct gw_buf *out, const json_t *object)
{
    backend(out, json_object_get(object, "spec"));
}

static void
proxy_backend(struct gw_buf *out, const json_t *object)
{
    backend(out, value_at(object, "spec.upstream"));
}

/* What the gateway makes of it (object_status.h). */
static void
used(struct gw_buf *out, const json_t *object)
{
    const json_t *list = value_at(object, "status.conditions");

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *c = json_array_get(list, i);

        if (strcmp(text_at(c, "type"), "ksgate.io/Accepted") == 0) {
            if (strcmp(text_at(c, "status"), "False") == 0) {
                gw_buf_printf(out, "no: %s", text_at(c, "message"));
            } else {
                gw_buf_puts(out, "with warnings"); /* which can be long: see the object */
            }
            return;
        }
    }
    gw_buf_puts(out, "yes");
}

/* -- which ------------------------------------------------------------------------------------- */

/* clang-format off */
#define USED {"USED", NULL, NULL, "What the gateway makes of it: not used, and why; or with warnings, that stand in its status.", used}
#define STATE {"STATE", "status.state", "-", "As KubeSphere has it: Available, or switched off.", NULL}

static const struct gw_column services[] = {
    {"ENABLED", "spec.enabled", "yes", "Does it answer?", NULL},
    {"ACCESS", "spec.access", "authorized", "Who may come: all, all who are known, or whoever a role lets in.", NULL},
    {"FOR", NULL, NULL, "Which workspaces see it.", audience},
    {"STATIC", NULL, NULL, "Its Service, and how many endpoints are in its own spec.", backends},
    USED, {0},
};
static const struct gw_column endpoints[] = {
    {"EXTENSION", "spec.extension", "-", "Whose backend it is.", NULL},
    {"URL", "spec.url", "-", "Where it listens.", NULL},
    {"VERSION", "spec.version", "-", "Which version of the extension it runs.", NULL},
    {"WEIGHT", NULL, NULL, "Its share of the requests.", weight},
    {"LEASE", NULL, NULL, "It is forgotten when it is not renewed for that long.", lease},
    {"EXPIRES", NULL, NULL, "When that is.", lease_end},
    {"HEALTH", NULL, NULL, "What the checks say.", health},
    USED, {0},
};
static const struct gw_column revocations[] = {
    {"REVOKED", NULL, NULL, "Whom or what it is about.", revoked},
    {"BEFORE", "spec.before", "-", "What was issued until then.", NULL},
    {"EXPIRES", NULL, NULL, "Until when it counts.", expires},
    USED, {0},
};
static const struct gw_column subscriptions[] = {
    {"WORKSPACE", "spec.workspace", "-", "Who has it.", NULL},
    {"EXTENSION", "spec.extension", "-", "What they have.", NULL},
    {0},
};
static const struct gw_column roles[] = {
    {"RULES", NULL, NULL, "How many rules it has, without those of templates.", rules},
    USED, {0},
};
static const struct gw_column workspace_roles[] = {
    {"WORKSPACE", NULL, NULL, "Whose role it is.", workspace_label},
    {"RULES", NULL, NULL, "How many rules it has, without those of templates.", rules},
    USED, {0},
};
static const struct gw_column bindings[] = {
    {"ROLE", NULL, NULL, "What is given.", role},
    {"SUBJECTS", NULL, NULL, "To whom.", subjects},
    USED, {0},
};
static const struct gw_column workspace_bindings[] = {
    {"WORKSPACE", NULL, NULL, "Where it counts.", workspace_label},
    {"ROLE", NULL, NULL, "What is given.", role},
    {"SUBJECTS", NULL, NULL, "To whom.", subjects},
    USED, {0},
};
static const struct gw_column users[] = {
    {"EMAIL", "spec.email", "-", "As ks-core has it.", NULL},
    {"STATE", "status.state", "-", "As ks-core has it: Active, or not.", NULL},
    {0},
};
static const struct gw_column namespaces[] = {
    {"WORKSPACE", NULL, NULL, "Whose it is.", workspace_label},
    {0},
};
static const struct gw_column apis[] = {
    {"GROUP", "spec.group", "-", "Of the API.", NULL},
    {"VERSION", "spec.version", "-", "Of the API.", NULL},
    {"BACKEND", NULL, NULL, "Who serves it.", api_backend},
    STATE, USED, {0},
};
static const struct gw_column proxies[] = {
    {"METHOD", "spec.matcher.method", "-", "Of the requests.", NULL},
    {"PATH", "spec.matcher.path", "-", "Of the requests.", NULL},
    {"BACKEND", NULL, NULL, "Who answers them.", proxy_backend},
    STATE, USED, {0},
};
static const struct gw_column bundles[] = {
    {"LINK", "status.link", "-", "Where browsers find it.", NULL},
    STATE, USED, {0},
};
static const struct gw_column plans[] = {
    {"EXTENSION", "spec.extension.name", "-", "What is installed.", NULL},
    {"VERSION", "spec.extension.version", "-", "Which version of it.", NULL},
    {"ENABLED", "spec.enabled", "no", "Is it switched on?", NULL},
    STATE, {0},
};

static const struct {
    const char *kind;
    const struct gw_column *columns;
} tables[] = {
    {"ExtensionService", services},
    {"Endpoint", endpoints},
    {"Revocation", revocations},
    {"Subscription", subscriptions},
    {"GlobalRole", roles},
    {"ClusterRole", roles},
    {"Role", roles},
    {"WorkspaceRole", workspace_roles},
    {"GlobalRoleBinding", bindings},
    {"ClusterRoleBinding", bindings},
    {"RoleBinding", bindings},
    {"WorkspaceRoleBinding", workspace_bindings},
    {"User", users},
    {"Namespace", namespaces},
    {"APIService", apis},
    {"ReverseProxy", proxies},
    {"JSBundle", bundles},
    {"InstallPlan", plans},
};
/* clang-format on */

const struct gw_column *
gw_columns_of(const struct gw_kind *kind)
{
    static const struct gw_column none[1];

    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        if (strcmp(tables[i].kind, kind->kind) == 0) {
            return tables[i].columns;
        }
    }
    return none;
}

void
gw_column_cell(struct gw_buf *out, const struct gw_column *c, const json_t *object)
{
    if (c->cell != NULL) {
        c->cell(out, object);
    } else {
        add_value(out, value_at(object, c->path), c->otherwise);
    }
}

void
gw_columns_age(struct gw_buf *out, const char *rfc3339, uint64_t now_ms)
{
    uint64_t at = 0;

    if (rfc3339 == NULL || !gw_clock_read_rfc3339(gw_str_of(rfc3339), &at)) {
        gw_buf_puts(out, "-");
        return;
    }
    add_seconds(out, at > now_ms ? 0 : now_ms / 1000 - at / 1000);
}
