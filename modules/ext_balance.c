#include "modules/ext_balance.h"

#define HASH         offsetof(struct gw_ext_balance, header) /* where the section hash begins */
#define AT(field)    offsetof(struct gw_ext_balance, field)
#define WHERE(field) "spec.loadBalancer." field

static const char *const policies[] = {
    [GW_POLICY_P2C] = "p2c",
    [GW_POLICY_ROUND_ROBIN] = "round_robin",
    [GW_POLICY_LEAST_CONN] = "least_conn",
    [GW_POLICY_HASH] = "hash",
    NULL,
};

/* clang-format off */
static const struct gw_setting hash_rows[] = {
    {.name = "header", .set = gw_set_text, .at = AT(header) - HASH,
     .help = "By the value of this request header."},
    {.name = "cookie", .set = gw_set_text, .at = AT(cookie) - HASH,
     .help = "By the value of this cookie."},
    {.name = "ip", .set = gw_set_bool, .at = AT(ip) - HASH, .initial = "false",
     .help = "By the client's address."},
    {0},
};

const struct gw_setting gw_ext_balance_rows[] = {
    {.name = "policy", .set = gw_set_word, .at = AT(policy), .words = policies, .initial = "p2c",
     .help = "How an endpoint is chosen."},
    {.name = "hash", .set = gw_set_section, .at = HASH, .rows = hash_rows,
     .help = "What the policy hash looks at: one of these."},
    {.name = "slowStart", .set = gw_set_duration, .at = AT(slow_start_ms), .initial = "0",
     .max = 3600000, .help = "How long the share of an endpoint that has just come up grows."},
    {0},
};
/* clang-format on */

static bool
compile_key(struct gw_balancer *out, const struct gw_ext_balance *b, struct gw_loader *l,
            const json_t *json)
{
    const json_t *hash = json_object_get(json, "hash");
    int keys = (b->header != NULL) + (b->cookie != NULL) + b->ip;

    if (b->policy != GW_POLICY_HASH) {
        if (keys > 0) {
            gw_diag_warn(l->diag, gw_yaml_key_place(l->source, json, "hash"),
                         "%s has no effect: spec.loadBalancer.policy is not hash", WHERE("hash"));
        }
        return true;
    }
    if (keys != 1) {
        gw_schema_error(l, hash == NULL ? json : hash, WHERE("hash"),
                        "the policy hash needs one of header, cookie and ip");
        return false;
    }
    out->hash_by = b->header != NULL   ? GW_HASH_HEADER
                   : b->cookie != NULL ? GW_HASH_COOKIE
                                       : GW_HASH_IP;
    out->hash_name = gw_str_of(b->header != NULL ? b->header : b->cookie);
    if (!b->ip && !gw_header_name_ok(out->hash_name)) { /* a cookie's name is a token, too */
        const char *key = b->header != NULL ? "header" : "cookie";

        gw_schema_error(l, json_object_get(hash, key),
                        b->header != NULL ? WHERE("hash.header") : WHERE("hash.cookie"),
                        "\"%.*s\" is not the name of a %s", GW_STR_ARG(out->hash_name), key);
        return false;
    }
    return true;
}

bool
gw_ext_balance_compile(struct gw_balancer *out, const struct gw_ext_balance *b, struct gw_loader *l,
                       const json_t *json)
{
    *out = (struct gw_balancer){.policy = (enum gw_policy)b->policy,
                                .slow_start_ms = (unsigned)b->slow_start_ms};
    return compile_key(out, b, l, json);
}
