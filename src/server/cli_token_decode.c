/* cli_token_decode.c - ksgate token --decode: a token shown, and judged as the gateway would. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "config/json.h"
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
