/*
 * registry_watcher.h - a store's owner for tests: writes down what a driver says, and waits for
 * conditions in the event loop, with a deadline and without sleeping.
 */
#ifndef GW_T_REGISTRY_WATCHER_H
#define GW_T_REGISTRY_WATCHER_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "registry/store.h"

#define LONG_MS 15000 /* a failure, even on a slow machine under a sanitizer */

struct watcher {
    struct event_base *base;
    struct event *guard;
    const struct gw_store_driver *driver;
    void *store;
    struct gw_map *objects; /* key to object, a reference each: what the driver told */
    size_t lists, changes;
    uint64_t revision;
    char epoch[64], reason[256], text[256];
    int reachable;                    /* -1: never told */
    void (*after)(struct watcher *w); /* called after each batch of changes, or NULL */
};

/* What a write was answered. */
struct told {
    bool done;
    struct gw_store_answer answer;
    char text[256];
    uint64_t seen_revision; /* what the watcher had been given by then */
    struct watcher *by;
};

static inline void
watcher_unref(void *o)
{
    gw_object_unref(o);
}

static inline uint64_t
watcher_listed(void *owner, struct gw_object *const *objects, size_t n, uint64_t revision,
               const char *epoch, const char *reason)
{
    struct watcher *w = owner;

    gw_map_free(w->objects, watcher_unref);
    w->objects = gw_map_new();
    for (size_t i = 0; i < n; i++) {
        struct gw_object *o = gw_object_ref(objects[i]);
        gw_object_unref(gw_map_put(w->objects, gw_str_of(o->key), o));
    }
    w->lists++;
    w->revision = revision;
    (void)snprintf(w->epoch, sizeof(w->epoch), "%s", epoch);
    (void)snprintf(w->reason, sizeof(w->reason), "%s", reason == NULL ? "" : reason);
    return GW_STORE_ALL_TOLD;
}

static inline void
watcher_changed(void *owner, const struct gw_change *changes, size_t n, uint64_t revision)
{
    struct watcher *w = owner;

    for (size_t i = 0; i < n; i++) {
        struct gw_str key = gw_str_of(changes[i].key);
        if (changes[i].object == NULL) {
            gw_object_unref(gw_map_take(w->objects, key));
        } else {
            gw_object_unref(gw_map_put(w->objects, key, gw_object_ref(changes[i].object)));
        }
    }
    w->changes += n;
    w->revision = revision;
    if (w->after != NULL) {
        w->after(w);
    }
}

static inline void
watcher_reachable(void *owner, bool yes, const char *text)
{
    struct watcher *w = owner;

    w->reachable = yes;
    (void)snprintf(w->text, sizeof(w->text), "%s", text);
}

static inline void
watcher_guard(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
}

/* Runs the loop once, for 20 ms at most. */
static inline void
turn(struct event_base *base)
{
    struct timeval tv = {.tv_usec = 20000};

    (void)event_base_once(base, -1, EV_TIMEOUT, watcher_guard, NULL, &tv);
    (void)event_base_loop(base, EVLOOP_ONCE);
}

static inline void
turn_until(struct event_base *base, uint64_t end_ms, const char *condition)
{
    if (gw_clock_mono_ms() > end_ms) {
        fail_msg("waited in vain for %s", condition);
    }
    turn(base);
}

/* Runs the loop until the condition holds; fails the test after a long time. */
#define WAIT_FOR(base, condition)                                        \
    for (uint64_t wait_end = gw_clock_mono_ms() + LONG_MS; !(condition); \
         turn_until((base), wait_end, #condition)) {                     \
    }

/* A text for people holds these words. */
static inline void
assert_words(const char *about, const char *text, const char *words)
{
    if (strstr(text == NULL ? "" : text, words) == NULL) {
        fail_msg("%s: \"%s\" lacks \"%s\"", about, text, words);
    }
}

static inline void
watcher_open(struct watcher *w, const struct gw_store_driver *driver, const void *conf,
             struct event_base *base)
{
    static const struct gw_store_events events = {
        .listed = watcher_listed, .changed = watcher_changed, .reachable = watcher_reachable};
    struct gw_diag diag = {0};

    *w = (struct watcher){.base = base, .driver = driver, .reachable = -1};
    w->objects = gw_map_new();
    w->store = driver->open(conf, base, &events, w, &diag);
    if (w->store == NULL) {
        fail_msg("%s", gw_diag_first(&diag));
    }
}

static inline void
watcher_close(struct watcher *w)
{
    if (w->store != NULL) {
        w->driver->close(w->store);
    }
    gw_map_free(w->objects, watcher_unref);
    *w = (struct watcher){0};
}

static inline const struct gw_object *
watcher_get(const struct watcher *w, const char *key)
{
    return gw_map_get(w->objects, gw_str_of(key));
}

static inline void
on_told(void *arg, const struct gw_store_answer *answer)
{
    struct told *t = arg;

    assert_false(t->done); /* exactly once */
    t->done = true;
    t->answer = *answer;
    (void)snprintf(t->text, sizeof(t->text), "%s", answer->text == NULL ? "" : answer->text);
    t->seen_revision = t->by == NULL ? 0 : t->by->revision;
}

/* An object of JSON text with ' for ". */
static inline struct gw_object *
object_of(const char *text)
{
    struct gw_diag diag = {0};
    char *json_text = gw_mem_strdup(text);

    for (char *p = json_text; *p != '\0'; p++) {
        if (*p == '\'') {
            *p = '"';
        }
    }
    json_t *json = json_loads(json_text, 0, NULL);
    assert_non_null(json);
    struct gw_object *o = gw_object_new(json, NULL, &diag);
    if (o == NULL) {
        fail_msg("%s: %s", text, gw_diag_first(&diag));
    }
    json_decref(json);
    free(json_text);
    gw_diag_fini(&diag);
    return o;
}

/* A ConfigMap in the namespace test. */
static inline struct gw_object *
config_map(const char *name, const char *value)
{
    struct gw_buf text = {0};

    gw_buf_printf(&text,
                  "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'%s','namespace':"
                  "'test'},'data':{'value':'%s'}}",
                  name, value);
    struct gw_object *o = object_of(text.p);
    gw_buf_fini(&text);
    return o;
}

static inline struct gw_object *
endpoint(const char *name)
{
    struct gw_buf text = {0};

    gw_buf_printf(&text,
                  "{'apiVersion':'ksgate.io/v1','kind':'Endpoint','metadata':{'name':'%s'},"
                  "'spec':{'extension':'e','url':'http://127.0.0.1:1','leaseSeconds':1}}",
                  name);
    struct gw_object *o = object_of(text.p);
    gw_buf_fini(&text);
    return o;
}

/* The object's JSON, borrowed until some more objects were looked at. */
static inline const json_t *
json_of(const struct gw_object *o)
{
    static json_t *last[16];
    static unsigned n;
    json_t **place = &last[n++ % 16];

    json_decref(*place);
    *place = gw_object_json(o);
    return *place;
}

static inline const char *
metadata(const struct gw_object *o, const char *name)
{
    const char *text =
        json_string_value(json_object_get(json_object_get(json_of(o), "metadata"), name));

    return text == NULL ? "" : text;
}

static inline const char *
value_of(const struct gw_object *o)
{
    const char *text =
        o == NULL
            ? NULL
            : json_string_value(json_object_get(json_object_get(json_of(o), "data"), "value"));

    return text == NULL ? "" : text;
}

/* Puts, waits for the answer and gives it. */
static inline struct told
put_with(struct watcher *w, struct gw_object *o, enum gw_store_when when, uint64_t revision,
         long long lease_ms)
{
    struct told told = {.by = w};
    struct gw_store_put put = {
        .object = o, .when = when, .revision = revision, .lease_ms = lease_ms};

    w->driver->put(w->store, &put, on_told, &told);
    WAIT_FOR(w->base, told.done);
    return told;
}

/* A ConfigMap of any revision, for ever. */
static inline uint64_t
put_value(struct watcher *w, const char *name, const char *value)
{
    struct gw_object *o = config_map(name, value);
    struct told told = put_with(w, o, GW_WHEN_ANY, 0, 0);

    gw_object_unref(o);
    if (told.answer.result != GW_STORE_OK) {
        fail_msg("put %s: %s", name, told.text);
    }
    return told.answer.revision;
}

static inline struct told
remove_with(struct watcher *w, const char *key, enum gw_store_when when, uint64_t revision)
{
    struct told told = {.by = w};

    w->driver->remove(w->store, key, when, revision, on_told, &told);
    WAIT_FOR(w->base, told.done);
    return told;
}

static inline struct told
renew_with(struct watcher *w, const char *key, uint64_t revision, long long lease_ms)
{
    struct told told = {.by = w};

    w->driver->renew(w->store, key, revision, lease_ms, on_told, &told);
    WAIT_FOR(w->base, told.done);
    return told;
}

#endif
