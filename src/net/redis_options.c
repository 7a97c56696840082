#include "net/redis.h"

#define TLS(field) offsetof(struct gw_redis_tls_conf, field)

static const char *const tls_words[] = {"url", "always", "never", NULL};

/* clang-format off */
const struct gw_setting gw_redis_tls_rows[] = {
    {.name = "ca_file", .set = gw_set_text, .at = TLS(ca_file), .flags = GW_RESTART,
     .example = "/etc/ksgate/redis-ca.crt",
     .help = "Whose certificates are trusted (PEM); left out: those that the system trusts.  Read again at each connect, as the other files are."},
    {.name = "certificate_file", .set = gw_set_text, .at = TLS(certificate_file),
     .flags = GW_RESTART, .example = "/etc/ksgate/redis-client.crt",
     .help = "The gateway's own certificate (PEM, with its chain), for a Redis that asks for one."},
    {.name = "key_file", .set = gw_set_text, .at = TLS(key_file), .flags = GW_RESTART,
     .example = "/etc/ksgate/redis-client.key", .help = "Its private key (PEM)."},
    {.name = "server_name", .set = gw_set_text, .at = TLS(server_name), .flags = GW_RESTART,
     .example = "redis.example.com",
     .help = "The name (or address) that the server's certificate has to be for; left out: the host that is connected to."},
    {.name = "insecure_skip_verify", .set = gw_set_bool, .at = TLS(insecure_skip_verify),
     .initial = "false", .flags = GW_RESTART,
     .help = "Take any certificate: whoever gets between can then read and change all that is registered."},
    {0},
};

#define SENTINEL(field) offsetof(struct gw_redis_sentinel_conf, field)

const struct gw_setting gw_redis_sentinel_rows[] = {
    {.name = "user", .set = gw_set_text, .at = SENTINEL(user), .flags = GW_RESTART,
     .example = "ksgate", .help = "Who the gateway is to the Sentinels, if they ask."},
    {.name = "password_file", .set = gw_set_text, .at = SENTINEL(password_file),
     .flags = GW_RESTART, .example = "/etc/ksgate/sentinel.pw",
     .help = "The file that holds its password there; read again each time."},
    {.name = "tls", .set = gw_set_word, .at = SENTINEL(tls), .words = tls_words,
     .initial = "url", .flags = GW_RESTART,
     .help = "Whether they speak TLS: `url`, if the Redis does (`rediss://`); `always`; `never`.  With the files of the section tls."},
    {0},
};
/* clang-format on */
