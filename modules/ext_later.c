#include "modules/ext_later.h"

#include "config/json.h"

static gw_set_fn set_rate;

/* clang-format off */
const struct gw_setting gw_ext_tls_rows[] = {
    {.name = "caBundle", .set = gw_set_text, .at = offsetof(struct gw_ext_tls, ca_bundle),
     .help = "Whose certificates are believed, PEM."},
    {.name = "insecureSkipVerify", .set = gw_set_bool, .at = offsetof(struct gw_ext_tls, skip_verify),
     .initial = "false", .help = "Believes any certificate."},
    {.name = "serverName", .set = gw_set_text, .at = offsetof(struct gw_ext_tls, server_name),
     .help = "The name in the backend's certificate."},
    {.name = "clientCertificate", .set = gw_ext_set_mapping, .at = offsetof(struct gw_ext_tls, client_certificate),
     .help = "The Secret with the gateway's own certificate."},
    {0},
};

const struct gw_setting gw_ext_requests_rows[] = {
    {.name = "rate", .set = set_rate, .at = offsetof(struct gw_ext_rate, rate), .flags = GW_REQUIRED,
     .example = "100/s", .help = "How many requests per second, minute or hour."},
    {.name = "burst", .set = gw_set_int, .at = offsetof(struct gw_ext_rate, burst), .initial = "0", .min = 0,
     .max = 1000000, .help = "How many more at once."},
    {.name = "per", .set = gw_set_text, .at = offsetof(struct gw_ext_rate, per), .initial = "user",
     .help = "Whose requests are counted together."},
    {0},
};
/* clang-format on */

bool
gw_ext_set_mapping(struct gw_loader *l, void *field, const json_t *value,
                   const struct gw_setting *row, const char *path)
{
    if (!json_is_object(value)) {
        gw_schema_error(l, value, path, "expected a mapping, got %s", gw_schema_got(l, value));
        return false;
    }
    return gw_set_json(l, field, value, row, path);
}

/* "100/s", "600/m", "1000/h" */
static bool
set_rate(struct gw_loader *l, void *field, const json_t *value, const struct gw_setting *row,
         const char *path)
{
    struct gw_str unit = gw_json_text(value);
    uint64_t n = 0;
    struct gw_str number = gw_str_cut(&unit, '/');

    if (!json_is_string(value) || !gw_str_u64(number, &n) || n == 0 ||
        !(gw_str_eq(unit, GW_STR("s")) || gw_str_eq(unit, GW_STR("m")) ||
          gw_str_eq(unit, GW_STR("h")))) {
        gw_schema_error(l, value, path, "expected a rate such as 100/s, got %s",
                        gw_schema_got(l, value));
        return false;
    }
    return gw_set_text(l, field, value, row, path);
}

static void
warn(const json_t *object, const char *path, const char *name, const struct gw_yaml *source,
     struct gw_diag *diag)
{
    gw_diag_warn(diag, gw_yaml_key_place(source, object, name),
                 "%s.%s is not in effect in this version", path, name);
}

/* Written, and not just as nothing. */
static bool
says_something(const json_t *value)
{
    return !(value == NULL || json_is_null(value) ||
             (json_is_object(value) && json_object_size(value) == 0) ||
             (json_is_array(value) && json_array_size(value) == 0));
}

void
gw_ext_later_warn(const json_t *spec, const struct gw_yaml *source, struct gw_diag *diag)
{
    static const struct {
        const char *section, *name; /* section NULL: of the spec itself */
    } later[] = {
        {NULL, "directives"},
        {NULL, "tls"},
        {"limits", "requests"},
    };

    for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++) {
        const char *section = later[i].section;
        const json_t *object = section == NULL ? spec : json_object_get(spec, section);

        if (says_something(json_object_get(object, later[i].name))) {
            warn(object, section == NULL ? "spec" : "spec.limits", later[i].name, source, diag);
        }
    }
}
