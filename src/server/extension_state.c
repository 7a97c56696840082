#include "server/extension_state.h"

#include <string.h>

#include "base/buf.h"

struct verdict {
    const char *state, *reason;
    struct gw_buf message; /* owned */
};

static const json_t *
at(const json_t *json, const char *a, const char *b)
{
    return json_object_get(json_object_get(json, a), b);
}

static const char *
text_of(const json_t *value)
{
    const char *text = json_string_value(value);

    return text == NULL ? "" : text;
}

static bool
is_unused(const struct gw_object *service)
{
    const struct gw_object_flaw *flaw = gw_object_flaw(service);

    return gw_object_hold(service) != NULL || (flaw != NULL && flaw->unused);
}

bool
gw_extension_is_used(const struct gw_object *service, const json_t *spec)
{
    return service != NULL && !is_unused(service) &&
           !json_is_false(json_object_get(spec, "enabled"));
}

/* ---- installed? ---------------------------------------------------------------------------- */

/* As the InstallPlan has it; where there is none, as the Extension does. */
struct installation {
    bool known, enabled;
    const char *state, *version; /* "": it does not say */
};

static struct installation
read_installation(const json_t *plan, const json_t *extension)
{
    struct installation in = {.state = "", .version = ""};

    if (plan != NULL) {
        const char *installed = text_of(at(plan, "status", "version"));

        in.known = true;
        in.enabled = json_is_true(at(plan, "spec", "enabled"));
        in.state = text_of(at(plan, "status", "state"));
        in.version = *installed != '\0'
                         ? installed
                         : text_of(at(json_object_get(plan, "spec"), "extension", "version"));
    } else if (extension != NULL) {
        in.enabled = json_is_true(at(extension, "status", "enabled"));
        in.state = text_of(at(extension, "status", "state"));
        in.version = text_of(at(extension, "status", "installedVersion"));
        in.known = *in.state != '\0' || *in.version != '\0';
    }
    return in;
}

/* An upgrade, or one that has failed, leaves what was there before. */
static bool
is_installed(const char *state)
{
    static const char *const words[] = {"Installed",     "Upgrading", "Upgraded",
                                        "UpgradeFailed", "Enabled",   "Disabled"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(state, words[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* The machine's own word; NULL: it is none of those that we know. */
static const char *
uninstalled_word(const char *state)
{
    static const char *const words[] = {"Preparing",    "Installing",      "InstallFailed",
                                        "Uninstalling", "UninstallFailed", "Uninstalled"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(state, words[i]) == 0) {
            return words[i];
        }
    }
    return NULL;
}

static void
judge_installation(struct verdict *v, const struct installation *in)
{
    if (!in->known) {
        v->state = "NotInstalled";
        v->reason = "NoInstallPlan";
        gw_buf_puts(&v->message, "there is no InstallPlan of it, and no ExtensionService");
    } else if (!is_installed(in->state)) {
        const char *word = uninstalled_word(in->state);

        v->state = "NotInstalled";
        v->reason = word == NULL ? "Pending" : word;
        gw_buf_printf(&v->message, "its installation is %s",
                      *in->state == '\0' ? "planned, and nobody has begun with it" : in->state);
    } else if (!in->enabled) {
        v->state = "Disabled";
        v->reason = "PlanDisabled";
        gw_buf_puts(&v->message, "its InstallPlan is not enabled");
    } else {
        v->state = "Enabled";
        v->reason = "ServiceNotFound";
        gw_buf_puts(&v->message, "it is installed, and has no ExtensionService: nothing answers "
                                 "below /extensions/");
    }
}

/* What KubeSphere says otherwise; requests do not ask for it. */
static void
add_installation(struct verdict *v, const struct installation *in)
{
    if (in->known && !is_installed(in->state) && *in->state != '\0') {
        gw_buf_printf(&v->message, "; its installation is %s", in->state);
    } else if (in->known && !in->enabled) {
        gw_buf_puts(&v->message, "; its InstallPlan is not enabled");
    }
}

/* ---- does it answer? ------------------------------------------------------------------------ */

static void
judge_unused(struct verdict *v, const struct gw_extension_facts *f)
{
    const struct gw_object_flaw *flaw = gw_object_flaw(f->service);
    bool held = gw_object_hold(f->service) != NULL;

    v->state = "Unavailable";
    v->reason = held ? "Conflict" : "Invalid";
    gw_buf_puts(&v->message, held ? "its ExtensionService claims what is another's"
                                  : "its ExtensionService can't be used");
    if (flaw != NULL && f->whole) {
        gw_buf_printf(&v->message, ": %s", flaw->text);
    }
}

static void
judge_endpoints(struct verdict *v, const json_t *endpoints)
{
    size_t n = json_array_size(endpoints);
    const json_t *down = NULL; /* the first */
    size_t live = 0;

    for (size_t i = 0; i < n; i++) {
        const json_t *e = json_array_get(endpoints, i);

        live += json_is_true(json_object_get(e, "live"));
        down = down == NULL && json_is_false(json_object_get(e, "healthy")) ? e : down;
    }
    v->state = live > 0 ? "Available" : "Unavailable";
    if (live > 0) {
        v->reason = "Passed";
        gw_buf_printf(&v->message, "%zu of %zu endpoint%s live", live, n, n == 1 ? " is" : "s are");
    } else if (n == 0) {
        v->reason = "MissingEndpoints";
        gw_buf_puts(&v->message, "none is in its ExtensionService, and none has registered itself");
    } else if (down != NULL) {
        v->reason = "EndpointsDown";
        gw_buf_printf(&v->message, "none of %zu endpoint%s is well; %s: %s", n, n == 1 ? "" : "s",
                      text_of(json_object_get(down, "url")),
                      text_of(json_object_get(down, "reason")));
    } else {
        v->reason = "EndpointsDraining";
        gw_buf_puts(&v->message, "all endpoints are draining, or have the weight 0");
    }
}

static void
judge_service(struct verdict *v, const struct gw_extension_facts *f)
{
    if (is_unused(f->service)) {
        judge_unused(v, f);
    } else if (json_is_false(json_object_get(f->spec, "enabled"))) {
        v->state = "Disabled";
        v->reason = "ServiceDisabled";
        gw_buf_puts(&v->message, "its ExtensionService says `enabled: false`");
    } else {
        judge_endpoints(v, f->endpoints);
    }
}

/* ---- which version? ------------------------------------------------------------------------- */

/* What all endpoints that say one run; "": they do not agree, or say none. */
static const char *
running_version(const json_t *endpoints)
{
    const char *version = "";

    for (size_t i = 0; i < json_array_size(endpoints); i++) {
        const char *one = text_of(json_object_get(json_array_get(endpoints, i), "version"));

        if (*one != '\0' && *version != '\0' && strcmp(one, version) != 0) {
            return "";
        }
        version = *one != '\0' ? one : version;
    }
    return version;
}

static const char *
version_of(const struct gw_extension_facts *f, const struct installation *in)
{
    const char *running = running_version(f->endpoints);

    if (*in->version != '\0') {
        return in->version;
    }
    if (*running != '\0' || f->service == NULL) {
        return running; /* what is in the catalogue alone is not installed */
    }
    return f->released == NULL ? "" : f->released;
}

void
gw_extension_state_add(json_t *to, const struct gw_extension_facts *f)
{
    const struct installation in = read_installation(f->plan, f->extension);
    const char *version = version_of(f, &in);
    struct verdict v = {0};

    if (f->service != NULL) {
        judge_service(&v, f);
        add_installation(&v, &in);
    } else {
        judge_installation(&v, &in);
    }
    bool enabled = f->service != NULL ? !json_is_false(json_object_get(f->spec, "enabled"))
                                      : in.known && in.enabled;
    (void)json_object_set_new(to, "state", json_string(v.state));
    (void)json_object_set_new(to, "reason", json_string(v.reason));
    (void)json_object_set_new(to, "message", json_stringn(v.message.p, v.message.n));
    (void)json_object_set_new(to, "enabled", json_boolean(enabled));
    if (*version != '\0') {
        (void)json_object_set_new(to, "version", json_string(version));
    }
    gw_buf_fini(&v.message);
}
