/* admin_reply.c - answers of the admin interface: JSON values and Kubernetes Status objects. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "gateway/reply.h"
#include "server/admin_call.h"

static int
add_bytes(const char *bytes, size_t n, void *out)
{
    gw_buf_add(out, bytes, n);
    return 0;
}

enum gw_verdict
gw_admin_json(struct gw_req *req, unsigned status, json_t *value)
{
    struct gw_buf out = {0};
    int failed = json_dump_callback(value, add_bytes, &out, JSON_COMPACT | JSON_ENCODE_ANY);

    json_decref(value);
    gw_buf_puts(&out, "\n"); /* for people with curl */
    gw_arena_defer(req->arena, free, out.p);
    if (failed != 0) {
        return gw_req_fail(req, GW_ERR_INTERNAL, "the answer can't be written as JSON");
    }
    return gw_req_reply(req, status, GW_STR("application/json"), gw_buf_text(&out));
}

const char *
gw_admin_resource(const struct gw_admin_call *call)
{
    if (call->kind == NULL) {
        return "objects";
    }
    return gw_arena_printf(call->req->arena, "%s%s%s", call->kind->plural,
                           call->kind->group[0] == '\0' ? "" : ".", call->kind->group);
}

static enum gw_verdict
answer_status(struct gw_admin_call *call, enum gw_err err, struct gw_buf *out)
{
    int status = gw_err_status(err);

    call->req->err = err;
    gw_arena_defer(call->req->arena, free, out->p);
    if (status == 429 || status == 503) { /* as gw_reply_error() does */
        gw_edits_set(call->req, &call->req->down, GW_STR("Retry-After"), GW_STR("1"));
    }
    return gw_req_reply(call->req, (unsigned)status, GW_STR("application/json"), gw_buf_text(out));
}

static void
status_of(struct gw_buf *out, const struct gw_admin_call *call, enum gw_err err,
          struct gw_str message)
{
    const struct gw_kind *k = call->kind;
    struct gw_status_details about = {
        .group = k == NULL ? GW_STR_NONE : gw_str_of(k->group),
        .kind = k == NULL ? GW_STR_NONE : gw_str_of(k->plural),
        .name = call->name,
    };

    gw_status_json(out, gw_err_status(err), gw_str_of(gw_err_reason(err)), message, &about);
}

void
gw_admin_too_new_json(struct gw_buf *out, uint64_t wanted, uint64_t now)
{
    static const struct gw_status_details about = {
        .cause_reason = {"ResourceVersionTooLarge", sizeof("ResourceVersionTooLarge") - 1},
        .cause = {"Too large resource version", sizeof("Too large resource version") - 1},
        .retry_after_s = 1,
    };
    struct gw_buf message = {0};

    gw_buf_printf(&message,
                  "Timeout: %s: %llu, current: %llu; this gateway has waited for it: it is of "
                  "another registry, or this one is behind (/-/readyz); else list without one",
                  gw_err_text(GW_ERR_TOO_NEW), (unsigned long long)wanted, (unsigned long long)now);
    gw_status_json(out, gw_err_status(GW_ERR_TOO_NEW), gw_str_of(gw_err_reason(GW_ERR_TOO_NEW)),
                   gw_buf_text(&message), &about);
    gw_buf_fini(&message);
}

enum gw_verdict
gw_admin_refuse_too_new(struct gw_admin_call *call, uint64_t wanted, uint64_t now)
{
    struct gw_buf out = {0};

    gw_admin_too_new_json(&out, wanted, now);
    return answer_status(call, GW_ERR_TOO_NEW, &out);
}

enum gw_verdict
gw_admin_refuse(struct gw_admin_call *call, enum gw_err err, const char *fmt, ...)
{
    struct gw_buf out = {0};
    char *message = NULL;
    va_list ap;

    va_start(ap, fmt);
    int n = vasprintf(&message, fmt, ap);
    va_end(ap);
    status_of(&out, call, err, n < 0 ? gw_str_of(gw_err_text(err)) : gw_str_of(message));
    call->req->detail = n < 0 ? NULL : gw_arena_strndup(call->req->arena, message, (size_t)n);
    if (n >= 0) {
        free(message);
    }
    return answer_status(call, err, &out);
}

/* "spec.endpoints[0].url: is no URL": what stands before ": " when it looks like a path. */
static struct gw_str
field_of(struct gw_str text)
{
    size_t at = gw_str_find(text, ':');

    if (at == text.n || at + 1 >= text.n || text.p[at + 1] != ' ' ||
        gw_str_find((struct gw_str){text.p, at}, ' ') != at) {
        return GW_STR_NONE;
    }
    return (struct gw_str){text.p, at};
}

static json_t *
cause_of(const struct gw_finding *f, const char *reason)
{
    struct gw_str text = gw_str_of(f->text);
    struct gw_str field = field_of(text);
    json_t *cause = json_pack("{s:s, s:s}", "reason", reason, "message", f->text);

    if (field.n > 0) {
        (void)json_object_set_new(cause, "message", json_string(f->text + field.n + 2));
        (void)json_object_set_new(cause, "field", json_stringn(field.p, field.n));
    }
    return cause;
}

/* Puts the causes into the Status text's details. */
static void
add_causes(struct gw_buf *status, const struct gw_diag *diag, const char *reason)
{
    json_t *json = json_loadb(status->p, status->n, 0, NULL);
    json_t *details = json_object_get(json, "details");
    json_t *causes = json_array();
    char *text;

    for (size_t i = 0; i < diag->n; i++) {
        if (diag->findings[i].severity == GW_ERROR) {
            (void)json_array_append_new(causes, cause_of(&diag->findings[i], reason));
        }
    }
    if (details == NULL) {
        details = json_object();
        (void)json_object_set_new(json, "details", details);
    }
    (void)json_object_set_new(details, "causes", causes);
    text = json_dumps(json, JSON_COMPACT);
    if (text != NULL) {
        gw_buf_reset(status);
        gw_buf_puts(status, text);
        gw_buf_puts(status, "\n");
        free(text);
    }
    json_decref(json);
}

enum gw_verdict
gw_admin_refuse_causes(struct gw_admin_call *call, enum gw_err err, const char *message,
                       const char *reason, struct gw_diag *diag)
{
    struct gw_buf text = {0};
    struct gw_buf out = {0};

    gw_buf_puts(&text, message);
    for (size_t i = 0, n = 0; i < diag->n; i++) {
        const struct gw_finding *f = &diag->findings[i];

        if (f->severity == GW_ERROR) {
            gw_buf_puts(&text, n++ == 0 ? " " : "; ");
            if (f->place.line > 0) {
                gw_buf_printf(&text, "line %d: ", f->place.line);
            }
            gw_buf_puts(&text, f->text);
        }
    }
    status_of(&out, call, err, gw_buf_text(&text));
    add_causes(&out, diag, reason);
    call->req->detail = gw_arena_strndup(call->req->arena, text.p, text.n);
    gw_buf_fini(&text);
    gw_diag_fini(diag);
    return answer_status(call, err, &out);
}

enum gw_verdict
gw_admin_invalid(struct gw_admin_call *call, struct gw_diag *diag)
{
    const char *message = gw_arena_printf(call->req->arena, "%s \"%.*s\" is invalid:",
                                          call->kind == NULL ? "the object" : call->kind->kind,
                                          GW_STR_ARG(call->name));

    return gw_admin_refuse_causes(call, GW_ERR_BAD_OBJECT, message, "FieldValueInvalid", diag);
}
