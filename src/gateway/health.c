#include "gateway/health.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "config/json.h"
#include "gateway/targets.h"
#include "gateway/upstream.h"
#include "gateway/worlds.h"
#include "http/url.h"

/* One way in which an endpoint is checked, for so many of its users. */
struct gw_health_member {
    struct gw_health_member *next;
    struct gw_target *target; /* one use of it, whatever the users */
    unsigned users;
};

/* -- settings -----------------------------------------------------------------------------------
 */

static const char *const types[] = {
    [GW_HEALTH_NONE] = "none", [GW_HEALTH_HTTP] = "http", [GW_HEALTH_TCP] = "tcp", NULL};

static bool
parse_range(struct gw_str text, struct gw_health_range *out)
{
    struct gw_str rest = text;
    struct gw_str least = gw_str_cut(&rest, '-');
    struct gw_str most = least.n < text.n ? rest : least;
    uint64_t from = 0;
    uint64_t to = 0;

    if (!gw_str_u64(least, &from) || !gw_str_u64(most, &to) || from < 200 || to > 599 ||
        from > to) {
        return false;
    }
    *out = (struct gw_health_range){(unsigned)from, (unsigned)to};
    return true;
}

/* 200, or "200-399" */
static bool
set_status(struct gw_loader *l, void *field, const json_t *value, const struct gw_setting *row,
           const char *path)
{
    struct gw_str text = gw_json_text(value);
    char number[24];

    (void)row;
    if (json_is_integer(value)) {
        (void)snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
        text = gw_str_of(number);
    }
    if (!parse_range(text, field)) {
        gw_schema_error(l, value, path,
                        "expected a status such as 200, or a range of them such as 200-399, got %s",
                        gw_schema_got(l, value));
        return false;
    }
    return true;
}

#define AT(field) offsetof(struct gw_health_check, field)

/* clang-format off */
#define ROWS(unwritten)                                                                            \
    {.name = "type", .set = gw_set_word, .at = AT(type), .words = types, .initial = (unwritten),   \
     .help = "A request (`http`), only a connection (`tcp`), or no checks (`none`)."},             \
    {.name = "path", .set = gw_set_text, .at = AT(path), .initial = "/healthz",                    \
     .help = "What is asked for, by GET; its query may be there, too."},                           \
    {.name = "host", .set = gw_set_text, .at = AT(host), .example = "devops.example",              \
     .help = "The Host header; left out, that of the URL."},                                       \
    {.name = "status", .set = set_status, .at = AT(status), .initial = "200-399",                  \
     .type = "a status or a range",                                                                \
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
    if (c->path != NULL && !path_ok(gw_str_of(c->path))) {
        complain(l, json, path, "path", c->path, "a path such as /healthz");
    }
    if (c->host != NULL && !gw_host_ok(gw_str_of(c->host))) {
        complain(l, json, path, "host", c->host, "a host, and perhaps a port");
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
           a->unhealthy == b->unhealthy && a->status.least == b->status.least &&
           a->status.most == b->status.most && same_text(a->path, b->path) &&
           same_text(a->host, b->host);
}

/* -- an endpoint's checks ------------------------------------------------------------------------
 */

void
gw_health_apply(struct gw_endpoint *e)
{
    bool down = false;

    for (const struct gw_health_member *m = e->checks; m != NULL; m = m->next) {
        down = down || atomic_load_explicit(&m->target->down, memory_order_relaxed);
    }
    if (e->down && !down) {
        e->up_since_ms = gw_world_now_ms(e->world);
        gw_outlier_retry_now(e);
    }
    e->down = down;
}

static struct gw_health_member **
find(struct gw_endpoint *e, const struct gw_health_check *c)
{
    struct gw_health_member **at = &e->checks;

    while (*at != NULL && !gw_health_same(&(*at)->target->check, c)) {
        at = &(*at)->next;
    }
    return at;
}

static void
drop(struct gw_health_member **at)
{
    struct gw_health_member *m = *at;

    *at = m->next;
    gw_target_give(m->target);
    free(m);
}

/* Offline nothing is asked. */
static bool
is_wanted(const struct gw_endpoint *e, const struct gw_health_check *c)
{
    return c != NULL && c->type != GW_HEALTH_NONE && gw_world_loop(e->world) != NULL;
}

void
gw_health_join(struct gw_endpoint *e, const struct gw_health_check *c)
{
    if (!is_wanted(e, c)) {
        return;
    }
    struct gw_health_member **at = find(e, c);
    if (*at == NULL) {
        *at = gw_mem_alloc(sizeof(**at));
        (*at)->target = gw_target_take(gw_str_of(e->text), c);
        gw_health_apply(e);
    }
    (*at)->users++;
}

void
gw_health_leave(struct gw_endpoint *e, const struct gw_health_check *c)
{
    if (!is_wanted(e, c)) {
        return;
    }
    struct gw_health_member **at = find(e, c);
    assert(*at != NULL);
    if (--(*at)->users == 0) {
        drop(at);
        gw_health_apply(e);
    }
}

void
gw_health_fini(struct gw_endpoint *e)
{
    while (e->checks != NULL) {
        drop(&e->checks);
    }
}
