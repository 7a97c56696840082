#include "gateway/reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "gateway/session.h"
#include "http/write.h"

static void
add_member(struct gw_buf *out, const char *name, struct gw_str value)
{
    gw_buf_printf(out, "\"%s\":", name);
    gw_buf_json(out, value);
}

static void
add_details(struct gw_buf *out, const struct gw_status_details *d)
{
    const char *comma = "";

    if (d->name.n + d->kind.n + d->group.n + d->cause.n + d->retry_after_s == 0) {
        return;
    }
    gw_buf_puts(out, ",\"details\":{");
    if (d->name.n + d->kind.n + d->group.n > 0) {
        add_member(out, "name", d->name);
        gw_buf_puts(out, ",");
        add_member(out, "group", d->group);
        gw_buf_puts(out, ",");
        add_member(out, "kind", d->kind);
        comma = ",";
    }
    if (d->cause.n > 0) {
        gw_buf_printf(out, "%s\"causes\":[{", comma);
        add_member(out, "reason", d->cause_reason);
        gw_buf_puts(out, ",");
        add_member(out, "message", d->cause);
        gw_buf_puts(out, "}]");
        comma = ",";
    }
    if (d->retry_after_s > 0) {
        gw_buf_printf(out, "%s\"retryAfterSeconds\":%u", comma, d->retry_after_s);
    }
    gw_buf_puts(out, "}");
}

void
gw_status_json(struct gw_buf *out, int code, struct gw_str reason, struct gw_str message,
               const struct gw_status_details *details)
{
    gw_buf_puts(out, "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},"
                     "\"status\":\"Failure\",");
    add_member(out, "message", message);
    gw_buf_puts(out, ",");
    add_member(out, "reason", reason);
    add_details(out, details);
    gw_buf_printf(out, ",\"code\":%d}\n", code);
}

/* The table's sentence, and what this request adds to it.  For 403 Kubernetes' own wording
 * stands alone: the console and kubectl show it as it is. */
static struct gw_str
message_of(const struct gw_req *req)
{
    const char *text = gw_err_text(req->err);

    if (req->detail == NULL || req->detail[0] == '\0') {
        return gw_str_of(text);
    }
    if (req->err == GW_ERR_FORBIDDEN) {
        return gw_str_of(req->detail);
    }
    return gw_str_of(gw_arena_printf(req->arena, "%s: %s", text, req->detail));
}

/* A challenge for Basic would make browsers ask people for passwords, and keep them. */
static bool
says_nothing_of_tokens(enum gw_err err)
{
    return err == GW_ERR_NO_TOKEN || err == GW_ERR_BASIC_MALFORMED ||
           err == GW_ERR_PASSWORD_WRONG || err == GW_ERR_USER_DISABLED;
}

void
gw_reply_error(struct gw_req *req)
{
    struct gw_buf body = {0};
    int status = gw_err_status(req->err);
    struct gw_status_details details = {0};

    if (req->err == GW_ERR_FORBIDDEN) {
        details.cause_reason = GW_STR("NearestMiss");
        details.cause = req->cause;
        if (req->info.is_resource) {
            details.group = req->info.api_group;
            details.kind = req->info.resource;
            details.name = req->info.name;
        }
    }
    gw_status_json(&body, status, gw_str_of(gw_err_reason(req->err)), message_of(req), &details);
    req->reply = (struct gw_own_reply){.status = (unsigned)status,
                                       .content_type = GW_STR("application/json"),
                                       .body = gw_arena_str(req->arena, gw_buf_text(&body))};
    gw_buf_fini(&body);
    if (status == 401) {
        gw_edits_set(req, &req->down, GW_STR("WWW-Authenticate"),
                     says_nothing_of_tokens(req->err)
                         ? GW_STR("Bearer realm=\"ksgate\"")
                         : GW_STR("Bearer realm=\"ksgate\", error=\"invalid_token\""));
    }
    if (status == 429 || status == 503) {
        gw_edits_set(req, &req->down, GW_STR("Retry-After"),
                     req->retry_after_s == 0
                         ? GW_STR("1")
                         : gw_str_of(gw_arena_printf(req->arena, "%u", req->retry_after_s)));
    }
}

static void
add_date(struct gw_out *out, uint64_t wall_ms)
{
    static _Thread_local time_t last;
    static _Thread_local char text[40];
    time_t now = (time_t)(wall_ms / 1000);

    if (now != last) { /* once a second, not once a request */
        struct tm tm;

        gmtime_r(&now, &tm);
        (void)strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm);
        last = now;
    }
    gw_out_header(out, GW_STR("Date"), gw_str_of(text));
}

void
gw_reply_head(struct gw_req *req)
{
    struct gw_head *head = gw_arena_alloc(req->arena, sizeof(*head));
    struct gw_out out;

    gw_out_init(&out, req->arena, 512);
    gw_out_status_line(&out, req->reply.status, GW_STR_NONE);
    add_date(&out, req->decision.wall_ms);
    if (req->reply.content_type.n > 0) {
        gw_out_header(&out, GW_STR("Content-Type"), req->reply.content_type);
        gw_out_header(&out, GW_STR("X-Content-Type-Options"), GW_STR("nosniff"));
        if (!gw_edits_removes(&req->down, GW_STR("Cache-Control"))) {
            gw_out_header(&out, GW_STR("Cache-Control"), GW_STR("no-store"));
        }
    }
    gw_out_header(&out, GW_STR("X-Request-Id"), req->request_id);
    for (unsigned i = 0; i < req->down.n_add; i++) {
        gw_out_header(&out, req->down.add[i].name, req->down.add[i].value);
    }
    if (req->reply.stream != NULL) {
        gw_out_str(&out,
                   req->head->minor > 0 ? GW_STR("Transfer-Encoding: chunked\r\n") : GW_STR(""));
    } else if (req->reply.status != 204 && req->reply.status != 304) {
        gw_out_str(&out, GW_STR("Content-Length: "));
        gw_out_u64(&out, req->reply.body.n);
        gw_out_str(&out, GW_STR("\r\n"));
    }
    if (!gw_session_keep_alive(req->session)) {
        gw_out_str(&out, GW_STR("Connection: close\r\n"));
    } else if (req->head->minor == 0) {
        gw_out_str(&out, GW_STR("Connection: keep-alive\r\n"));
    }
    gw_out_str(&out, GW_STR("\r\n"));
    head->raw = (struct gw_str){out.p, out.n};
    head->status = (unsigned short)req->reply.status;
    req->response = head;
}
