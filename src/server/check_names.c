#include "server/check_names.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "http/url.h"
#include "net/dns.h"
#include "registry/files.h"

#define ANY_PORT 80 /* the resolver wants one */

struct host {
    const char *why; /* it has no address; NULL: it has, or nothing was said yet */
    unsigned *open;  /* answers that are still to come */
    char name[];
};

/* A URL that somebody wrote. */
struct use {
    struct host *host;
    struct gw_place place;
    const char *what; /* in the arena */
};

struct names {
    struct gw_arena *arena;
    struct gw_map *hosts; /* by name */
    struct use *uses;
    size_t n, size;
};

static bool
is_number(const char *host)
{
    union gw_address a;

    return evutil_inet_pton(AF_INET, host, &a.v4.sin_addr) == 1 ||
           evutil_inet_pton(AF_INET6, host, &a.v6.sin6_addr) == 1;
}

static struct host *
host_of(struct names *all, struct gw_str name)
{
    struct host *h = gw_map_get(all->hosts, name);

    if (h == NULL) {
        h = gw_arena_alloc(all->arena, sizeof(*h) + name.n + 1);
        memcpy(h->name, name.p, name.n);
        (void)gw_map_put(all->hosts, gw_str_of(h->name), h);
    }
    return h;
}

/* A URL that is none was told of by whoever has read it. */
static void
add_use(struct names *all, const char *url, struct gw_place place, const char *what)
{
    struct gw_url parts;
    const char *why;

    if (url == NULL || !gw_url_parse(gw_str_of(url), &parts, &why) ||
        gw_str_eq(parts.scheme, GW_STR("unix")) ||
        is_number(gw_arena_strndup(all->arena, parts.host.p, parts.host.n))) {
        return;
    }
    all->uses = gw_mem_room(all->uses, all->n, &all->size, sizeof(*all->uses));
    all->uses[all->n++] =
        (struct use){.host = host_of(all, parts.host), .place = place, .what = what};
}

/* ---- where there are URLs ------------------------------------------------------------------ */

/* What was loaded knows no places; the text does. */
static void
add_core(struct names *all, const struct gw_conf *conf)
{
    const char *file = conf->file == NULL             ? ""
                       : strcmp(conf->file, "-") == 0 ? "standard input"
                                                      : conf->file;
    struct gw_yaml source = {0};
    struct gw_diag told = {0}; /* it was fine a moment ago */

    (void)gw_yaml_read(&source, file, conf->text, &told);
    const json_t *core = json_object_get(gw_yaml_root(&source), "core");
    struct gw_place url = gw_yaml_place(&source, json_object_get(core, "url"));
    struct gw_place console = gw_yaml_place(&source, json_object_get(core, "console"));

    url.file = console.file = file; /* the source's own ends here */
    add_use(all, conf->settings.core.url, url, "core.url");
    add_use(all, conf->settings.core.console, console, "core.console");
    gw_diag_fini(&told);
    gw_yaml_fini(&source);
}

static const char *
url_in(const json_t *object)
{
    return json_string_value(json_object_get(object, "url"));
}

static void
add_object(struct names *all, const struct gw_object *o, struct gw_place place)
{
    json_t *json = gw_object_json(o);
    const json_t *spec = json_object_get(json, "spec");
    size_t i;
    json_t *endpoint;

    if (strcmp(o->kind->kind, "Endpoint") == 0) {
        add_use(all, url_in(spec), place, gw_arena_printf(all->arena, "Endpoint %s", o->name));
    } else if (strcmp(o->kind->kind, "ExtensionService") == 0) {
        json_array_foreach(json_object_get(spec, "endpoints"), i, endpoint)
        {
            add_use(all, url_in(endpoint), place,
                    gw_arena_printf(all->arena, "ExtensionService %s: spec.endpoints[%zu]", o->name,
                                    i));
        }
    }
    json_decref(json);
}

static void
add_file(struct names *all, const char *path, struct gw_diag *diag)
{
    const char *const paths[] = {path, NULL};
    struct gw_place place = {.file = path};
    struct gw_object **objects = NULL;
    struct gw_diag told = {0};
    size_t n = 0;

    if (!gw_objects_read(paths, &objects, &n, &told)) {
        gw_diag_warn(diag, place, "registry.files: not all of it can be read: %s",
                     gw_diag_first(&told));
    }
    for (size_t i = 0; i < n; i++) {
        add_object(all, objects[i], place);
        gw_object_unref(objects[i]);
    }
    free(objects);
    gw_diag_fini(&told);
}

/* ---- asked, all at once --------------------------------------------------------------------- */

static void
on_reply(void *arg, const struct gw_dns_reply *reply)
{
    struct host *h = arg;

    if (!reply->done) {
        return;
    }
    if (reply->families[GW_DNS_V4].n + reply->families[GW_DNS_V6].n == 0) {
        h->why = reply->why;
    }
    *h->open -= 1;
}

static void
ask(struct names *all, const struct gw_settings *s)
{
    struct gw_loop *loop = gw_loop_new();
    unsigned open = 0;
    void *host = NULL;
    size_t at = 0;

    gw_dns_use(loop, s->dns.servers, s->dns.min_ttl, s->dns.max_ttl);
    while (gw_map_next(all->hosts, &at, NULL, &host)) {
        struct host *h = host;

        h->open = &open;
        open++;
        (void)gw_dns_ask(loop, h->name, ANY_PORT, on_reply, h);
    }
    while (open > 0) {
        (void)event_base_loop(loop->base, EVLOOP_ONCE);
    }
    gw_loop_free(loop);
}

void
gw_check_names(const struct gw_conf *conf, struct gw_diag *diag)
{
    const struct gw_settings *s = &conf->settings;
    struct names all = {.arena = gw_arena_new(), .hosts = gw_map_of_values()};

    add_core(&all, conf);
    for (size_t i = 0; s->registry.files != NULL && s->registry.files[i] != NULL; i++) {
        add_file(&all, s->registry.files[i], diag);
    }
    ask(&all, s);
    for (size_t i = 0; i < all.n; i++) {
        const struct use *u = &all.uses[i];

        if (u->host->why != NULL) {
            gw_diag_warn(diag, u->place,
                         "%s: %s: %s; the gateway starts all the same, and answers 502 there "
                         "until it has one",
                         u->what, u->host->name, u->host->why);
        }
    }
    gw_map_free(all.hosts, NULL);
    free(all.uses);
    gw_arena_free(all.arena);
}
