#include "gateway/health.h"

#include "http/url.h"

static const char *const types[] = {
    [GW_HEALTH_NONE] = "none", [GW_HEALTH_HTTP] = "http", [GW_HEALTH_TCP] = "tcp", NULL};

#define AT(field) offsetof(struct gw_health_check, field)

/* clang-format off */
#define ROWS(unwritten)                                                                            \
    {.name = "type", .set = gw_set_word, .at = AT(type), .words = types, .initial = (unwritten),   \
     .help = "A request (`http`), only a connection (`tcp`), or no checks (`none`)."},             \
    {.name = "path", .set = gw_set_text, .at = AT(path), .initial = "/healthz",                    \
     .help = "What is asked for, by GET; its query may be there, too."},                           \
    {.name = "host", .set = gw_set_text, .at = AT(host), .example = "devops.example",              \
     .help = "The Host header; left out, that of the URL."},                                       \
    {.name = "status", .set = gw_set_text, .at = AT(status), .initial = "200-399",                 \
     .help = "Answers that are good: a status, or from one to another."},                          \
    {.name = "interval", .set = gw_set_duration, .at = AT(interval_ms), .initial = "5s",           \
     .min = 100, .max = 3600000, .help = "How often."},                                            \
    {.name = "timeout", .set = gw_set_duration, .at = AT(timeout_ms), .initial = "1s", .min = 10,  \
     .max = 600000, .help = "How long an answer may take, connecting included."},                  \
    {.name = "healthy", .set = gw_set_int, .at = AT(healthy), .initial = "2", .min = 1,            \
     .max = 100, .help = "Good answers in a row that make an endpoint healthy."},                  \
    {.name = "unhealthy", .set = gw_set_int, .at = AT(unhealthy), .initial = "3", .min = 1,        \
     .max = 100, .help = "Bad ones in a row that make it unhealthy."},                             \
    {0}

const struct gw_setting gw_health_rows[] = {ROWS("http")};
const struct gw_setting gw_health_core_rows[] = {ROWS("none")};
/* clang-format on */

static bool
parse_status(struct gw_health_check *c)
{
    struct gw_str most = gw_str_of(c->status);
    bool is_range = gw_str_find(most, '-') < most.n;
    struct gw_str least = gw_str_cut(&most, '-');
    uint64_t from = 0;
    uint64_t to = 0;

    if (!gw_str_u64(least, &from) || !gw_str_u64(is_range ? most : least, &to) || from < 200 ||
        to > 599 || from > to) {
        return false;
    }
    c->least_status = (unsigned)from;
    c->most_status = (unsigned)to;
    return true;
}

static bool
path_ok(struct gw_str path)
{
    struct gw_target_parts parts;

    return path.n > 0 && path.p[0] == '/' &&
           gw_target_split(GW_STR("GET"), path, &parts) == GW_ERR_OK;
}

static void
complain(struct gw_loader *l, const json_t *json, const char *path, const char *key,
         const char *text, const char *wanted)
{
    gw_schema_error(l, json_object_get(json, key), gw_arena_printf(l->arena, "%s.%s", path, key),
                    "expected %s, got \"%s\"", wanted, text);
}

/* For people who believe that a connection is asked for a path. */
static void
warn_of_no_effect(struct gw_loader *l, const json_t *json, const char *path)
{
    static const char *const keys[] = {"path", "host", "status"};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (json_object_get(json, keys[i]) != NULL) {
            gw_diag_warn(l->diag, gw_yaml_key_place(l->source, json, keys[i]),
                         "%s.%s has no effect: the type is tcp", path, keys[i]);
        }
    }
}

bool
gw_health_finish(struct gw_health_check *c, struct gw_loader *l, const json_t *json,
                 const char *path)
{
    size_t errors = l->diag->errors;

    if (c->host != NULL && *c->host == '\0') {
        c->host = NULL;
    }
    if (!path_ok(gw_str_of(c->path))) {
        complain(l, json, path, "path", c->path, "a path such as /healthz");
    }
    if (c->host != NULL && !gw_host_ok(gw_str_of(c->host))) {
        complain(l, json, path, "host", c->host, "a host, and perhaps a port");
    }
    if (!parse_status(c)) {
        complain(l, json, path, "status", c->status,
                 "a status such as 200, or a range of them "
                 "such as 200-399");
    }
    if (c->type == GW_HEALTH_TCP) {
        warn_of_no_effect(l, json, path);
    }
    return l->diag->errors == errors;
}

static bool
same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool
gw_health_same(const struct gw_health_check *a, const struct gw_health_check *b)
{
    return a->type == b->type && a->interval_ms == b->interval_ms &&
           a->timeout_ms == b->timeout_ms && a->healthy == b->healthy &&
           a->unhealthy == b->unhealthy && a->least_status == b->least_status &&
           a->most_status == b->most_status && same_text(a->path, b->path) &&
           same_text(a->host, b->host);
}
