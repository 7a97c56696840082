#include "registry/sync.h"

#define REPLY_BYTES ((size_t)256 * 1024 * 1024) /* of one batch of the scan or of changes */

static const char *const drivers[] = {"sqlite", "redis", NULL};

/* clang-format off */
static const struct gw_setting sqlite_rows[] = {
    {.name = "path", .set = gw_set_text, .at = offsetof(struct gw_registry_sqlite, path),
     .initial = "/var/lib/ksgate/registry.db", .flags = GW_RESTART,
     .help = "The database file; made when it is not there, its folder too."},
    {0},
};

static const struct gw_setting redis_rows[] = {
    {.name = "url", .set = gw_set_text, .at = offsetof(struct gw_registry_redis, url),
     .initial = "redis://127.0.0.1:6379/0", .flags = GW_RESTART,
     .help = "`redis://[user@]host[:port][/db]`, `rediss://` (the same by TLS) or `unix:/path[?user=name&db=n]`."},
    {.name = "password_file", .set = gw_set_text,
     .at = offsetof(struct gw_registry_redis, password_file), .flags = GW_RESTART,
     .example = "/etc/ksgate/redis.pw",
     .help = "The file that holds the password; read again at each connect."},
    {.name = "tls", .set = gw_set_section, .at = offsetof(struct gw_registry_redis, tls),
     .rows = gw_redis_tls_rows, .help = "How a `rediss://` is known to be the right one, and the gateway to it."},
    {.name = "sentinels", .set = gw_set_text_list,
     .at = offsetof(struct gw_registry_redis, sentinels), .flags = GW_RESTART,
     .example = "[10.0.0.1:26379, 10.0.0.2:26379, 10.0.0.3:26379]",
     .help = "Sentinels that know where the master is; of the URL, scheme, user and database count then."},
    {.name = "master", .set = gw_set_text, .at = offsetof(struct gw_registry_redis, master),
     .flags = GW_RESTART, .example = "mymaster", .help = "The master's name, as the Sentinels know it."},
    {.name = "sentinel", .set = gw_set_section, .at = offsetof(struct gw_registry_redis, sentinel),
     .rows = gw_redis_sentinel_rows, .help = "How the Sentinels are spoken to."},
    {.name = "cluster", .set = gw_set_text_list,
     .at = offsetof(struct gw_registry_redis, cluster), .flags = GW_RESTART,
     .example = "[10.0.0.1:6379, 10.0.0.2:6379, 10.0.0.3:6379]",
     .help = "Nodes of a Redis Cluster, any of which leads to the one that has our keys; of the URL, scheme and user count then."},
    {.name = "replicas", .set = gw_set_int, .at = offsetof(struct gw_registry_redis, replicas),
     .min = 0, .max = 100, .initial = "0", .flags = GW_RESTART,
     .help = "How many replicas must have a write before it is answered as made: else a fail-over may lose it."},
    {.name = "prefix", .set = gw_set_text, .at = offsetof(struct gw_registry_redis, prefix),
     .initial = "\"{ksgate}:\"", .flags = GW_RESTART,
     .help = "What all keys begin with; the part in braces keeps them in one Cluster slot."},
    {.name = "timeout", .set = gw_set_duration,
     .at = offsetof(struct gw_registry_redis, timeout_ms), .min = 50, .max = 60000,
     .initial = "2s", .flags = GW_RESTART,
     .help = "How long Redis may take to connect and to answer one command."},
    {.name = "fleet_silence", .set = gw_set_duration,
     .at = offsetof(struct gw_registry_redis, fleet_silence_ms), .min = 2000, .max = 60000,
     .initial = "5s", .flags = GW_RESTART,
     .help = "Each gateway says once a second that it lives; one that has been silent for longer than this is not waited for (`?wait=fleet`)."},
    {.name = "fleet_wait", .set = gw_set_duration,
     .at = offsetof(struct gw_registry_redis, fleet_wait_ms), .min = 100, .max = 60000,
     .initial = "3s", .flags = GW_RESTART,
     .help = "How long a write with `?wait=live` waits for this gateway, and one with `?wait=fleet` then for the others, before it is answered with those that have not followed."},
    {0},
};

const struct gw_setting gw_registry_rows[] = {
    {.name = "driver", .set = gw_set_word, .at = offsetof(struct gw_registry_settings, driver),
     .initial = "sqlite", .words = drivers, .flags = GW_RESTART,
     .help = "Where objects live: in a file of this machine, or in Redis for a fleet."},
    {.name = "sqlite", .set = gw_set_section, .at = offsetof(struct gw_registry_settings, sqlite),
     .rows = sqlite_rows, .help = "The embedded store."},
    {.name = "redis", .set = gw_set_section, .at = offsetof(struct gw_registry_settings, redis),
     .rows = redis_rows, .help = "The store that gateways share."},
    {.name = "files", .set = gw_set_text_list, .at = offsetof(struct gw_registry_settings, files),
     .flags = GW_RESTART, .example = "[/etc/ksgate/objects.d]",
     .help = "Files and folders of objects: watched, read-only, win over the store."},
    {.name = "snapshot", .set = gw_set_text, .at = offsetof(struct gw_registry_settings, snapshot),
     .example = "/var/lib/ksgate/registry.snapshot", .flags = GW_RESTART,
     .help = "Where the last good state is kept, to start and serve while the store is away.  Left out: beside the SQLite file (`.snapshot` added to its name), with Redis `/var/lib/ksgate/registry.snapshot`."},
    {.name = "waiters", .set = gw_set_int, .at = offsetof(struct gw_registry_settings, waiters),
     .min = 1, .max = 1000000, .initial = "4096", .flags = GW_RESTART,
     .help = "How many requests may wait for their writes (`?wait=live`, `?wait=fleet`) at a time; more are answered 503 before anything is written."},
    {.name = "history", .set = gw_set_size, .at = offsetof(struct gw_registry_settings, history),
     .min = 0, .max = 1LL << 30, .initial = "16MiB", .flags = GW_RESTART,
     .help = "How much memory the last changes may keep, from which a watch goes on where it was (`resourceVersion`).  Older ones answer 410, and the client lists again."},
    {0},
};
/* clang-format on */

struct gw_redis_conf
gw_registry_redis_conf(const struct gw_registry_redis *c)
{
    return (struct gw_redis_conf){
        .url = c->url,
        .password_file = c->password_file,
        .tls = c->tls,
        .sentinels = c->sentinels,
        .master = c->master,
        .sentinel = c->sentinel,
        .cluster = c->cluster,
        .key = c->prefix,
        .timeout_ms = c->timeout_ms,
        .reply_bytes = REPLY_BYTES,
        .writes = true,
    };
}

bool
gw_registry_check(const struct gw_registry_settings *s, struct gw_diag *diag)
{
    struct gw_redis_conf redis = gw_registry_redis_conf(&s->redis);

    return s->driver != 1 || gw_redis_check(&redis, diag);
}
