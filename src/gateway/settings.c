#include "gateway/settings.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http/url.h"
#include "net/dns.h"

static bool
parse_workers(struct gw_settings *s)
{
    uint64_t n = 0;

    if (s->workers_text == NULL) {
        return true; /* of a wrong type, which was said */
    }
    if (strcmp(s->workers_text, "auto") == 0) {
        long cores = sysconf(_SC_NPROCESSORS_ONLN);

        s->n_workers = cores < 1 ? 1 : cores > 256 ? 256 : (unsigned)cores;
        return true;
    }
    if (!gw_str_u64(gw_str_of(s->workers_text), &n) || n < 1 || n > 256) {
        return false;
    }
    s->n_workers = (unsigned)n;
    return true;
}

static bool
parse_cidr(const char *text, struct gw_cidr *out)
{
    struct gw_str rest = gw_str_of(text);
    struct gw_str address = gw_str_cut(&rest, '/');
    bool has_bits = address.n < strlen(text);
    char host[64];
    uint64_t bits = 0;
    struct in_addr v4;

    if (address.n >= sizeof(host) || (has_bits && !gw_str_u64(rest, &bits))) {
        return false;
    }
    memcpy(host, address.p, address.n);
    host[address.n] = '\0';
    if (inet_pton(AF_INET, host, &v4) == 1) {
        memset(out->address, 0, 10);
        memset(out->address + 10, 0xff, 2);
        memcpy(out->address + 12, &v4, 4);
        out->bits = has_bits ? (unsigned)bits + 96 : 128;
        return bits <= 32;
    }
    out->bits = has_bits ? (unsigned)bits : 128;
    return inet_pton(AF_INET6, host, out->address) == 1 && bits <= 128;
}

static const json_t *
at(const json_t *root, const char *section, const char *name)
{
    const json_t *v = json_object_get(root, section);

    return name == NULL || v == NULL ? v : json_object_get(v, name);
}

static void
check_url(struct gw_loader *l, const json_t *root, const char *name, const char *url)
{
    struct gw_url parts;
    const char *why;
    struct gw_place place = gw_yaml_place(l->source, at(root, "core", name));

    if (url == NULL) {
        return;
    }
    if (!gw_url_parse(gw_str_of(url), &parts, &why)) {
        gw_diag_error(l->diag, place, "core.%s: \"%s\" is not a backend's URL: %s", name, url, why);
    } else if (gw_str_eq(parts.scheme, GW_STR("https"))) {
        gw_diag_error(l->diag, place,
                      "core.%s: TLS to backends is not supported by this version: use an http:// "
                      "or unix: URL",
                      name);
    }
}

static bool
address_ok(const char *text)
{
    const char *colon = strrchr(text, ':');
    char host[64];
    unsigned char address[16];
    uint64_t port;

    if (colon == NULL || (size_t)(colon - text) >= sizeof(host) ||
        !gw_str_u64(gw_str_of(colon + 1), &port) || port < 1 || port > 65535) {
        return false;
    }
    size_t n = (size_t)(colon - text);
    if (text[0] == '[' && n >= 2 && text[n - 1] == ']') {
        memcpy(host, text + 1, n - 2);
        host[n - 2] = '\0';
        return inet_pton(AF_INET6, host, address) == 1;
    }
    memcpy(host, text, n);
    host[n] = '\0';
    return inet_pton(AF_INET, host, address) == 1;
}

static void
check_listeners(const struct gw_settings *s, struct gw_loader *l, const json_t *root)
{
    const struct gw_listener_settings *list = s->listeners.items;
    const json_t *values = json_object_get(root, "listeners");

    for (size_t i = 0; i < s->listeners.n; i++) {
        struct gw_place place = gw_yaml_place(l->source, json_array_get(values, i));

        if (list[i].address != NULL && !address_ok(list[i].address)) {
            gw_diag_error(l->diag, place,
                          "listeners[%zu].address: expected an IP address and a port such as "
                          "0.0.0.0:8080 or [::]:8080, got \"%s\"",
                          i, list[i].address);
        }
        for (size_t k = 0; k < i; k++) {
            if (list[i].address != NULL && list[k].address != NULL &&
                strcmp(list[i].address, list[k].address) == 0) {
                gw_diag_error(l->diag, place, "listeners[%zu].address: %s is listened on twice", i,
                              list[i].address);
            }
        }
    }
}

static void
parse_trusted(struct gw_settings *s, struct gw_loader *l, const json_t *root)
{
    const json_t *values = json_object_get(root, "trusted_proxies");
    size_t n = 0;

    while (s->trusted_proxies != NULL && s->trusted_proxies[n] != NULL) {
        n++;
    }
    s->trusted = gw_arena_alloc(l->arena, (n + 1) * sizeof(*s->trusted));
    for (size_t i = 0; i < n; i++) {
        if (!parse_cidr(s->trusted_proxies[i], &s->trusted[s->n_trusted++])) {
            const json_t *value = json_is_array(values) ? json_array_get(values, i) : values;

            gw_diag_error(l->diag, gw_yaml_place(l->source, value),
                          "trusted_proxies[%zu]: expected an address or a CIDR block such as "
                          "10.0.0.0/8, got \"%s\"",
                          i, s->trusted_proxies[i]);
        }
    }
}

static void
check_dns(const struct gw_settings *s, struct gw_loader *l, const json_t *root)
{
    for (size_t i = 0; s->dns.servers != NULL && s->dns.servers[i] != NULL; i++) {
        if (!gw_dns_server_ok(s->dns.servers[i])) {
            gw_diag_error(l->diag, gw_yaml_place(l->source, at(root, "dns", "servers")),
                          "dns.servers[%zu]: expected an IP address, and perhaps a port, such as "
                          "10.96.0.10 or [fd00::10]:53, got \"%s\"",
                          i, s->dns.servers[i]);
        }
    }
    if (s->dns.min_ttl > s->dns.max_ttl) {
        gw_diag_error(l->diag, gw_yaml_place(l->source, at(root, "dns", "min_ttl")),
                      "dns.min_ttl: longer than dns.max_ttl");
    }
}

static void
check_mode(const struct gw_settings *s, struct gw_loader *l, const json_t *root)
{
    char *end = NULL;
    unsigned long mode = s->admin.mode == NULL ? 0 : strtoul(s->admin.mode, &end, 8);

    if (s->admin.mode != NULL && (*end != '\0' || mode > 0777 || mode == 0)) {
        gw_diag_error(l->diag, gw_yaml_place(l->source, at(root, "admin", "mode")),
                      "admin.mode: expected an octal file mode such as \"0600\", got \"%s\"",
                      s->admin.mode);
    }
}

static void
check_registry(const struct gw_settings *s, struct gw_loader *l, const json_t *root)
{
    struct gw_diag diag = {0};

    (void)gw_registry_check(&s->registry, &diag);
    for (size_t i = 0; i < diag.n; i++) {
        gw_diag_error(l->diag, gw_yaml_place(l->source, at(root, "registry", "redis")),
                      "registry.redis: %s", diag.findings[i].text);
    }
    gw_diag_fini(&diag);
}

/* Beside the SQLite file, since whoever chose its folder can write there. */
static void
place_snapshot(struct gw_settings *s, struct gw_loader *l)
{
    struct gw_registry_settings *r = &s->registry;

    if (r->snapshot == NULL && r->driver == 0 && r->sqlite.path != NULL) {
        r->snapshot = gw_arena_printf(l->arena, "%s.snapshot", r->sqlite.path);
    } else if (r->snapshot == NULL) {
        r->snapshot = "/var/lib/ksgate/registry.snapshot";
    }
}

static void
measure_paths(struct gw_settings *s, struct gw_loader *l)
{
    size_t n = 0;

    while (s->core.paths != NULL && s->core.paths[n] != NULL) {
        n++;
    }
    s->core_segments = gw_arena_alloc(l->arena, (n + 1) * sizeof(*s->core_segments));
    for (; s->n_core_segments < n; s->n_core_segments++) {
        s->core_segments[s->n_core_segments] = gw_str_of(s->core.paths[s->n_core_segments]);
    }
}

bool
gw_settings_finish(struct gw_settings *s, struct gw_loader *l, const json_t *root)
{
    size_t errors = l->diag->errors;

    if (!parse_workers(s)) {
        gw_diag_error(l->diag, gw_yaml_place(l->source, at(root, "workers", NULL)),
                      "workers: expected \"auto\" or a number from 1 to 256, got \"%s\"",
                      s->workers_text);
    }
    check_url(l, root, "url", s->core.url);
    check_url(l, root, "console", s->core.console);
    (void)gw_health_finish(&s->core.check, l, at(root, "core", "health_check"),
                           "core.health_check");
    check_listeners(s, l, root);
    parse_trusted(s, l, root);
    check_mode(s, l, root);
    check_dns(s, l, root);
    check_registry(s, l, root);
    measure_paths(s, l);
    gw_settings_warn(s, l, root);
    place_snapshot(s, l);
    s->parse = (struct gw_parse_limits){.head_bytes = (size_t)s->limits.head,
                                        .target_bytes = (size_t)s->limits.target,
                                        .headers = (unsigned)s->limits.headers};
    return l->diag->errors == errors;
}

bool
gw_settings_trusts(const struct gw_settings *s, const unsigned char address[16])
{
    for (size_t i = 0; i < s->n_trusted; i++) {
        const struct gw_cidr *c = &s->trusted[i];
        unsigned whole = c->bits / 8;
        unsigned rest = c->bits % 8;
        unsigned char mask = (unsigned char)(0xff00u >> rest);

        if (memcmp(c->address, address, whole) == 0 &&
            (rest == 0 || ((c->address[whole] ^ address[whole]) & mask) == 0)) {
            return true;
        }
    }
    return false;
}
