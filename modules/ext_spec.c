#include "modules/ext_spec.h"

#include <stdlib.h>

#include "base/mem.h"
#include "http/url.h"
#include "modules/ext_balance.h"
#include "modules/ext_kube.h"
#include "modules/ext_later.h"
#include "modules/ext_permissions.h"
#include "modules/ext_share.h"

/* What the rows of an ExtensionService fill. */
struct filled {
    struct gw_ext_spec spec;
    struct gw_list endpoints; /* of struct gw_ext_static */
    struct gw_ext_kube service;
    struct gw_ext_balance balance;
    struct gw_health_check check;
    struct gw_ext_audience_rows audience;
    struct gw_list versions; /* of struct gw_ext_version_row */
    struct gw_ext_later later;
};

#define SPEC(field)  offsetof(struct filled, spec.field)
#define LATER(field) offsetof(struct filled, later.field)
/* Within a section that begins at `first`; it does not compile when field stands before that. */
#define FROM(first, field) \
    (sizeof(char[SPEC(field) >= SPEC(first) ? 1 : -1]) * (SPEC(field) - SPEC(first)))

static const char *const access_words[] = {
    [GW_ACCESS_AUTHORIZED] = "authorized",
    [GW_ACCESS_AUTHENTICATED] = "authenticated",
    [GW_ACCESS_PUBLIC] = "public",
    NULL,
};

/* clang-format off */
static const struct gw_setting static_rows[] = {
    {.name = "url", .set = gw_set_text, .at = offsetof(struct gw_ext_static, url),
     .flags = GW_REQUIRED, .example = "http://10.0.0.7:8080", .help = "Where it listens."},
    {.name = "weight", .set = gw_set_int, .at = offsetof(struct gw_ext_static, weight),
     .initial = "1", .min = 0, .max = 1000, .help = "Its share of the requests; 0: none."},
    {.name = "version", .set = gw_set_text, .at = offsetof(struct gw_ext_static, version),
     .initial = "\"\"", .help = "Which version of the extension it is."},
    {0},
};

static const struct gw_setting path_rows[] = {
    {.name = "stripPrefix", .set = gw_set_bool, .at = FROM(strip_prefix, strip_prefix),
     .initial = "true",
     .help = "Leaves /extensions/{name} out of the path; Location, Set-Cookie's Path and Refresh "
             "get it back."},
    {.name = "prepend", .set = gw_set_text, .at = FROM(strip_prefix, prepend), .initial = "\"\"",
     .example = "/base", .help = "Put before the path."},
    {.name = "allow", .set = gw_set_word_set, .at = FROM(strip_prefix, allow_paths),
     .words = gw_path_camel_words, .initial = "[]", .example = "[encodedSlash]",
     .help = "Paths that are let through although they can be read in two ways."},
    {0},
};

static const struct gw_setting limit_rows[] = {
    {.name = "connections", .set = gw_set_int, .at = 0, .initial = "256", .min = 0, .max = 1000000,
     .help = "To one endpoint, of which each worker has its share; 0: the config's."},
    {.name = "pending", .set = gw_set_int, .at = FROM(connections, pending), .initial = "128",
     .min = 0, .max = 1000000,
     .help = "Requests that wait for a connection to one endpoint, shared likewise; 0: none."},
    {.name = "requests", .set = gw_set_section, .at = LATER(requests) - SPEC(connections),
     .rows = gw_ext_requests_rows, .help = "How many requests are let through."},
    {0},
};

static const struct gw_setting timeout_rows[] = {
    {.name = "connect", .set = gw_set_duration, .at = FROM(connect_ms, connect_ms),
     .initial = "0", .max = 600000, .help = "Until a connection is made; 0: the config's."},
    {.name = "pending", .set = gw_set_duration, .at = FROM(connect_ms, pending_ms),
     .initial = "0", .max = 600000,
     .help = "While all connections are in use, until one is free; 0: the config's."},
    {.name = "firstByte", .set = gw_set_duration, .at = FROM(connect_ms, first_byte_ms),
     .initial = "0", .max = 86400000, .help = "Until the answer begins; 0: the config's."},
    {.name = "idle", .set = gw_set_duration, .at = FROM(connect_ms, idle_ms), .initial = "0",
     .max = 86400000, .help = "Between two pieces of the answer; 0: the config's."},
    {.name = "tunnelIdle", .set = gw_set_duration, .at = FROM(connect_ms, tunnel_idle_ms),
     .initial = "0", .max = 604800000, .help = "Without a byte in a tunnel; 0: the config's."},
    {0},
};

static const struct gw_setting retry_rows[] = {
    {.name = "attempts", .set = gw_set_int, .at = 0, .initial = "1", .min = 0, .max = 10,
     .help = "How often a request that may be repeated is tried again."},
    {.name = "budget", .set = gw_set_percent, .at = FROM(attempts, retry_percent),
     .initial = "20%", .help = "How many of the requests under way may be second tries; three always may, unless it is 0%."},
    {0},
};

const struct gw_setting gw_ext_service_rows[] = {
    {.name = "enabled", .set = gw_set_bool, .at = SPEC(enabled), .initial = "true",
     .help = "false: 503 at once; other extensions are untouched."},
    {.name = "access", .set = gw_set_word, .at = SPEC(access), .words = access_words,
     .initial = "authorized", .help = "Who may come: those whom RBAC allows, every user, or all."},
    {.name = "endpoints", .set = gw_set_list, .at = offsetof(struct filled, endpoints), .rows = static_rows,
     .row_size = sizeof(struct gw_ext_static),
     .help = "Backends; those that register themselves are Endpoint objects."},
    {.name = "service", .set = gw_set_section, .at = offsetof(struct filled, service),
     .rows = gw_ext_kube_rows, .help = "A Kubernetes Service as a backend, by its DNS name."},
    {.name = "path", .set = gw_set_section, .at = SPEC(strip_prefix), .rows = path_rows,
     .help = "Which path the backend sees."},
    {.name = "directives", .set = gw_ext_set_mapping, .at = LATER(directives),
     .help = "As those of a ReverseProxy."},
    {.name = "loadBalancer", .set = gw_set_section, .at = offsetof(struct filled, balance),
     .rows = gw_ext_balance_rows, .help = "How requests are shared among endpoints."},
    {.name = "healthCheck", .set = gw_set_section, .at = offsetof(struct filled, check),
     .rows = gw_health_rows, .help = "How endpoints are asked whether they live."},
    {.name = "outlier", .set = gw_set_section, .at = SPEC(outlier), .rows = gw_outlier_rows,
     .help = "When an endpoint that fails is left alone."},
    {.name = "limits", .set = gw_set_section, .at = SPEC(connections), .rows = limit_rows,
     .help = "What the extension may be burdened with."},
    {.name = "timeouts", .set = gw_set_section, .at = SPEC(connect_ms), .rows = timeout_rows,
     .help = "How long is waited."},
    {.name = "retry", .set = gw_set_section, .at = SPEC(attempts), .rows = retry_rows,
     .help = "What is tried again."},
    {.name = "versions", .set = gw_set_list, .at = offsetof(struct filled, versions),
     .rows = gw_ext_version_rows, .row_size = sizeof(struct gw_ext_version_row),
     .help = "Which requests go to which version of it: canary and blue-green."},
    {.name = "visibility", .set = gw_set_word, .at = offsetof(struct filled, audience.visibility),
     .words = gw_ext_visibility_words, .initial = "all",
     .help = "Who sees it: all, or those of workspaces that have a Subscription."},
    {.name = "workspaces", .set = gw_set_text_list, .at = offsetof(struct filled, audience.workspaces),
     .initial = "[]", .help = "Empty: all; else only these tenants see it."},
    {.name = "permissions", .set = gw_set_list, .at = SPEC(permissions),
     .rows = gw_ext_permission_rows, .row_size = sizeof(struct gw_ext_permission),
     .help = "Paths that are resources of a tenant."},
    {.name = "identity", .set = gw_set_word, .at = SPEC(identity), .words = gw_identity_words,
     .initial = "headers", .help = "How the backend is told who asks."},
    {.name = "tls", .set = gw_set_section, .at = LATER(tls), .rows = gw_ext_tls_rows,
     .help = "TLS to the backends."},
    {0},
};

const struct gw_setting gw_ext_backend_rows[] = {
    {.name = "extension", .set = gw_set_text, .at = offsetof(struct gw_ext_backend, extension),
     .flags = GW_REQUIRED, .example = "devops", .help = "Whose backend it is."},
    {.name = "url", .set = gw_set_text, .at = offsetof(struct gw_ext_backend, url),
     .flags = GW_REQUIRED, .example = "http://10.0.0.7:8080", .help = "Where it listens."},
    {.name = "version", .set = gw_set_text, .at = offsetof(struct gw_ext_backend, version),
     .initial = "\"\"", .help = "Which version of the extension it is."},
    {.name = "weight", .set = gw_set_int, .at = offsetof(struct gw_ext_backend, weight),
     .initial = "1", .min = 0, .max = 1000, .help = "Its share of the requests; 0: none."},
    {.name = "leaseSeconds", .set = gw_set_int, .at = offsetof(struct gw_ext_backend, lease_seconds),
     .initial = "15", .min = GW_LEASE_SECONDS_MIN, .max = 86400, .help = "How long it lives without a renewal."},
    {.name = "draining", .set = gw_set_bool, .at = offsetof(struct gw_ext_backend, draining),
     .initial = "false", .help = "Gets no new requests; those it has may end."},
    {0},
};
/* clang-format on */

static bool
check_url(const char *text, const json_t *item, const char *path, struct gw_loader *l)
{
    const char *why = NULL;
    struct gw_url url;
    bool good = gw_url_parse(gw_str_of(text), &url, &why);

    if (good && gw_str_eq(url.scheme, GW_STR("https"))) {
        why = "TLS to backends is not there yet; write an http:// or unix: URL";
        good = false;
    } else if (good && url.path.n > 0) {
        why = "has a path; only scheme, host and port are used here (see spec.path.prepend)";
        good = false;
    }
    if (!good) {
        gw_schema_error(l, json_object_get(item, "url"), path, "\"%s\": %s", text, why);
    }
    return good;
}

static bool
check_version(const char *name, const json_t *item, const char *path, struct gw_loader *l)
{
    bool good = *name == '\0' || gw_ext_version_ok(name);

    if (!good) {
        gw_schema_error(l, json_object_get(item, "version"), path, "\"%.80s\" %s", name,
                        GW_EXT_VERSION_RULE);
    }
    return good;
}

static bool
check_endpoints(const struct gw_list *list, const json_t *json, struct gw_loader *l)
{
    const struct gw_ext_static *rows = list->items;
    bool good = true;

    for (size_t i = 0; i < list->n; i++) {
        const char *path = gw_arena_printf(l->arena, "spec.endpoints[%zu].url", i);

        good = check_url(rows[i].url, json_array_get(json, i), path, l) && good;
        path = gw_arena_printf(l->arena, "spec.endpoints[%zu].version", i);
        good = check_version(rows[i].version, json_array_get(json, i), path, l) && good;
    }
    return good;
}

/* The Service is one more endpoint. */
static bool
add_service(struct gw_list *list, const struct gw_ext_kube *k, struct gw_loader *l,
            const json_t *json)
{
    if (k->name == NULL) {
        return true;
    }
    if (!gw_ext_kube_check(k, l, json)) {
        return false;
    }
    struct gw_ext_static *all = gw_arena_alloc(l->arena, (list->n + 1) * sizeof(*all));
    char url[GW_EXT_KUBE_URL_SIZE];

    gw_ext_kube_url(url, k->ns, k->name, k->port);
    if (list->n > 0) {
        memcpy(all, list->items, list->n * sizeof(*all));
    }
    all[list->n] = (struct gw_ext_static){
        .url = gw_arena_strndup(l->arena, url, strlen(url)), .version = "", .weight = 1};
    *list = (struct gw_list){all, list->n + 1};
    return true;
}

static bool
check_prepend(const char *text, const json_t *spec, struct gw_loader *l)
{
    struct gw_str s = gw_str_of(text);
    const char *why = "must begin with a slash, and not end with one";

    if (s.n == 0 || (s.n > 1 && s.p[0] == '/' && s.p[s.n - 1] != '/' &&
                     gw_str_find(s, '?') == s.n && gw_path_check(s, &why) == GW_ERR_OK)) {
        return true;
    }
    gw_schema_error(l, json_object_get(json_object_get(spec, "path"), "prepend"),
                    "spec.path.prepend", "\"%s\": %s", text, why);
    return false;
}

static void
init_piece(struct gw_piece *piece, void (*free_it)(struct gw_piece *p))
{
    atomic_init(&piece->refs, 1);
    piece->free = free_it;
}

/* Copies a text with its end to *at, which moves on. */
static const char *
put_text(char **at, const char *text)
{
    size_t n = strlen(text) + 1;
    char *to = memcpy(*at, text, n);

    *at += n;
    return to;
}

static void
free_service(struct gw_piece *piece)
{
    struct gw_ext_service *s = (struct gw_ext_service *)piece;

    gw_ext_share_release(s->spec);
    free(s);
}

static void
free_backend(struct gw_piece *piece)
{
    free(piece); /* it is the first member of what was allocated */
}

/* Structs first, then texts, so that all is aligned. */
static struct gw_piece *
pack_service(const struct gw_ext_spec *shared, const struct gw_list *endpoints)
{
    const struct gw_ext_static *from = endpoints->items;
    size_t n = endpoints->n * sizeof(*from);

    for (size_t i = 0; i < endpoints->n; i++) {
        n += strlen(from[i].url) + strlen(from[i].version) + 2;
    }
    struct gw_ext_service *s = gw_mem_alloc(sizeof(*s) + n);
    char *texts = (char *)(s->endpoints + endpoints->n);

    init_piece(&s->piece, free_service);
    s->spec = shared;
    s->n_endpoints = endpoints->n;
    for (size_t i = 0; i < endpoints->n; i++) {
        s->endpoints[i] = (struct gw_ext_static){.url = put_text(&texts, from[i].url),
                                                 .version = put_text(&texts, from[i].version),
                                                 .weight = from[i].weight};
    }
    return &s->piece;
}

/* Without the section nothing is checked. */
static bool
compile_check(struct filled *f, const json_t *json, struct gw_loader *l)
{
    if (json_is_object(json) && f->check.type != GW_HEALTH_NONE) {
        f->spec.check = &f->check;
    }
    return gw_health_finish(&f->check, l, json, "spec.healthCheck");
}

static struct gw_piece *
compile_service(const json_t *json, struct gw_loader *l)
{
    json_t *spec = json_object_get(json, "spec");
    struct filled *f = gw_arena_alloc(l->arena, sizeof(*f));

    if (!gw_schema_load(l, f, spec, gw_ext_service_rows, "spec", NULL)) {
        return NULL;
    }
    bool good = check_endpoints(&f->endpoints, json_object_get(spec, "endpoints"), l);
    good = add_service(&f->endpoints, &f->service, l, json_object_get(spec, "service")) && good;
    good = check_prepend(f->spec.prepend, spec, l) && good;
    good = gw_ext_balance_compile(&f->spec.balancer, &f->balance, l,
                                  json_object_get(spec, "loadBalancer")) &&
           good;
    good =
        gw_ext_permissions_compile(&f->spec.permissions, l, json_object_get(spec, "permissions")) &&
        good;
    good = compile_check(f, json_object_get(spec, "healthCheck"), l) && good;
    good = gw_ext_audience_compile(&f->spec.audience, &f->audience, l, spec) && good;
    good = gw_ext_versions_compile(&f->spec.versions, &f->versions, l,
                                   json_object_get(spec, "versions")) &&
           good;
    gw_ext_later_warn(spec, l->source, l->diag);
    if (f->spec.allow_paths != 0) {
        gw_diag_warn(l->diag, gw_yaml_key_place(l->source, json_object_get(spec, "path"), "allow"),
                     "spec.path.allow: the backend gets paths that can be read in two ways; be "
                     "sure that it reads them as docs/howto/paths.md says");
    }
    return good ? pack_service(gw_ext_share(&f->spec, spec, l->arena), &f->endpoints) : NULL;
}

/* Who it is for has to be known all the same: or what else is of the extension, and is hidden,
 * would show. */
static struct gw_piece *
keep_audience(const json_t *json, struct gw_loader *l)
{
    const json_t *spec = json_object_get(json, "spec");
    struct gw_ext_spec rest = {.broken = true, .prepend = ""};
    const struct gw_list none = {0};

    gw_ext_audience_read(&rest.audience, spec, l->arena);
    if (!rest.audience.restricted) {
        return NULL;
    }
    json_t *key = json_pack("{s:b, s:O?, s:O?}", "broken", true, "visibility",
                            json_object_get(spec, "visibility"), "workspaces",
                            json_object_get(spec, "workspaces"));
    struct gw_piece *p = pack_service(gw_ext_share(&rest, key, l->arena), &none);
    json_decref(key);
    return p;
}

static void
read_metadata(struct gw_ext_backend *b, const json_t *metadata)
{
    const json_t *annotations = json_object_get(metadata, "annotations");
    const char *owner = json_string_value(json_object_get(annotations, GW_EXT_OWNER));
    const char *revision = json_string_value(json_object_get(metadata, "resourceVersion"));

    b->owner = owner == NULL ? "" : owner;
    if (!gw_str_u64(gw_str_of(revision), &b->revision)) {
        b->revision = 0;
    }
}

static struct gw_piece *
compile_backend(const json_t *json, struct gw_loader *l)
{
    const json_t *spec = json_object_get(json, "spec");
    struct gw_ext_backend b = {0};

    if (spec == NULL) {
        gw_diag_error(l->diag, gw_yaml_place(l->source, json), "spec: is required");
        return NULL;
    }
    if (!gw_schema_load(l, &b, spec, gw_ext_backend_rows, "spec", NULL) ||
        !check_url(b.url, spec, "spec.url", l) ||
        !check_version(b.version, spec, "spec.version", l)) {
        return NULL;
    }
    /* Whoever registers itself has no say about the sockets of the gateway's machine. */
    if (gw_str_has_prefix(gw_str_of(b.url), GW_STR("unix:"))) {
        gw_schema_error(l, json_object_get(spec, "url"), "spec.url",
                        "\"%s\": an Endpoint listens on http://; a unix socket can only stand in "
                        "the endpoints of an ExtensionService",
                        b.url);
        return NULL;
    }
    read_metadata(&b, json_object_get(json, "metadata"));
    struct gw_ext_backend *p = gw_mem_alloc(sizeof(*p) + strlen(b.extension) + strlen(b.url) +
                                            strlen(b.version) + strlen(b.owner) + 4);
    char *texts = (char *)(p + 1);
    *p = b;
    init_piece(&p->piece, free_backend);
    p->extension = put_text(&texts, b.extension);
    p->url = put_text(&texts, b.url);
    p->version = put_text(&texts, b.version);
    p->owner = put_text(&texts, b.owner);
    return &p->piece;
}

struct gw_piece *
gw_ext_spec_compile(const struct gw_kind *kind, const json_t *json, const struct gw_yaml *source,
                    struct gw_diag *diag)
{
    struct gw_loader l = {.arena = gw_arena_new(), .source = source, .diag = diag};
    bool service = strcmp(kind->kind, "ExtensionService") == 0;
    struct gw_piece *p = service ? compile_service(json, &l) : compile_backend(json, &l);

    if (p == NULL && service) {
        p = keep_audience(json, &l);
    }
    gw_arena_free(l.arena);
    return p;
}
