/* cli_client.c - where the gateway is: from the options, else from the configuration. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "gateway/conf.h"
#include "http/headers.h"
#include "server/client_io.h"

#define TOKEN_BYTES 65536

static const struct gw_setting *
row(const struct gw_setting *rows, const char *name)
{
    while (rows->name != NULL && strcmp(rows->name, name) != 0) {
        rows++;
    }
    return rows->name == NULL ? NULL : rows;
}

/* The section `admin` as it would be with nothing but `socket` in it, or what stands in its place;
 * a new reference, or NULL.  The value keeps its place. */
static json_t *
socket_alone(const struct gw_yaml *y)
{
    json_t *admin = json_object_get(gw_yaml_root(y), "admin");
    json_t *socket = json_object_get(admin, "socket");

    if (admin == NULL || !json_is_object(admin)) {
        return json_incref(admin);
    }
    return socket == NULL ? NULL : json_pack("{s:O}", "socket", socket);
}

/* Only admin.socket is read: the rest may be wrong, name files that this user can't open, or
 * variables that only the gateway's environment has.  The default file may be missing; then the
 * default socket is meant. */
static char *
socket_of(const struct gw_cli *c, struct gw_diag *diag)
{
    const struct gw_setting *section = row(gw_conf_rows(), "admin");
    struct gw_yaml y = {0};
    struct gw_settings settings = {0};
    struct gw_loader loader = {.arena = gw_arena_new(), .source = &y, .diag = diag};
    bool there = c->config_given || access(c->config, F_OK) == 0;
    bool ok = !there || gw_yaml_read_file(&y, c->config, diag);
    json_t *value = ok ? socket_alone(&y) : NULL;
    char *path = NULL;

    ok = ok && gw_yaml_expand_env_in(&y, value, diag);
    if (ok && section != NULL) {
        ok = gw_schema_load(&loader, (char *)&settings + section->at, value, section->rows, "admin",
                            NULL);
        path = ok ? gw_mem_strdup(settings.admin.socket) : NULL;
    }
    if (path == NULL) {
        gw_diag_error(diag, (struct gw_place){.file = c->config},
                      "%s: --socket PATH or --server URL say where the gateway is",
                      ok ? "admin.socket is not set" : "admin.socket can't be read");
    }
    json_decref(value);
    if (there) {
        gw_yaml_fini(&y);
    }
    gw_arena_free(loader.arena);
    return path;
}

/* The first word of the file, as it is sent. */
static char *
token_of(const char *file, struct gw_diag *diag)
{
    char *text = gw_mem_alloc(TOKEN_BYTES);
    FILE *f = fopen(file, "re");
    size_t n = f == NULL ? 0 : fread(text, 1, TOKEN_BYTES - 1, f);

    if (f == NULL || ferror(f) != 0) {
        gw_diag_error(diag, (struct gw_place){0}, "--token-file %s can't be read: %s", file,
                      strerror(errno));
    } else if ((n = strcspn(text, "\r\n \t")) == 0) {
        gw_diag_error(diag, (struct gw_place){0}, "--token-file %s holds no token", file);
    } else if (!gw_header_value_ok((struct gw_str){text, n})) {
        gw_diag_error(diag, (struct gw_place){0}, "--token-file %s holds bytes that no token has",
                      file);
        n = 0;
    }
    if (f != NULL) {
        (void)fclose(f);
    }
    text[n] = '\0';
    if (n > 0) {
        return text;
    }
    free(text);
    return NULL;
}

int
gw_cli_client_found(struct gw_client *out, const struct gw_cli *c, struct gw_client_options *o,
                    struct gw_diag *diag)
{
    struct gw_url url;
    const char *why;

    *out = (struct gw_client){.socket = o->socket, .server = o->server, .token = o->token};
    if (o->server != NULL && o->socket != NULL) {
        return gw_cli_misuse(c, "--server and --socket can't be used together");
    }
    if (o->server != NULL && !gw_client_server(o->server, &url, &why)) {
        return gw_cli_misuse(c, "--server %s: it takes http://HOST:PORT%s%s", o->server,
                             *why == '\0' ? "" : "; ", why);
    }
    if (o->token != NULL && o->token_file != NULL) {
        return gw_cli_misuse(c, "--token and --token-file can't be used together");
    }
    if (o->server == NULL && (o->token != NULL || o->token_file != NULL)) {
        return gw_cli_misuse(c, "a token goes with --server; the admin socket needs none");
    }
    if (o->token_file != NULL) {
        out->token = o->made = token_of(o->token_file, diag);
        if (o->made == NULL) {
            return GW_EXIT_FAILED;
        }
    }
    if (out->token != NULL && !gw_header_value_ok(gw_str_of(out->token))) {
        return gw_cli_misuse(c, "the token holds bytes that no token has");
    }
    if (o->server == NULL && o->socket == NULL) {
        out->socket = o->made = socket_of(c, diag);
        return o->made == NULL ? GW_EXIT_FAILED : GW_CLI_GO;
    }
    return GW_CLI_GO;
}

int
gw_cli_client(struct gw_client *out, const struct gw_cli *c, struct gw_client_options *o)
{
    struct gw_diag diag = {0};
    int code = gw_cli_client_found(out, c, o, &diag);

    (void)gw_cli_findings(&diag);
    return code;
}

bool
gw_cli_client_token(struct gw_client *client, struct gw_client_options *o, struct gw_diag *diag)
{
    char *token = o->token_file == NULL ? NULL : token_of(o->token_file, diag);

    if (token != NULL) {
        free(o->made);
        client->token = o->made = token;
    }
    return token != NULL || o->token_file == NULL;
}

void
gw_client_options_fini(struct gw_client_options *o)
{
    free(o->made);
    o->made = NULL;
}
