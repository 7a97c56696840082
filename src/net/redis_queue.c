#include "net/redis_queue.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"

struct gw_redis_pending {
    struct gw_redis_pending *next;
    gw_redis_done_fn *done;
    void *arg;
    uint64_t deadline_ms; /* mono */
    uint64_t extra_ms;    /* its own part of it */
    char *wire;           /* hiredis' memory */
    size_t n;
};

static void
append(struct gw_redis_list *list, struct gw_redis_pending *c)
{
    c->next = NULL;
    *list->last = c;
    list->last = &c->next;
}

static struct gw_redis_pending *
take(struct gw_redis_list *list)
{
    struct gw_redis_pending *c = list->first;

    if (c != NULL) {
        list->first = c->next;
        if (list->first == NULL) {
            list->last = &list->first;
        }
    }
    return c;
}

/* ... and it holds up nothing any more. */
static struct gw_redis_pending *
take_answered(struct gw_redis_queue *q, struct gw_redis_list *list)
{
    struct gw_redis_pending *c = take(list);

    if (c != NULL) {
        q->extra_ms -= c->extra_ms;
    }
    return c;
}

static void
free_command(struct gw_redis_pending *c)
{
    if (c->wire != NULL) {
        redisFreeCommand(c->wire);
    }
    free(c);
}

static void
set_deadline(struct gw_redis_queue *q, uint64_t ms)
{
    const struct timeval tv = gw_clock_timeval(ms);

    (void)event_add(q->deadline, &tv);
}

static uint64_t
earliest(const struct gw_redis_list *list, uint64_t than)
{
    for (const struct gw_redis_pending *c = list->first; c != NULL; c = c->next) {
        if (c->deadline_ms < than) {
            than = c->deadline_ms;
        }
    }
    return than;
}

static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
    struct gw_redis_queue *q = arg;
    uint64_t now = gw_clock_mono_ms();
    uint64_t next = earliest(&q->waiting, earliest(&q->sent, UINT64_MAX));

    (void)fd;
    (void)what;
    if (next <= now) {
        q->late(q->owner);
    } else if (next != UINT64_MAX) {
        set_deadline(q, next - now);
    }
}

void
gw_redis_queue_init(struct gw_redis_queue *q, struct event_base *base, void (*late)(void *owner),
                    void *owner)
{
    *q = (struct gw_redis_queue){.late = late, .owner = owner};
    q->sent.last = &q->sent.first;
    q->waiting.last = &q->waiting.first;
    q->deadline = event_new(base, -1, 0, on_deadline, q);
    assert(q->deadline != NULL);
}

void
gw_redis_queue_fini(struct gw_redis_queue *q)
{
    assert(q->sent.first == NULL && q->waiting.first == NULL);
    event_free(q->deadline);
}

void
gw_redis_queue_add(struct gw_redis_queue *q, const struct gw_redis_command *cmd,
                   uint64_t timeout_ms, gw_redis_done_fn *done, void *arg)
{
    struct gw_redis_pending *c = gw_mem_alloc(sizeof(*c));
    uint64_t now = gw_clock_mono_ms();
    bool first = q->sent.first == NULL && q->waiting.first == NULL;

    c->done = done;
    c->arg = arg;
    c->extra_ms = (uint64_t)cmd->extra_ms;
    q->extra_ms += c->extra_ms;
    c->deadline_ms = now + timeout_ms + q->extra_ms; /* what blocks holds up all behind it */
    int n = (int)redisFormatCommandArgv(&c->wire, cmd->argc, cmd->argv, cmd->argvlen);
    assert(n > 0); /* fails only without memory */
    c->n = (size_t)n;
    append(&q->waiting, c);
    /* a shorter deadline behind a longer one is found when its turn comes at the latest */
    struct timeval tv;
    if (first || event_pending(q->deadline, EV_TIMEOUT, &tv) == 0) {
        set_deadline(q, c->deadline_ms - now);
    }
}

void
gw_redis_queue_send(struct gw_redis_queue *q, struct gw_redis_link *link)
{
    struct gw_redis_pending *c;

    while ((c = take(&q->waiting)) != NULL) {
        gw_redis_link_write(link, c->wire, c->n);
        redisFreeCommand(c->wire);
        c->wire = NULL;
        append(&q->sent, c);
    }
}

bool
gw_redis_queue_is_asked(const struct gw_redis_queue *q)
{
    return q->sent.first != NULL;
}

void
gw_redis_queue_reply(struct gw_redis_queue *q, const redisReply *reply)
{
    struct gw_redis_pending *c = take_answered(q, &q->sent);

    assert(c != NULL);
    c->done(c->arg, reply, NULL);
    free_command(c);
}

void
gw_redis_queue_refuse(struct gw_redis_queue *q, const char *text)
{
    struct gw_redis_pending *c = take_answered(q, &q->sent);

    assert(c != NULL);
    q->was_sent = false;
    c->done(c->arg, NULL, text);
    free_command(c);
}

static void
fail_list(struct gw_redis_queue *q, struct gw_redis_list *list, bool was_sent, const char *text)
{
    struct gw_redis_pending *c;

    while ((c = take_answered(q, list)) != NULL) {
        q->was_sent = was_sent;
        c->done(c->arg, NULL, text);
        free_command(c);
    }
}

void
gw_redis_queue_fail(struct gw_redis_queue *q, const char *text)
{
    fail_list(q, &q->sent, true, text);
    fail_list(q, &q->waiting, false, text);
}
