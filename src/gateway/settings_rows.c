/*
 * settings_rows.c - the rows of the gateway's own sections, from listeners to admin.
 */
#include "gateway/settings.h"

#include "http/url.h"

#define AT(field) offsetof(struct gw_settings, field)
#define KIB       1024LL
#define MIB       (1024LL * KIB)
#define SECOND    1000LL
#define HOUR      (3600 * SECOND)

/* "auto", or how many; both are natural to write. */
static bool
set_workers(struct gw_loader *l, void *field, const json_t *value, const struct gw_setting *row,
            const char *path)
{
    const char **text = field;

    (void)row;
    if (json_is_integer(value)) {
        *text = gw_arena_printf(l->arena, "%lld", (long long)json_integer_value(value));
        return true;
    }
    if (json_is_string(value)) {
        *text = gw_arena_strndup(l->arena, json_string_value(value), json_string_length(value));
        return true;
    }
    gw_schema_error(l, value, path, "expected \"auto\" or a number from 1 to 256");
    return false;
}

/* clang-format off */
static const struct gw_setting listener_rows[] = {
    {.name = "address", .set = gw_set_text, .at = offsetof(struct gw_listener_settings, address),
     .flags = GW_REQUIRED, .example = "0.0.0.0:8080",
     .help = "Address and port to listen on, `0.0.0.0:8080` or `[::]:8080`."},
    {0},
};

static const char *const review_words[] = {"gateway", "core", NULL};

static const struct gw_setting core_rows[] = {
    {.name = "url", .set = gw_set_text, .at = AT(core.url),
     .initial = "http://ks-apiserver.kubesphere-system.svc:80",
     .help = "Where ks-core (ks-apiserver) listens: `http://host:port` or `unix:/path`."},
    {.name = "console", .set = gw_set_text, .at = AT(core.console),
     .example = "http://ks-console.kubesphere-system.svc:80",
     .help = "Where the console listens; it gets all paths that are nobody else's.  Left out, they answer 404."},
    {.name = "paths", .set = gw_set_text_list, .at = AT(core.paths),
     .initial = "[api, apis, kapi, kapis, oauth, .well-known, version, openapi, clusters, proxy, dist, static, healthz, livez, metrics]",
     .help = "First path segments that belong to ks-core."},
    {.name = "access_reviews", .set = gw_set_word, .at = AT(core.access_reviews), .words = review_words, .initial = "gateway",
     .help = "Who answers `POST /kapis/iam.kubesphere.io/v1beta1/subjectaccessreviews`: the `gateway`, by the roles and bindings that it decides by itself, or the `core`."},
    {.name = "preserve_host", .set = gw_set_bool, .at = AT(core.preserve_host), .initial = "true",
     .help = "Whether ks-core and the console see the Host that the client sent; if not, their own."},
    {.name = "allow_paths", .set = gw_set_word_set, .at = AT(core.allow_paths), .words = gw_path_words, .initial = "[]",
     .example = "[encoded_slash]",
     .help = "Paths that are let through to ks-core and the console although they can be read in two ways; not below `/api`, `/apis`, `/kapi` and `/kapis`."},
    {.name = "health_check", .set = gw_set_section, .at = AT(core.check), .rows = gw_health_core_rows,
     .help = "How ks-core is asked whether it is well."},
    {.name = "outlier", .set = gw_set_section, .at = AT(core.outlier), .rows = gw_outlier_core_rows,
     .help = "When ks-core and the console are left alone because requests to them fail."},
    {0},
};

static const struct gw_setting limit_rows[] = {
    {.name = "head", .set = gw_set_size, .at = AT(limits.head), .min = 1 * KIB, .max = 1 * MIB, .initial = "64KiB",
     .help = "Largest message head: request line or status line, and headers.  More answers 431."},
    {.name = "target", .set = gw_set_size, .at = AT(limits.target), .min = 256, .max = 1 * MIB, .initial = "32KiB",
     .help = "Longest request target (path and query).  More answers 414."},
    {.name = "headers", .set = gw_set_int, .at = AT(limits.headers), .min = 8, .max = 4096, .initial = "128",
     .help = "Most header fields in a message.  More answers 431."},
    {.name = "body", .set = gw_set_size, .at = AT(limits.body), .initial = "unlimited",
     .help = "Largest request body; bodies are streamed, never held.  More answers 413."},
    {.name = "object", .set = gw_set_size, .at = AT(limits.object), .min = 1 * KIB, .max = 16 * MIB, .initial = "1MiB",
     .help = "Largest body of a request to the gateway's own interface below `/-/`.  More answers 413."},
    {.name = "connections", .set = gw_set_int, .at = AT(limits.connections), .min = 16, .max = 10000000, .initial = "20000",
     .help = "Most client connections of the server.  When it is reached, an idle one is closed for each new one, or one whose head is late (503); if all are busy, new ones wait."},
    {.name = "connections_per_client", .set = gw_set_int, .at = AT(limits.connections_per_client), .min = 0, .max = 1000000, .initial = "0",
     .help = "Most connections of one client address (IPv6: of its /64); 0: no limit.  A request on one more answers 429.  Addresses of `trusted_proxies` are not counted."},
    {.name = "min_rate", .set = gw_set_size, .at = AT(limits.min_rate), .min = 0, .max = 1 * MIB, .initial = "256",
     .help = "Bytes per second at which a client has to send its body, and to take its answer, while it keeps the gateway waiting, pauses of `timeouts.body_idle` aside; 0: any.  A slower body answers 408, a slower reader is cut off."},
    {.name = "pool", .set = gw_set_int, .at = AT(limits.pool), .min = 0, .max = 65536, .initial = "128",
     .help = "Idle connections kept for each backend, in each worker."},
    {.name = "backend_connections", .set = gw_set_int, .at = AT(limits.backend_connections), .min = 0, .max = 1000000, .initial = "0",
     .help = "Most connections to one backend, of which each worker has its share; 0: no limit.  Further requests wait for one."},
    {.name = "backend_pending", .set = gw_set_int, .at = AT(limits.backend_pending), .min = 0, .max = 1000000, .initial = "128",
     .help = "Most requests that wait for a connection to one backend, of which each worker has its share; 0: none waits.  More answers 503."},
    {.name = "watch_backlog", .set = gw_set_size, .at = AT(limits.watch_backlog), .min = 4 * KIB, .max = 1024 * MIB, .initial = "4MiB",
     .help = "How much of the changes that it has not taken yet a watch of registered objects may have waiting.  A slower one is ended, and its client lists again."},
    {0},
};

static const struct gw_setting timeout_rows[] = {
    {.name = "head", .set = gw_set_duration, .at = AT(timeouts.head), .min = 100, .max = HOUR, .initial = "10s",
     .help = "From the first byte of a request to the end of its head.  Longer answers 408."},
    {.name = "idle", .set = gw_set_duration, .at = AT(timeouts.idle), .min = 100, .max = 24 * HOUR, .initial = "75s",
     .help = "How long a client's connection may be idle between requests."},
    {.name = "body_idle", .set = gw_set_duration, .at = AT(timeouts.body_idle), .min = 100, .max = 24 * HOUR, .initial = "60s",
     .help = "Longest pause while a request body is being sent, or while a client does not take its answer."},
    {.name = "half_closed", .set = gw_set_duration, .at = AT(timeouts.half_closed), .min = 100, .max = 24 * HOUR, .initial = "10s",
     .help = "How long an answer may make no progress for a client that has closed its sending side."},
    {.name = "linger", .set = gw_set_duration, .at = AT(timeouts.linger), .min = 10, .max = 60 * SECOND, .initial = "2s",
     .help = "How long a client may go on sending after an answer that ends its connection, or ends before its request does, so that it finds the answer."},
    {.name = "revoked", .set = gw_set_duration, .at = AT(timeouts.revoked), .min = 0, .max = HOUR, .initial = "5s",
     .help = "How long a request that is under way may go on when its token is revoked, or its user logs out; then it is cut off.  WebSockets and other tunnels are closed at once."},
    {.name = "connect", .set = gw_set_duration, .at = AT(timeouts.connect), .min = 10, .max = HOUR, .initial = "3s",
     .help = "Longest time to connect to a backend, name lookup included."},
    {.name = "pending", .set = gw_set_duration, .at = AT(timeouts.pending), .min = 10, .max = HOUR, .initial = "5s",
     .help = "How long a request waits for a connection to a backend that has as many as it may.  Longer answers 503."},
    {.name = "first_byte", .set = gw_set_duration, .at = AT(timeouts.first_byte), .min = 10, .max = 24 * HOUR, .initial = "60s",
     .help = "From the end of the request to the first byte of the backend's answer.  Longer answers 504."},
    {.name = "backend_idle", .set = gw_set_duration, .at = AT(timeouts.backend_idle), .min = 10, .max = 24 * HOUR, .initial = "10m",
     .help = "Longest pause within a backend's answer (watches and followed logs pause long)."},
    {.name = "pool_idle", .set = gw_set_duration, .at = AT(timeouts.pool_idle), .min = 100, .max = HOUR, .initial = "55s",
     .help = "How long an unused connection to a backend is kept."},
    {.name = "tunnel_idle", .set = gw_set_duration, .at = AT(timeouts.tunnel_idle), .min = 100, .max = 168 * HOUR, .initial = "1h",
     .help = "How long a tunnel (WebSocket, kubectl exec) may be silent both ways."},
    {.name = "tunnel_half_closed", .set = gw_set_duration, .at = AT(timeouts.tunnel_half_closed), .min = 100, .max = 168 * HOUR, .initial = "5m",
     .help = "How long a tunnel may be silent of which one side has ended (`kubectl attach` with its input at an end)."},
    {.name = "drain", .set = gw_set_duration, .at = AT(timeouts.drain), .min = 0, .max = 24 * HOUR, .initial = "30s",
     .help = "How long a stopping server waits for running requests and tunnels."},
    {.name = "watch", .set = gw_set_duration, .at = AT(timeouts.watch), .min = SECOND, .max = 24 * HOUR, .initial = "1h",
     .help = "Longest watch of registered objects (`timeoutSeconds` may ask for less); it is ended between three quarters of this and all of it, and its client begins another where it was."},
    {.name = "watch_bookmark", .set = gw_set_duration, .at = AT(timeouts.watch_bookmark), .min = 100, .max = HOUR, .initial = "1m",
     .help = "How often a watch that allows bookmarks gets one (`allowWatchBookmarks`): a revision from which it can go on."},
    {0},
};

/* enum gw_websocket_close */
static const char *const close_words[] = {"going_away", "service_restart", NULL};

static const struct gw_setting websocket_rows[] = {
    {.name = "ping", .set = gw_set_duration, .at = AT(websocket.ping), .min = 0, .max = HOUR, .initial = "0s",
     .help = "How often the gateway itself pings both sides of a WebSocket, when they are silent; `0s`: never."},
    {.name = "unanswered", .set = gw_set_int, .at = AT(websocket.unanswered), .min = 1, .max = 100, .initial = "3",
     .help = "A side that gives no sign of life for so many pings is dead: the tunnel is closed."},
    {.name = "close", .set = gw_set_word, .at = AT(websocket.close), .initial = "going_away", .words = close_words,
     .help = "What clients are told when the server stops: `going_away` (1001), or `service_restart` (1012) where it is about to come back at the same place."},
    {0},
};

static const struct gw_setting dns_rows[] = {
    {.name = "servers", .set = gw_set_text_list, .at = AT(dns.servers), .initial = "[]", .example = "[10.96.0.10]",
     .help = "Name servers, as `address` or `address:port`; none: those of `/etc/resolv.conf`, whose search domains hold in any case."},
    {.name = "min_ttl", .set = gw_set_duration, .at = AT(dns.min_ttl), .min = 1 * SECOND, .max = 24 * HOUR, .initial = "5s",
     .help = "A name is not asked for again sooner, whatever its answer allows."},
    {.name = "max_ttl", .set = gw_set_duration, .at = AT(dns.max_ttl), .min = 1 * SECOND, .max = 24 * HOUR, .initial = "5m",
     .help = "An answer is not believed for longer."},
    {0},
};

static const struct gw_setting admin_rows[] = {
    {.name = "socket", .set = gw_set_text, .at = AT(admin.socket), .initial = "/run/ksgate/admin.sock", .flags = GW_RESTART,
     .help = "Unix socket for the `ksgate` command and for services on this machine; who may open it may do everything.  `\"\"`: none."},
    {.name = "mode", .set = gw_set_text, .at = AT(admin.mode), .initial = "\"0600\"", .flags = GW_RESTART,
     .help = "The socket's file mode, octal."},
    {0},
};

const struct gw_setting gw_settings_rows[] = {
    {.name = "listeners", .set = gw_set_list, .at = AT(listeners), .rows = listener_rows,
     .row_size = sizeof(struct gw_listener_settings), .flags = GW_REQUIRED | GW_RESTART,
     .help = "Where clients connect."},
    {.name = "workers", .set = set_workers, .at = AT(workers_text), .initial = "auto", .type = "`auto` or number", .flags = GW_RESTART,
     .help = "Worker threads: `auto` (one per core) or a number up to 256."},
    {.name = "user", .set = gw_set_text, .at = AT(user), .flags = GW_RESTART, .example = "ksgate",
     .help = "Whom the server runs as when it was started as root: left out, `ksgate` if there is such a user, else `nobody`."},
    {.name = "core", .set = gw_set_section, .at = 0, .rows = core_rows,
     .help = "KubeSphere itself."},
    {.name = "registry", .set = gw_set_section, .at = AT(registry), .rows = gw_registry_rows, .flags = GW_RESTART,
     .help = "Where registered objects are held."},
    {.name = "trusted_proxies", .set = gw_set_text_list, .at = AT(trusted_proxies), .initial = "[]",
     .help = "Addresses and CIDR blocks of proxies in front whose `X-Forwarded-*` are believed."},
    {.name = "limits", .set = gw_set_section, .at = 0, .rows = limit_rows,
     .help = "What is refused for its size or number."},
    {.name = "timeouts", .set = gw_set_section, .at = 0, .rows = timeout_rows,
     .help = "How long is waited for what."},
    {.name = "websocket", .set = gw_set_section, .at = 0, .rows = websocket_rows,
     .help = "WebSockets, beyond passing on their bytes."},
    {.name = "dns", .set = gw_set_section, .at = 0, .rows = dns_rows,
     .help = "How the names of backends are looked up."},
    {.name = "admin", .set = gw_set_section, .at = 0, .rows = admin_rows,
     .help = "The administrator's door."},
    {0},
};
/* clang-format on */
