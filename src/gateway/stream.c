#include "gateway/stream.h"

#include <assert.h>

#include "gateway/reply.h"
#include "gateway/session.h"
#include "gateway/worlds.h"
#include "http/write.h"

static void
on_later(struct gw_later *later)
{
    struct gw_stream *s = (struct gw_stream *)((char *)later - offsetof(struct gw_stream, later));

    if (gw_session_drains(s->req->session)) { /* it began when the others had been told */
        s->events->drain(s->arg);
    } else {
        s->events->go(s->arg);
    }
}

enum gw_verdict
gw_stream_reply(struct gw_req *req, struct gw_str content_type,
                const struct gw_stream_events *events, void *arg, struct gw_stream **out)
{
    struct gw_stream *s = gw_arena_alloc(req->arena, sizeof(*s));

    s->req = req;
    s->events = events;
    s->arg = arg;
    s->later.run = on_later;
    *out = s;
    (void)gw_req_reply(req, 200, content_type, GW_STR_NONE);
    req->reply.stream = s;
    return GW_REPLY;
}

bool
gw_stream_has_room(const struct gw_stream *s)
{
    return s->open && gw_session_conn(s->req->session)->out_bytes == 0;
}

static void
write_out(struct gw_stream *s, const struct iovec *iov, int n)
{
    struct gw_conn *c = gw_session_conn(s->req->session);

    gw_conn_write(c, iov, n);
    if (c->out_bytes > 0) {
        gw_session_touch(s->req->session);
    }
}

void
gw_stream_write(struct gw_stream *s, struct gw_str bytes)
{
    char line[20];
    struct iovec iov[3];
    int n = 0;

    assert(s->open);
    if (bytes.n == 0) { /* as a chunk it would be the last */
        return;
    }
    if (s->chunked) {
        iov[n++] = (struct iovec){line, gw_chunk_line(line, bytes.n)};
    }
    iov[n++] = (struct iovec){(void *)(uintptr_t)bytes.p, bytes.n};
    if (s->chunked) {
        iov[n++] = (struct iovec){(void *)(uintptr_t) "\r\n", 2};
    }
    s->req->decision.bytes_out += bytes.n;
    write_out(s, iov, n);
}

void
gw_stream_later(struct gw_stream *s)
{
    gw_loop_later(gw_world_loop(s->req->world), &s->later);
}

static void
note_end(struct gw_stream *s, const char *end)
{
    struct gw_decision *d = &s->req->decision;

    s->open = false;
    gw_loop_later_cancel(&s->later);
    gw_session_stream(s->req->session, NULL);
    d->end_us = gw_world_loop(s->req->world)->now_us - d->start_us;
    if (d->end == NULL) {
        d->end = end;
    }
}

void
gw_stream_end(struct gw_stream *s, const char *end, enum gw_err err)
{
    static const char last[] = "0\r\n\r\n";

    assert(s->open);
    if (s->chunked) {
        write_out(s, &(struct iovec){(void *)(uintptr_t)last, sizeof(last) - 1}, 1);
    }
    s->req->err = err;
    note_end(s, end);
    gw_req_resume(s->req, GW_NEXT);
}

/* The client leaves: whoever sees that has said so. */
static void
cancel(void *arg)
{
    note_end(arg, "client_gone");
}

enum gw_verdict
gw_stream_send(struct gw_req *req)
{
    struct gw_stream *s = req->reply.stream;

    s->chunked = req->head->minor > 0;
    if (!s->chunked) {
        gw_session_no_keep_alive(req->session);
    }
    gw_reply_head(req);
    req->decision.status = req->reply.status;
    gw_conn_write(gw_session_conn(req->session),
                  &(struct iovec){(void *)(uintptr_t)req->response->raw.p, req->response->raw.n},
                  1);
    s->open = true;
    if (req->head->head_request) {
        note_end(s, "replied");
        return GW_NEXT;
    }
    gw_session_stream(req->session, s);
    req->pending = (struct gw_pending){.cancel = cancel, .arg = s};
    gw_stream_later(s); /* nobody resumes a request from within its step */
    return GW_WAIT;
}
