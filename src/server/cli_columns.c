#include "server/cli_columns.h"

#include <time.h>

#include "base/clock.h"
#include "server/cli_util.h"

#define COLUMNS_MAX 5

/* part: of the object, as the column says. */
typedef void cell_fn(struct gw_buf *out, const json_t *part);

static void
add_text(struct gw_buf *out, const json_t *value, const char *otherwise)
{
    const char *text = json_string_value(value);

    if (json_is_integer(value)) {
        gw_buf_printf(out, "%lld", (long long)json_integer_value(value));
    } else {
        gw_buf_puts(out, text != NULL && *text != '\0' ? text : otherwise);
    }
}

static void
enabled(struct gw_buf *out, const json_t *spec)
{
    gw_buf_puts(out, json_is_false(json_object_get(spec, "enabled")) ? "no" : "yes");
}

static void
access_level(struct gw_buf *out, const json_t *spec)
{
    add_text(out, json_object_get(spec, "access"), "authorized");
}

static void
backends(struct gw_buf *out, const json_t *spec)
{
    const json_t *service = json_object_get(spec, "service");

    if (service != NULL) {
        add_text(out, json_object_get(service, "name"), "-");
        gw_buf_puts(out, ".");
        add_text(out, json_object_get(service, "namespace"), "-");
    } else {
        gw_buf_printf(out, "%zu", json_array_size(json_object_get(spec, "endpoints")));
    }
}

static void
extension(struct gw_buf *out, const json_t *spec)
{
    add_text(out, json_object_get(spec, "extension"), "-");
}

static void
url(struct gw_buf *out, const json_t *spec)
{
    add_text(out, json_object_get(spec, "url"), "-");
}

static void
weight(struct gw_buf *out, const json_t *spec)
{
    add_text(out, json_object_get(spec, "weight"), "1");
    if (json_is_true(json_object_get(spec, "draining"))) {
        gw_buf_puts(out, " (draining)");
    }
}

static void
lease(struct gw_buf *out, const json_t *spec)
{
    const json_t *seconds = json_object_get(spec, "leaseSeconds");

    add_text(out, seconds, "none");
    gw_buf_puts(out, json_is_integer(seconds) ? "s" : "");
}

static void
health(struct gw_buf *out, const json_t *status)
{
    const json_t *healthy = json_object_get(status, "healthy");
    const char *reason = json_string_value(json_object_get(status, "reason"));

    if (json_is_false(healthy)) {
        gw_buf_printf(out, "down: %s", reason == NULL ? "" : reason);
    } else {
        gw_buf_puts(out, json_is_true(healthy) ? "up" : "-");
    }
}

/* Whom or what it is about. */
static void
revoked(struct gw_buf *out, const json_t *spec)
{
    static const char *const names[] = {"user", "jti", "tokenHash"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *text = json_string_value(json_object_get(spec, names[i]));

        if (text != NULL && *text != '\0') {
            gw_buf_printf(out, "%s %s", names[i], text);
            return;
        }
    }
    gw_buf_puts(out, "-");
}

static void
revoked_before(struct gw_buf *out, const json_t *spec)
{
    add_text(out, json_object_get(spec, "before"), "-");
}

/* An object that counts no longer may still be there. */
static void
expires(struct gw_buf *out, const json_t *spec)
{
    const char *text = json_string_value(json_object_get(spec, "expires"));
    uint64_t at = 0;

    add_text(out, json_object_get(spec, "expires"), "never");
    if (text != NULL && gw_clock_read_rfc3339(gw_str_of(text), &at) && at <= gw_clock_wall_ms()) {
        gw_buf_puts(out, " (over)");
    }
}

/* What tells more than name and age; of the kinds that people look at most. */
static const struct {
    const char *kind;
    struct column {
        const char *title;
        cell_fn *cell;
        const char *part; /* NULL: the spec */
    } columns[COLUMNS_MAX];
} tables[] = {
    {"ExtensionService",
     {{"ENABLED", enabled, NULL}, {"ACCESS", access_level, NULL}, {"STATIC", backends, NULL}}},
    {"Endpoint",
     {{"EXTENSION", extension, NULL},
      {"URL", url, NULL},
      {"WEIGHT", weight, NULL},
      {"LEASE", lease, NULL},
      {"HEALTH", health, "status"}}},
    {"Revocation",
     {{"REVOKED", revoked, NULL}, {"BEFORE", revoked_before, NULL}, {"EXPIRES", expires, NULL}}},
};

static const struct column *
columns_of(const struct gw_kind *kind)
{
    static const struct column none[COLUMNS_MAX];

    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        if (strcmp(tables[i].kind, kind->kind) == 0) {
            return tables[i].columns;
        }
    }
    return none;
}

void
gw_cli_age(struct gw_buf *out, const char *rfc3339, uint64_t now_ms)
{
    struct tm tm = {0};
    long long seconds;

    if (rfc3339 == NULL || strptime(rfc3339, "%Y-%m-%dT%H:%M:%S", &tm) == NULL) {
        gw_buf_puts(out, "-");
        return;
    }
    seconds = (long long)(now_ms / 1000) - (long long)timegm(&tm);
    seconds = seconds < 0 ? 0 : seconds;
    if (seconds < 120) {
        gw_buf_printf(out, "%llds", seconds);
    } else if (seconds < 7200) {
        gw_buf_printf(out, "%lldm", seconds / 60);
    } else if (seconds < 172800) {
        gw_buf_printf(out, "%lldh", seconds / 3600);
    } else {
        gw_buf_printf(out, "%lldd", seconds / 86400);
    }
}

static void
add_row(struct gw_table *t, const struct column *columns, const json_t *object, bool namespaces)
{
    const json_t *metadata = json_object_get(object, "metadata");
    struct gw_buf cell = {0};

    if (namespaces) {
        gw_table_add(t, json_string_value(json_object_get(metadata, "namespace")));
    }
    gw_table_add(t, json_string_value(json_object_get(metadata, "name")));
    for (size_t i = 0; i < COLUMNS_MAX && columns[i].title != NULL; i++) {
        const char *part = columns[i].part == NULL ? "spec" : columns[i].part;

        gw_buf_reset(&cell);
        columns[i].cell(&cell, json_object_get(object, part));
        gw_table_add(t, cell.p);
    }
    gw_table_add(t, json_string_value(json_object_get(metadata, "resourceVersion")));
    gw_buf_reset(&cell);
    gw_cli_age(&cell, json_string_value(json_object_get(metadata, "creationTimestamp")),
               gw_clock_wall_ms());
    gw_table_add(t, cell.p);
    gw_buf_fini(&cell);
}

void
gw_cli_columns(struct gw_buf *out, const struct gw_kind *kind, const json_t *items, bool namespaces)
{
    const struct column *columns = columns_of(kind);
    struct gw_table t = {.columns = 3 + (size_t)namespaces};

    if (namespaces) {
        gw_table_add(&t, "NAMESPACE");
    }
    gw_table_add(&t, "NAME");
    for (size_t i = 0; i < COLUMNS_MAX && columns[i].title != NULL; i++) {
        gw_table_add(&t, columns[i].title);
        t.columns++;
    }
    gw_table_add(&t, "REVISION");
    gw_table_add(&t, "AGE");
    for (size_t i = 0; i < json_array_size(items); i++) {
        add_row(&t, columns, json_array_get(items, i), namespaces);
    }
    gw_table_print(&t, out);
    gw_table_fini(&t);
}
