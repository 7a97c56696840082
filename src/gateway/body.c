/* body.c - a whole request body in memory, for the gateway's own interface. */
#include "gateway/admin.h"
#include "gateway/conf.h"
#include "gateway/session.h"

struct collect {
    struct gw_req *req;
    gw_body_done_fn *done;
    void *arg;
    char *p;
    size_t n, size, limit;
    bool over;
};

static void
finish(struct collect *c, enum gw_err err)
{
    c->req->pending = (struct gw_pending){0};
    c->done(c->req, err, (struct gw_str){c->p, c->n}, c->arg);
}

static void
say_too_large(struct gw_req *req, size_t limit, uint64_t seen)
{
    req->detail = gw_arena_printf(req->arena, "limits.object is %zu bytes, and it has %llu", limit,
                                  (unsigned long long)seen);
}

static bool
on_bytes(void *arg, const struct iovec *iov, unsigned n, size_t bytes)
{
    struct collect *c = arg;

    if (c->n + bytes > c->limit) {
        say_too_large(c->req, c->limit, c->n + bytes);
        gw_session_body_stop(c->req->session);
        finish(c, GW_ERR_OBJECT_TOO_LARGE);
        return true;
    }
    if (c->n + bytes > c->size) {
        c->size = (c->n + bytes) * 2;
        c->p = gw_arena_more(c->req->arena, c->p, c->n, c->size);
    }
    for (unsigned i = 0; i < n; i++) {
        memcpy(c->p + c->n, iov[i].iov_base, iov[i].iov_len);
        c->n += iov[i].iov_len;
    }
    return true;
}

static void
on_end(void *arg, const struct gw_headers *trailers)
{
    (void)trailers;
    finish(arg, GW_ERR_OK);
}

static void
on_fail(void *arg, enum gw_err err)
{
    finish(arg, err);
}

static void
cancel(void *arg)
{
    struct collect *c = arg;

    gw_session_body_stop(c->req->session);
}

static void
allow_to_send(struct gw_req *req)
{
    static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";
    const struct iovec iov = {.iov_base = (void *)(uintptr_t)line, .iov_len = sizeof(line) - 1};

    if (req->head->expect_continue) {
        gw_conn_write(gw_session_conn(req->session), &iov, 1);
        gw_session_continue(req->session);
    }
}

void
gw_body_read(struct gw_req *req, gw_body_done_fn *done, void *arg)
{
    const struct gw_conf *conf = req->snapshot;
    struct collect *c = gw_arena_alloc(req->arena, sizeof(*c));

    *c = (struct collect){
        .req = req, .done = done, .arg = arg, .limit = (size_t)conf->settings.limits.object};
    if (req->head->body == GW_BODY_LENGTH && req->head->length > c->limit) {
        say_too_large(req, c->limit, req->head->length);
        gw_session_body_stop(req->session);
        done(req, GW_ERR_OBJECT_TOO_LARGE, GW_STR_NONE, arg);
        return;
    }
    if (gw_session_body_done(req->session)) {
        done(req, GW_ERR_OK, GW_STR_NONE, arg);
        return;
    }
    allow_to_send(req);
    req->pending = (struct gw_pending){.cancel = cancel, .arg = c};
    gw_session_body_start(
        req->session,
        &(struct gw_body_sink){.bytes = on_bytes, .end = on_end, .fail = on_fail, .arg = c});
}
