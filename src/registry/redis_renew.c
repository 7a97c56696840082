#include "registry/redis_renew.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "registry/redis_script.h"
#include "registry/redis_write.h"

#define MOST       500 /* in one call: Redis serves nobody else meanwhile */
#define UNEXPECTED "Redis answered something unexpected"

struct renewal {
    uint64_t revision; /* 0: any */
    long long lease_ms;
    gw_store_done_fn *done;
    void *arg;
};

struct batch {
    struct gw_redis *writer;
    struct gw_buf words; /* ["field","lease","revision",...] */
    size_t n;
    struct renewal list[MOST];
};

struct gw_redis_renewals {
    struct gw_redis *writer;
    const char *prefix;
    struct event *turn;
    struct batch *next; /* NULL: none */
};

static void
free_batch(struct batch *b)
{
    gw_buf_fini(&b->words);
    free(b);
}

static void
refuse_all(struct batch *b, const char *text, bool unsure)
{
    struct gw_store_answer a = {.result = GW_STORE_UNAVAILABLE, .text = text, .unsure = unsure};

    for (size_t i = 0; i < b->n; i++) {
        b->list[i].done(b->list[i].arg, &a);
    }
    free_batch(b);
}

/* {which, RESULT, revision, ...}: each of the batch at most once, and in its order. */
static bool
are_told(const redisReply *told, size_t n)
{
    long long last = 0;

    if (told->type != REDIS_REPLY_ARRAY || told->elements % 3 != 0) {
        return false;
    }
    for (size_t i = 0; i < told->elements; i += 3) {
        redisReply *const *of = told->element + i;

        if (of[0]->type != REDIS_REPLY_INTEGER || of[1]->type != REDIS_REPLY_STRING ||
            of[2]->type != REDIS_REPLY_INTEGER || of[0]->integer <= last ||
            of[0]->integer > (long long)n) {
            return false;
        }
        last = of[0]->integer;
    }
    return true;
}

/* {epoch, now, {which, RESULT, revision, ...}} */
static bool
is_answer(const redisReply *reply, size_t n)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements == 3 &&
           reply->element[0]->type == REDIS_REPLY_STRING &&
           reply->element[1]->type == REDIS_REPLY_INTEGER && are_told(reply->element[2], n);
}

/* Into `a`, which says ok, what is said of it in particular. */
static void
read_told(redisReply *const *of, struct gw_store_answer *a)
{
    a->revision = (uint64_t)of[2]->integer;
    if (!gw_redis_write_result(of[1]->str, &a->result, &a->text)) {
        a->result = GW_STORE_UNAVAILABLE;
        a->text = UNEXPECTED;
        a->unsure = true;
    }
    if (a->result != GW_STORE_OK) {
        a->lease_until_ms = 0;
    }
}

static void
answer_all(const struct batch *b, const redisReply *reply)
{
    const redisReply *told = reply->element[2];
    struct gw_store_mark mark = {0};
    size_t next = 0; /* of those that are told of */

    (void)snprintf(mark.epoch, sizeof(mark.epoch), "%s", reply->element[0]->str);
    for (size_t i = 0; i < b->n; i++) {
        const struct renewal *r = &b->list[i];
        struct gw_store_answer a = {.result = GW_STORE_OK, .revision = r->revision, .mark = &mark};

        if (r->lease_ms > 0) {
            a.lease_until_ms = (uint64_t)(reply->element[1]->integer + r->lease_ms);
        }
        if (next < told->elements && told->element[next]->integer == (long long)i + 1) {
            read_told(told->element + next, &a);
            next += 3;
        }
        mark.revision = a.revision;
        r->done(r->arg, &a);
    }
}

static void
on_renewed(void *arg, const redisReply *reply, const char *error)
{
    struct batch *b = arg;

    if (reply == NULL) {
        refuse_all(b, error, gw_redis_was_sent(b->writer));
    } else if (!is_answer(reply, b->n)) {
        bool refused = reply->type == REDIS_REPLY_ERROR;

        refuse_all(b, refused ? reply->str : UNEXPECTED, !refused);
    } else {
        answer_all(b, reply);
        free_batch(b);
    }
}

void
gw_redis_renewals_flush(struct gw_redis_renewals *s)
{
    struct batch *b = s->next;

    if (b == NULL) {
        return;
    }
    s->next = NULL;
    gw_buf_puts(&b->words, "]");
    const char *const argv[] = {"renew_all", b->words.p, NULL};
    gw_script_call(s->writer, s->prefix, argv, on_renewed, b);
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    gw_redis_renewals_flush(arg);
}

static void
add_words(struct gw_buf *words, const char *key, uint64_t revision, long long lease_ms)
{
    gw_buf_puts(words, words->n == 0 ? "[" : ",");
    gw_buf_json(words, gw_str_of(key));
    gw_buf_printf(words, ",\"%lld\",\"", lease_ms);
    if (revision != 0) {
        gw_buf_printf(words, "%" PRIu64, revision);
    }
    gw_buf_puts(words, "\"");
}

void
gw_redis_renew(struct gw_redis_renewals *s, const char *key, uint64_t revision, long long lease_ms,
               gw_store_done_fn *done, void *arg)
{
    struct batch *b = s->next;

    if (b == NULL) {
        b = s->next = gw_mem_alloc(sizeof(*b));
        b->writer = s->writer;
        event_active(s->turn, EV_TIMEOUT, 0);
    }
    add_words(&b->words, key, revision, lease_ms);
    b->list[b->n++] =
        (struct renewal){.revision = revision, .lease_ms = lease_ms, .done = done, .arg = arg};
    if (b->n == MOST) {
        gw_redis_renewals_flush(s);
    }
}

struct gw_redis_renewals *
gw_redis_renewals_new(struct gw_redis *writer, const char *prefix, struct event_base *base)
{
    struct gw_redis_renewals *s = gw_mem_alloc(sizeof(*s));

    s->writer = writer;
    s->prefix = prefix;
    s->turn = event_new(base, -1, 0, on_turn, s);
    assert(s->turn != NULL);
    return s;
}

void
gw_redis_renewals_free(struct gw_redis_renewals *s)
{
    event_free(s->turn);
    free(s);
}
