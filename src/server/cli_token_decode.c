/* cli_token_decode.c - ksgate token --decode: a token shown, and judged as the gateway would; and
 * --revocation, which writes the object that ends it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "config/json.h"
#include "modules/jwt_revoked.h"
#include "modules/jwt_token.h"
#include "modules/jwt_verify.h"
#include "server/cli_token.h"

/* The token itself, without what stands around it on a command line or in a file. */
static struct gw_str
read_token(struct gw_arena *a, const char *given)
{
    struct gw_str text = gw_str_of(given);

    if (strcmp(given, "-") == 0) {
        char *bytes = gw_arena_raw(a, (size_t)GW_JWT_TOKEN_MAX * 2);

        text = (struct gw_str){bytes, fread(bytes, 1, (size_t)GW_JWT_TOKEN_MAX * 2, stdin)};
    }
    while (text.n > 0 && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r')) {
        text.n--;
    }
    return gw_str_trim(text);
}

static json_t *
text_json(struct gw_str s)
{
    return json_stringn(s.p == NULL ? "" : s.p, s.n);
}

static void
put_subject(json_t *out, const struct gw_jwt_claims *claims)
{
    json_t *groups = json_array();

    for (unsigned i = 0; i < claims->subject.n_groups; i++) {
        json_array_append_new(groups, text_json(claims->subject.groups[i]));
    }
    json_object_set_new(out, "user", text_json(claims->subject.name));
    json_object_set_new(out, "groups", groups);
    if (claims->expires_ms != UINT64_MAX) {
        struct gw_buf time = {0};

        gw_clock_rfc3339(&time, claims->expires_ms);
        json_object_set_new(out, "until", text_json(gw_buf_text(&time)));
        gw_buf_fini(&time);
    }
}

/* Adds what the gateway would say; true: it would take it. */
static bool
judge(json_t *out, const struct gw_jwt_settings *settings, struct gw_arena *a, struct gw_str token)
{
    struct gw_jwt_verifiers *v = gw_jwt_verifiers_new(settings, 0);
    struct gw_jwt_claims claims;
    const char *why = "";
    enum gw_err err = gw_jwt_verify(v, a, token, gw_clock_wall_ms(), &claims, &why);

    json_object_set_new(out, "taken", json_boolean(err == GW_ERR_OK));
    if (err == GW_ERR_OK) {
        put_subject(out, &claims);
    } else {
        json_object_set_new(out, "error", json_string(gw_err_name(err)));
        json_object_set_new(out, "message", json_string(gw_err_text(err)));
        json_object_set_new(out, "why", json_string(why));
    }
    gw_jwt_verifiers_free(v);
    return err == GW_ERR_OK;
}

/* null: it could not be read. */
static void
put_part(json_t *out, const char *name, const struct gw_jwt_json *part, struct gw_str text)
{
    json_t *value = part == NULL ? NULL : json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, NULL);

    json_object_set_new(out, name, value == NULL ? json_null() : value);
}

static void
put_hash(json_t *out, struct gw_str token)
{
    char hash[GW_JWT_HASH_TEXT + 1];

    gw_jwt_token_hash(token, hash);
    json_object_set_new(out, "tokenHash", json_string(hash));
}

int
gw_token_decode(const struct gw_cli *c, const char *token, enum gw_output format)
{
    struct gw_arena *a = gw_arena_new();
    struct gw_str text = read_token(a, token);
    struct gw_jwt_settings settings = {0};
    struct gw_diag diag = {0};
    struct gw_jwt_token parts;
    const char *why = "";
    json_t *out = json_object();
    int code = GW_EXIT_FAILED;

    (void)gw_jwt_token_split(&parts, a, text, &why);
    put_part(out, "header", parts.header, parts.header_text);
    put_part(out, "claims", parts.claims, parts.claims_text);
    put_hash(out, text);
    if (gw_token_settings(c, a, &settings, &diag)) {
        code = judge(out, &settings, a, text) ? GW_EXIT_OK : GW_EXIT_FAILED;
        gw_jwt_issuers_close(&settings);
    }
    (void)gw_cli_findings(&diag);
    int printed = gw_cli_print_json(c, format == GW_OUTPUT_TABLE ? GW_OUTPUT_YAML : format, out);
    json_decref(out);
    gw_arena_free(a);
    return printed == GW_EXIT_OK ? code : printed;
}

/* Longer than any leeway: after that nobody takes the token, revoked or not. */
#define SLACK_MS 600000

/* exp, when the token says so. */
static void
put_expires(json_t *spec, const struct gw_jwt_token *t)
{
    const struct gw_jwt_json *exp = t->claims == NULL ? NULL : gw_jwt_json_get(t->claims, "exp");
    struct gw_buf text = {0};

    if (!gw_jwt_json_is(exp, GW_JWT_JSON_INTEGER) || exp->number.integer <= 0 ||
        exp->number.integer >= GW_CLOCK_LATEST_S - SLACK_MS / 1000) {
        return; /* it ends never: nor does the revocation */
    }
    gw_clock_rfc3339(&text, (uint64_t)exp->number.integer * 1000 + SLACK_MS);
    json_object_set_new(spec, "expires", text_json(gw_buf_text(&text)));
    gw_buf_fini(&text);
}

/* "token-" and what of its hash may stand in a name. */
static const char *
name_of(struct gw_arena *a, const char *hash)
{
    char name[17] = "";
    size_t n = 0;

    for (; *hash != '\0' && n < sizeof(name) - 1; hash++) {
        if ((*hash >= '0' && *hash <= '9') || (*hash >= 'a' && *hash <= 'z')) {
            name[n++] = *hash;
        }
    }
    return gw_arena_printf(a, "token-%s", name);
}

int
gw_token_revocation(const struct gw_cli *c, const char *token, enum gw_output format)
{
    struct gw_arena *a = gw_arena_new();
    struct gw_str text = read_token(a, token);
    struct gw_jwt_token parts;
    const char *why = "";
    json_t *spec = json_object();

    if (gw_jwt_token_split(&parts, a, text, &why) == GW_ERR_TOKEN_MALFORMED) {
        json_decref(spec);
        int failed = gw_cli_fail(c, "--revocation: that is no token: %s", why);
        gw_arena_free(a);
        return failed;
    }
    put_hash(spec, text);
    put_expires(spec, &parts);
    const char *name = name_of(a, json_string_value(json_object_get(spec, "tokenHash")));
    json_t *object = json_pack("{s:s, s:s, s:{s:s}, s:o}", "apiVersion", "ksgate.io/v1", "kind",
                               "Revocation", "metadata", "name", name, "spec", spec);
    int code = gw_cli_print_json(c, format == GW_OUTPUT_TABLE ? GW_OUTPUT_YAML : format, object);
    json_decref(object);
    gw_arena_free(a);
    return code;
}
