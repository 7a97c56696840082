#include "gateway/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Of an answer no more is read: its head, and what may come before it. */
#define HEAD_BYTES   ((size_t)16 * 1024)
#define ANSWER_BYTES (2 * HEAD_BYTES)
#define READ_BYTES   ((size_t)4096)
/* Until the backend's own deadline, which has other words, could come first. */
#define AFTER_MS 1000

struct gw_probe {
    const struct gw_health_check *check;
    struct gw_backend *backend; /* NULL: it could not be connected to */
    gw_probe_fn *done;
    void *owner;
    struct gw_arena *arena; /* of all that the answer says, and of this */
    struct gw_timer deadline;
    struct gw_buf in;
    size_t at; /* in it: behind interim answers */
    bool asked;
    struct gw_parser parser;
};

static const struct gw_parse_limits limits = {
    .head_bytes = HEAD_BYTES, .target_bytes = HEAD_BYTES, .headers = 256};

static void
let_go(struct gw_probe *p)
{
    gw_wheel_cancel(&p->deadline);
    if (p->backend != NULL) {
        gw_backend_drop(p->backend);
    }
    gw_buf_fini(&p->in);
    gw_arena_free(p->arena);
}

void
gw_probe_cancel(struct gw_probe *p)
{
    let_go(p);
}

static void
finish(struct gw_probe *p, enum gw_probe_result result, const char *why)
{
    p->done(p->owner, result, why);
    let_go(p);
}

/* The same, with what was asked before it. */
static void
tell(struct gw_probe *p, enum gw_probe_result result, const char *what)
{
    finish(p, result, gw_arena_printf(p->arena, "GET %s: %s", p->check->path, what));
}

static void
judge(struct gw_probe *p)
{
    unsigned status = p->parser.head.status;
    bool good = status >= p->check->status.least && status <= p->check->status.most;
    char text[8];

    (void)snprintf(text, sizeof(text), "%u", status);
    tell(p, good ? GW_PROBE_GOOD : GW_PROBE_BAD, text);
}

static void
start_answer(struct gw_probe *p)
{
    gw_parser_start(&p->parser, GW_PARSE_RESPONSE, &limits);
    gw_parser_expect(&p->parser, GW_STR("GET"));
}

/* Looks at what has come; false when that was enough. */
static bool
take_in(struct gw_probe *p)
{
    enum gw_parse result = GW_PARSE_MORE;
    size_t used = 0;

    while (p->at < p->in.n) {
        result = gw_parser_head(&p->parser, p->arena, p->in.p + p->at, p->in.n - p->at, &used);
        if (result != GW_PARSE_DONE || p->parser.head.status >= 200 ||
            p->parser.head.status == 101) {
            break;
        }
        p->at += used;
        start_answer(p);
        result = GW_PARSE_MORE;
    }
    if (result == GW_PARSE_MORE && p->in.n < ANSWER_BYTES) {
        return true;
    }
    if (result == GW_PARSE_MORE) {
        tell(p, GW_PROBE_BAD, "the head of its answer has no end");
    } else if (result == GW_PARSE_ERROR) {
        tell(p, GW_PROBE_BAD,
             p->parser.detail[0] == '\0' ? "its answer is not HTTP" : p->parser.detail);
    } else {
        judge(p);
    }
    return false;
}

static void
on_readable(void *owner)
{
    struct gw_probe *p = owner;
    struct gw_conn *c = &p->backend->conn;
    bool more = true;

    while (more) {
        long got = gw_conn_read(c, c->loop->scratch, READ_BYTES);

        if (got == GW_CONN_WAIT) {
            return;
        }
        if (got <= 0) {
            tell(p, GW_PROBE_BAD, got == GW_CONN_END ? "closed without an answer" : "reset");
            return;
        }
        gw_buf_add(&p->in, c->loop->scratch, (size_t)got);
        more = take_in(p);
    }
}

static void
ask(struct gw_probe *p)
{
    const struct gw_endpoint *e = p->backend->endpoint;
    struct gw_str host = p->check->host == NULL ? e->url.authority : gw_str_of(p->check->host);
    const char *text = gw_arena_printf(p->arena,
                                       "GET %s HTTP/1.1\r\n"
                                       "Host: %.*s\r\n"
                                       "User-Agent: ksgate-health-check\r\n"
                                       "Accept: */*\r\n"
                                       "Connection: close\r\n\r\n",
                                       p->check->path, GW_STR_ARG(host));
    const struct iovec iov = {(void *)(uintptr_t)text, strlen(text)};

    p->asked = true;
    start_answer(p);
    gw_conn_write(&p->backend->conn, &iov, 1);
}

static void
on_ready(void *owner)
{
    struct gw_probe *p = owner;

    if (p->check->type == GW_HEALTH_TCP) {
        finish(p, GW_PROBE_GOOD, "connected");
    } else {
        ask(p);
    }
}

static void
on_failed(void *owner, const char *why, bool ours)
{
    struct gw_probe *p = owner;

    p->backend = NULL;
    finish(p, ours ? GW_PROBE_VOID : GW_PROBE_BAD, why);
}

static void
on_drained(void *owner)
{
    (void)owner;
}

static const struct gw_backend_events events = {
    .ready = on_ready, .failed = on_failed, .readable = on_readable, .drained = on_drained};

static void
on_deadline(struct gw_timer *t)
{
    struct gw_probe *p = (struct gw_probe *)((char *)t - offsetof(struct gw_probe, deadline));
    const char *what = p->asked ? "answer" : "connection";
    const char *text =
        gw_arena_printf(p->arena, "no %s within %lld ms", what, p->check->timeout_ms);

    if (p->asked) {
        tell(p, GW_PROBE_LATE, text);
    } else {
        finish(p, GW_PROBE_LATE, text);
    }
}

struct gw_probe *
gw_probe_start(struct gw_endpoint *e, const struct gw_health_check *check, gw_probe_fn *done,
               void *owner)
{
    struct gw_arena *arena = gw_arena_new();
    struct gw_probe *p = gw_arena_alloc(arena, sizeof(*p));

    p->check = check;
    p->done = done;
    p->owner = owner;
    p->arena = arena;
    p->deadline.fire = on_deadline;
    gw_wheel_set(gw_world_wheel(e->world), &p->deadline,
                 gw_world_now_ms(e->world) + (uint64_t)check->timeout_ms);
    p->backend = gw_backend_take(e, &events, p, check->timeout_ms + AFTER_MS, true);
    return p;
}
