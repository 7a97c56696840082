#include "server/client.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/parse.h"
#include "http/url.h"
#include "http/write.h"
#include "server/client_io.h"

#define READ_BYTES    65536
#define HEAD_EXPECTED 512

static const struct gw_place nowhere;

static const struct gw_parse_limits limits = {
    .head_bytes = 65536, .target_bytes = 65536, .headers = 256};

static void
write_head(struct gw_out *o, const struct gw_client *c, const char *method, const char *target,
           struct gw_str type, struct gw_str body)
{
    struct gw_str host = GW_STR("localhost");
    struct gw_url url;
    const char *why;

    if (c->server != NULL && gw_url_parse(gw_str_of(c->server), &url, &why)) {
        host = url.authority;
    }
    gw_out_request_line(o, gw_str_of(method), gw_str_of(target));
    gw_out_header(o, GW_STR("Host"), host);
    gw_out_header(o, GW_STR("User-Agent"), GW_STR("ksgate/" PACKAGE_VERSION));
    gw_out_header(o, GW_STR("Accept"), GW_STR("application/json"));
    gw_out_header(o, GW_STR("Connection"), GW_STR("close"));
    if (c->token != NULL) {
        gw_out_header(o, GW_STR("Authorization"),
                      gw_str_of(gw_arena_printf(o->arena, "Bearer %s", c->token)));
    }
    if (type.n > 0) {
        gw_out_header(o, GW_STR("Content-Type"), type);
    }
    if (type.n > 0 || body.n > 0) {
        gw_out_add(o, "Content-Length: ", sizeof("Content-Length: ") - 1);
        gw_out_u64(o, body.n);
        gw_out_add(o, "\r\n", 2);
    }
    gw_out_add(o, "\r\n", 2);
}

/* An answer while it is read. */
struct reading {
    struct gw_client_io *io;
    struct gw_arena *arena;
    struct gw_parser parser;
    struct gw_str method;
    struct gw_buf in; /* the head so far, and what came behind it */
    size_t used;      /* of it: where the body begins */
    struct gw_client_answer *out;
};

static void
start_head(struct reading *r)
{
    gw_parser_start(&r->parser, GW_PARSE_RESPONSE, &limits);
    gw_parser_expect(&r->parser, r->method);
}

/* Interim answers (100, 103) are skipped: their bytes leave the buffer. */
static bool
is_interim(struct reading *r, enum gw_parse p)
{
    unsigned status = r->parser.head.status;

    if (p == GW_PARSE_MORE || p == GW_PARSE_ERROR || status >= 200 || status == 101) {
        return false;
    }
    r->in.n -= r->used;
    memmove(r->in.p, r->in.p + r->used, r->in.n);
    start_head(r);
    return true;
}

/* More bytes into r->in; false when there are none, which `diag` explains. */
static bool
read_more(struct reading *r, struct gw_diag *diag)
{
    char bytes[READ_BYTES];
    ssize_t n = gw_client_read(r->io, bytes, sizeof(bytes), diag);

    if (n > 0) {
        gw_buf_add(&r->in, bytes, (size_t)n);
    } else if (n == 0) {
        gw_diag_error(diag, nowhere, "%s closed the connection without an answer", r->io->where);
    }
    return n > 0;
}

static enum gw_parse
read_head(struct reading *r, struct gw_diag *diag)
{
    start_head(r);
    for (;;) {
        enum gw_parse p = GW_PARSE_MORE;

        if (r->in.n > 0) {
            p = gw_parser_head(&r->parser, r->arena, r->in.p, r->in.n, &r->used);
        }
        if (is_interim(r, p)) {
            continue;
        }
        if (p != GW_PARSE_MORE) {
            return p;
        }
        if (!read_more(r, diag)) {
            return GW_PARSE_MORE; /* already said why */
        }
    }
}

static enum gw_parse
take_body(struct reading *r, char *bytes, size_t n, struct gw_diag *diag)
{
    size_t used = 0;
    enum gw_parse p = gw_parser_body(&r->parser, bytes, n, &used);

    for (unsigned i = 0; i < r->parser.n_body; i++) {
        gw_buf_add(&r->out->body, r->parser.body[i].iov_base, r->parser.body[i].iov_len);
    }
    if (r->out->body.n > GW_CLIENT_ANSWER_BYTES) {
        gw_diag_error(diag, nowhere, "the answer of %s is larger than %zu bytes", r->io->where,
                      GW_CLIENT_ANSWER_BYTES);
        return GW_PARSE_ERROR;
    }
    return p;
}

static enum gw_parse
read_body(struct reading *r, struct gw_diag *diag)
{
    enum gw_parse p = GW_PARSE_MORE;
    char bytes[READ_BYTES];

    if (r->in.n > r->used) {
        p = take_body(r, r->in.p + r->used, r->in.n - r->used, diag);
    }
    while (p == GW_PARSE_MORE || p == GW_PARSE_HEAD) {
        ssize_t n = gw_client_read(r->io, bytes, sizeof(bytes), diag);

        if (n < 0) {
            return GW_PARSE_ERROR;
        }
        p = n == 0 ? gw_parser_eof(&r->parser) : take_body(r, bytes, (size_t)n, diag);
    }
    return p;
}

static bool
read_answer(struct reading *r, struct gw_diag *diag)
{
    size_t errors = diag->errors;
    enum gw_parse p = read_head(r, diag);

    if (p == GW_PARSE_HEAD) {
        p = read_body(r, diag);
    }
    if (p == GW_PARSE_DONE) {
        r->out->status = r->parser.head.status;
        return true;
    }
    if (diag->errors == errors) {
        gw_diag_error(diag, nowhere, "the answer of %s is not valid HTTP: %s", r->io->where,
                      r->parser.detail[0] != '\0' ? r->parser.detail : gw_err_text(r->parser.err));
    }
    return false;
}

bool
gw_client_call(const struct gw_client *c, const char *method, const char *target,
               struct gw_str content_type, struct gw_str body, struct gw_client_answer *out,
               struct gw_diag *diag)
{
    struct gw_client_io io = {.fd = -1};
    struct reading r = {.io = &io, .method = gw_str_of(method), .out = out};
    struct gw_out head;
    bool ok = false;

    *out = (struct gw_client_answer){0};
    io.until_ms =
        gw_clock_mono_ms() + (uint64_t)(c->timeout_ms > 0 ? c->timeout_ms : GW_CLIENT_TIMEOUT_MS);
    if (!gw_client_connect(&io, c, diag)) {
        return false;
    }
    r.arena = gw_arena_new();
    gw_out_init(&head, r.arena, HEAD_EXPECTED);
    write_head(&head, c, method, target, content_type, body);
    if (gw_client_write(&io, (struct gw_str){head.p, head.n}, diag)) {
        /* A gateway that refuses early stops reading: its answer says why, so read it anyway. */
        struct gw_diag lost = {0};
        bool sent = gw_client_write(&io, body, &lost);

        ok = read_answer(&r, sent ? diag : &lost);
        if (!ok && !sent) {
            gw_diag_error(diag, nowhere, "%s", gw_diag_first(&lost));
        }
        gw_diag_fini(&lost);
    }
    gw_buf_fini(&r.in);
    gw_arena_free(r.arena);
    (void)close(io.fd);
    return ok;
}

void
gw_client_problem(const struct gw_client_answer *answer, struct gw_buf *out)
{
    json_t *status =
        json_loadb(answer->body.p == NULL ? "" : answer->body.p, answer->body.n, 0, NULL);
    const char *message = json_string_value(json_object_get(status, "message"));

    if (message != NULL && *message != '\0') {
        gw_buf_puts(out, message);
    } else {
        gw_buf_printf(out, "the gateway answered %u %.*s", answer->status,
                      GW_STR_ARG(gw_status_reason(answer->status)));
    }
    json_decref(status);
}

void
gw_client_escape(struct gw_buf *out, struct gw_str text)
{
    static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                     "0123456789-._~";

    for (size_t i = 0; i < text.n; i++) {
        char byte = text.p[i];

        if (byte != '\0' && strchr(unreserved, byte) != NULL) {
            gw_buf_add(out, &byte, 1);
        } else {
            gw_buf_printf(out, "%%%02X", (unsigned)(unsigned char)byte);
        }
    }
}
