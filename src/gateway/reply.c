#include "gateway/reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "gateway/session.h"
#include "http/write.h"

void
gw_status_json(struct gw_buf *out, int code, struct gw_str reason, struct gw_str message,
               struct gw_str group, struct gw_str kind, struct gw_str name)
{
    gw_buf_puts(out, "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},"
                     "\"status\":\"Failure\",\"message\":");
    gw_buf_json(out, message);
    gw_buf_puts(out, ",\"reason\":");
    gw_buf_json(out, reason);
    if (name.n > 0 || kind.n > 0 || group.n > 0) {
        gw_buf_puts(out, ",\"details\":{\"name\":");
        gw_buf_json(out, name);
        gw_buf_puts(out, ",\"group\":");
        gw_buf_json(out, group);
        gw_buf_puts(out, ",\"kind\":");
        gw_buf_json(out, kind);
        gw_buf_puts(out, "}");
    }
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
    bool about = req->err == GW_ERR_FORBIDDEN && req->info.is_resource;

    gw_status_json(&body, status, gw_str_of(gw_err_reason(req->err)), message_of(req),
                   about ? req->info.api_group : GW_STR_NONE,
                   about ? req->info.resource : GW_STR_NONE, about ? req->info.name : GW_STR_NONE);
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
    if (req->reply.status != 204 && req->reply.status != 304) {
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
