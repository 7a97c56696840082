/*
 * client.h - how the commands talk to a running gateway: HTTP/1.1, one request at a time.
 *
 * Over the admin unix socket, or over TCP with a bearer token.  Blocking, with a deadline for
 * the whole call.
 */
#ifndef GW_SERVER_CLIENT_H
#define GW_SERVER_CLIENT_H

#include "base/buf.h"
#include "base/diag.h"
#include "server/cli_util.h"

#define GW_CLIENT_TIMEOUT_MS   30000
#define GW_CLIENT_ANSWER_BYTES ((size_t)1 << 30) /* of a body; a list of all objects is big */

/* Texts are borrowed. */
struct gw_client {
    const char *socket;   /* the admin socket's path; used when server is NULL */
    const char *server;   /* "http://host:port", or NULL */
    const char *token;    /* sent as a bearer token, or NULL */
    long long timeout_ms; /* of one call; 0: GW_CLIENT_TIMEOUT_MS */
};

struct gw_client_answer {
    unsigned status;
    struct gw_buf body; /* the caller's to fini, also when the call failed */
};

/* Sends one request and reads the whole answer.  content_type none: no body.  False: no answer
 * came; the diag says why.  Any status is an answer. */
bool gw_client_call(const struct gw_client *c, const char *method, const char *target,
                    struct gw_str content_type, struct gw_str body, struct gw_client_answer *out,
                    struct gw_diag *diag);

/* What an answer's Status object says, or a sentence about the status; for people.  Appended. */
void gw_client_problem(const struct gw_client_answer *answer, struct gw_buf *out);

/* Appends text as one path segment or query value: percent-encoded but for unreserved bytes. */
void gw_client_escape(struct gw_buf *out, struct gw_str text);

/* The options by which all commands say where the gateway is. */
struct gw_client_options {
    const char *socket, *server, *token, *token_file;
    char *made; /* what gw_cli_client() read from files; heap */
};

/* clang-format off */
/* NOLINTBEGIN(bugprone-macro-parentheses): they are names of a type and a member */
#define GW_CLIENT_OPTIONS(type, field) GW_CLIENT_WHERE(type, field), GW_CLIENT_TOKEN(type, field)
#define GW_CLIENT_WHERE(type, field)                                                              \
    {0, "socket", "PATH", GW_OPTION_TEXT, offsetof(type, field.socket),                           \
     "The gateway's admin socket; by default the configuration's admin.socket."},                 \
    {0, "server", "URL", GW_OPTION_TEXT, offsetof(type, field.server),                            \
     "Ask http://HOST:PORT instead of the admin socket."}
#define GW_CLIENT_TOKEN(type, field)                                                              \
    {0, "token", "TOKEN", GW_OPTION_TEXT, offsetof(type, field.token),                            \
     "The bearer token for --server (other users can see it in the process list)."},              \
    {0, "token-file", "FILE", GW_OPTION_TEXT, offsetof(type, field.token_file),                   \
     "A file that holds the bearer token for --server."}
/* NOLINTEND(bugprone-macro-parentheses) */
/* clang-format on */

/* Fills the client from options and configuration.  GW_CLI_GO, or the exit code after it has
 * said what is wrong.  The options keep what the client points to: gw_client_options_fini(). */
int gw_cli_client(struct gw_client *out, const struct gw_cli *c, struct gw_client_options *o);

/* The same, but what is wrong elsewhere than in the options is in the diag, and not said yet. */
int gw_cli_client_found(struct gw_client *out, const struct gw_cli *c, struct gw_client_options *o,
                        struct gw_diag *diag);

/* Reads the token file again, if there is one: a token may have been replaced.  False: there is
 * none in it, which the diag says, and the client keeps the one that it has. */
bool gw_cli_client_token(struct gw_client *client, struct gw_client_options *o,
                         struct gw_diag *diag);

void gw_client_options_fini(struct gw_client_options *o);

#endif
