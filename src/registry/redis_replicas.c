#include "registry/redis_replicas.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/mem.h"
#include "registry/redis_script.h"

/* A change that the master has. */
struct waiter {
    struct waiter *next;
    uint64_t revision, stamp;
    uint64_t deadline_ms; /* mono: until then a connection is waited for */
    bool is_there;        /* where the connection leads to */
    gw_redis_replicas_fn *done;
    void *arg;
};

struct list {
    struct waiter *first, **last;
};

struct gw_redis_replicas {
    struct gw_redis *redis;
    char *prefix;
    long long replicas, timeout_ms;
    unsigned long long ups;
    unsigned long long written_at; /* the connection by which `asked` was said to be there */
    struct list asked, behind;     /* whose replicas are asked for, and what came since */
    bool closed;
};

static void
append(struct list *list, struct waiter *w)
{
    w->next = NULL;
    *list->last = w;
    list->last = &w->next;
}

static struct waiter *
take_all(struct list *list)
{
    struct waiter *w = list->first;

    list->first = NULL;
    list->last = &list->first;
    return w;
}

static void
answer(struct waiter *w, const char *text)
{
    w->done(w->arg, text);
    free(w);
}

static void ask(struct gw_redis_replicas *r);

/* The connection was lost, or there is none: once more by the next one, which may lead to another
 * master.  That has the changes, or says that it has not. */
static void
wait_for_another(struct gw_redis_replicas *r, struct waiter *list, const char *why)
{
    struct list again = {.last = &again.first};
    uint64_t now = gw_clock_mono_ms();
    char text[300];

    (void)snprintf(text, sizeof(text), "the master has it, but no replica could be asked for: %s",
                   why);
    for (struct waiter *w = list, *next; w != NULL; w = next) {
        next = w->next;
        if (r->closed || w->deadline_ms <= now) {
            answer(w, text);
        } else {
            append(&again, w);
        }
    }
    if (again.first != NULL) { /* in front of those that came later */
        *again.last = r->behind.first;
        if (r->behind.first == NULL) {
            r->behind.last = again.last;
        }
        r->behind.first = again.first;
    }
}

static void
end(struct gw_redis_replicas *r, struct waiter *list, const char *text)
{
    for (struct waiter *w = list, *next; w != NULL; w = next) {
        next = w->next;
        answer(w, text != NULL ? text
                  : w->is_there
                      ? NULL
                      : "the master that had it was replaced by one that does not have it");
    }
    ask(r);
}

static void
on_waited(void *arg, const redisReply *reply, const char *error)
{
    struct gw_redis_replicas *r = arg;
    struct waiter *list = take_all(&r->asked);
    char text[200];

    if (reply == NULL || r->written_at != r->ups) { /* a WAIT of the next one is about nothing */
        wait_for_another(r, list, reply == NULL ? error : "the connection was lost");
        ask(r);
    } else if (reply->type != REDIS_REPLY_INTEGER) {
        (void)snprintf(text, sizeof(text), "the master has it, but WAIT was answered: %s",
                       reply->type == REDIS_REPLY_ERROR ? reply->str : "something unexpected");
        end(r, list, text);
    } else if (reply->integer < r->replicas) {
        (void)snprintf(
            text, sizeof(text),
            "the master has it, but only %lld of %lld replicas do: a fail-over may lose it",
            reply->integer, r->replicas);
        end(r, list, text);
    } else {
        end(r, list, NULL);
    }
}

/* {1 or 0, ...}: is it there? */
static bool
read_there(struct waiter *w, const redisReply *reply)
{
    size_t n = 0;

    if (reply->type != REDIS_REPLY_ARRAY) {
        return false;
    }
    for (; w != NULL && n < reply->elements; w = w->next, n++) {
        w->is_there =
            reply->element[n]->type == REDIS_REPLY_INTEGER && reply->element[n]->integer == 1;
    }
    return w == NULL && n == reply->elements;
}

static void
on_there(void *arg, const redisReply *reply, const char *error)
{
    struct gw_redis_replicas *r = arg;
    char n[24];
    char ms[24];
    const char *argv[] = {"WAIT", n, ms};
    struct gw_redis_command c = {.argc = 3, .argv = argv, .extra_ms = r->timeout_ms};
    char text[300];

    if (reply == NULL) {
        wait_for_another(r, take_all(&r->asked), error);
        ask(r);
        return;
    }
    if (!read_there(r->asked.first, reply)) {
        (void)snprintf(text, sizeof(text), "the master has it, but replicas can't be asked for: %s",
                       reply->type == REDIS_REPLY_ERROR ? reply->str : "an answer of another kind");
        end(r, take_all(&r->asked), text);
        return;
    }
    r->written_at = r->ups;
    (void)snprintf(n, sizeof(n), "%lld", r->replicas);
    (void)snprintf(ms, sizeof(ms), "%lld", r->timeout_ms);
    gw_redis_send(r->redis, &c, on_waited, r);
}

/* [["revision", "stamp"], ...] */
static char *
list_of(const struct waiter *w)
{
    json_t *list = json_array();
    char revision[24];
    char stamp[24];

    for (; w != NULL; w = w->next) {
        (void)snprintf(revision, sizeof(revision), "%" PRIu64, w->revision);
        (void)snprintf(stamp, sizeof(stamp), "%" PRIu64, w->stamp);
        (void)json_array_append_new(list, json_pack("[s, s]", revision, stamp));
    }
    char *text = json_dumps(list, JSON_COMPACT);
    assert(text != NULL); /* of digits */
    json_decref(list);
    return text;
}

/* One WAIT at a time, for all that came before it: each further one would hold up those behind it
 * for its whole time. */
static void
ask(struct gw_redis_replicas *r)
{
    if (r->closed || r->asked.first != NULL || r->behind.first == NULL ||
        !gw_redis_is_up(r->redis)) {
        return; /* on_waited(), or on_up() */
    }
    while (r->behind.first != NULL) {
        struct waiter *w = r->behind.first;

        r->behind.first = w->next;
        append(&r->asked, w);
    }
    r->behind.last = &r->behind.first;
    char *list = list_of(r->asked.first);
    const char *const argv[] = {"there", list, NULL};
    gw_script_call(r->redis, r->prefix, argv, on_there, r);
    free(list);
}

void
gw_redis_replicas_when(struct gw_redis_replicas *r, const struct gw_store_mark *mark,
                       gw_redis_replicas_fn *done, void *arg)
{
    struct waiter *w = gw_mem_alloc(sizeof(*w));

    *w = (struct waiter){.revision = mark->revision,
                         .stamp = mark->stamp,
                         .deadline_ms = gw_clock_mono_ms() + (uint64_t)r->timeout_ms,
                         .done = done,
                         .arg = arg};
    append(&r->behind, w);
    ask(r);
}

static void
on_pong(void *arg, const redisReply *reply, const char *error)
{
    (void)arg;
    (void)reply;
    (void)error;
}

void
gw_redis_replicas_tick(struct gw_redis_replicas *r)
{
    const char *argv[] = {"PING"};
    struct gw_redis_command ping = {.argc = 1, .argv = argv};

    if (r == NULL || r->asked.first != NULL) {
        return;
    }
    if (gw_redis_is_up(r->redis)) {
        gw_redis_send(r->redis, &ping, on_pong, NULL);
    } else {
        wait_for_another(r, take_all(&r->behind), gw_redis_why(r->redis));
    }
}

static void
on_up(void *owner)
{
    struct gw_redis_replicas *r = owner;

    r->ups++;
    ask(r);
}

struct gw_redis_replicas *
gw_redis_replicas_open(const struct gw_registry_redis *conf, struct event_base *base)
{
    static const struct gw_redis_events events = {.up = on_up};
    struct gw_redis_conf redis = gw_registry_redis_conf(conf);
    struct gw_redis_replicas *r = gw_mem_alloc(sizeof(*r));
    struct gw_diag none = {0};

    r->asked.last = &r->asked.first;
    r->behind.last = &r->behind.first;
    r->prefix = gw_mem_strdup(conf->prefix);
    r->replicas = conf->replicas;
    r->timeout_ms = conf->timeout_ms;
    r->redis = gw_redis_open(&redis, base, &events, r, &none);
    assert(r->redis != NULL);
    gw_diag_fini(&none);
    return r;
}

void
gw_redis_replicas_close(struct gw_redis_replicas *r)
{
    if (r == NULL) {
        return;
    }
    r->closed = true;
    gw_redis_close(r->redis);
    wait_for_another(r, take_all(&r->behind), "this gateway is shutting down");
    assert(r->asked.first == NULL && r->behind.first == NULL);
    free(r->prefix);
    free(r);
}

unsigned long long
gw_redis_replicas_reconnects(const struct gw_redis_replicas *r)
{
    return r == NULL || r->ups == 0 ? 0 : r->ups - 1;
}
