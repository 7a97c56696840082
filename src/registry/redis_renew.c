#include "registry/redis_renew.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "base/mem.h"
#include "registry/redis_script.h"
#include "registry/redis_write.h"

#define MOST 500 /* in one call: Redis serves nobody else meanwhile */

struct renewal {
    char *key;
    uint64_t revision;
    long long lease_ms;
    gw_store_done_fn *done;
    void *arg;
};

struct batch {
    struct gw_redis *writer;
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
answer(const struct renewal *r, const struct gw_store_answer *a)
{
    r->done(r->arg, a);
    free(r->key);
}

static void
refuse_all(struct batch *b, const char *text, bool unsure)
{
    struct gw_store_answer a = {.result = GW_STORE_UNAVAILABLE, .text = text, .unsure = unsure};

    for (size_t i = 0; i < b->n; i++) {
        answer(&b->list[i], &a);
    }
    free(b);
}

/* {epoch, {RESULT, revision, lease end, ...}} */
static bool
is_list(const redisReply *reply, size_t n)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        reply->element[0]->type != REDIS_REPLY_STRING ||
        reply->element[1]->type != REDIS_REPLY_ARRAY || reply->element[1]->elements != 3 * n) {
        return false;
    }
    for (size_t i = 0; i < 3 * n; i++) {
        if (reply->element[1]->element[i]->type !=
            (i % 3 == 0 ? REDIS_REPLY_STRING : REDIS_REPLY_INTEGER)) {
            return false;
        }
    }
    return true;
}

static void
on_renewed(void *arg, const redisReply *reply, const char *error)
{
    struct batch *b = arg;

    if (reply == NULL) {
        refuse_all(b, error, gw_redis_was_sent(b->writer));
        return;
    }
    if (!is_list(reply, b->n)) {
        bool refused = reply->type == REDIS_REPLY_ERROR;

        refuse_all(b, refused ? reply->str : "Redis answered something unexpected", !refused);
        return;
    }
    for (size_t i = 0; i < b->n; i++) {
        redisReply *const *of = reply->element[1]->element + 3 * i;
        struct gw_store_mark mark = {.revision = (uint64_t)of[1]->integer};
        struct gw_store_answer a = {.result = GW_STORE_UNAVAILABLE,
                                    .revision = (uint64_t)of[1]->integer,
                                    .text = "Redis answered something unexpected",
                                    .unsure = true,
                                    .mark = &mark};

        (void)snprintf(mark.epoch, sizeof(mark.epoch), "%s", reply->element[0]->str);
        if (gw_redis_write_result(of[0]->str, &a.result, &a.text)) {
            a.unsure = false;
            a.lease_until_ms = (uint64_t)of[2]->integer;
        }
        answer(&b->list[i], &a);
    }
    free(b);
}

/* [["field", "lease", "revision"], ...] */
static char *
list_of(const struct batch *b)
{
    json_t *list = json_array();
    char text[24];

    for (size_t i = 0; i < b->n; i++) {
        const struct renewal *r = &b->list[i];
        json_t *one = json_array();

        (void)json_array_append_new(one, json_string(r->key));
        (void)snprintf(text, sizeof(text), "%lld", r->lease_ms);
        (void)json_array_append_new(one, json_string(text));
        if (r->revision != 0) {
            (void)snprintf(text, sizeof(text), "%" PRIu64, r->revision);
            (void)json_array_append_new(one, json_string(text));
        }
        (void)json_array_append_new(list, one);
    }
    char *words = json_dumps(list, JSON_COMPACT);
    assert(words != NULL); /* keys are UTF-8 */
    json_decref(list);
    return words;
}

void
gw_redis_renewals_flush(struct gw_redis_renewals *s)
{
    struct batch *b = s->next;

    if (b == NULL) {
        return;
    }
    s->next = NULL;
    char *list = list_of(b);
    const char *const argv[] = {"renew_all", list, NULL};
    gw_script_call(s->writer, s->prefix, argv, on_renewed, b);
    free(list);
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    gw_redis_renewals_flush(arg);
}

void
gw_redis_renew(struct gw_redis_renewals *s, const char *key, uint64_t revision, long long lease_ms,
               gw_store_done_fn *done, void *arg)
{
    if (s->next == NULL) {
        s->next = gw_mem_alloc(sizeof(*s->next));
        s->next->writer = s->writer;
        event_active(s->turn, EV_TIMEOUT, 0);
    }
    s->next->list[s->next->n++] = (struct renewal){.key = gw_mem_strdup(key),
                                                   .revision = revision,
                                                   .lease_ms = lease_ms,
                                                   .done = done,
                                                   .arg = arg};
    if (s->next->n == MOST) {
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
