/*
 * redis_store.h - the shared store, opened by a test at a real redis-server of its program: start()
 * and stop() are of the group, and before each test the server is made empty.
 */
#ifndef GW_T_REDIS_STORE_H
#define GW_T_REDIS_STORE_H

#include "t/lib/folder.h"
#include "t/lib/redis_server.h"
#include "t/lib/registry_watcher.h"

static struct redis_server server;
static struct gw_registry_redis conf = {.prefix = "{ksgate}:", .timeout_ms = 2000};

static void
open_store(struct watcher *w, struct event_base *base)
{
    conf.url = server.url;
    watcher_open(w, &gw_store_redis, &conf, base);
}

static inline int
start(void **state)
{
    (void)state;
    redis_server_start(&server, temp_folder(), NULL, NULL);
    return 0;
}

static inline int
stop(void **state)
{
    (void)state;
    redis_server_stop(&server, SIGKILL);
    remove_folder(server.folder);
    return 0;
}

static inline int
clean(void **state)
{
    (void)state;
    REDIS_DO(&server, "FLUSHALL");
    return 0;
}

/* Of one test: a watcher of the empty store, on a loop of its own; *state is it. */
static inline int
open_one(void **state)
{
    struct watcher *w = gw_mem_alloc(sizeof(*w));

    (void)clean(state);
    open_store(w, event_base_new());
    *state = w;
    return 0;
}

static inline int
close_one(void **state)
{
    struct watcher *w = *state;
    struct event_base *base = w->base;

    watcher_close(w);
    event_base_free(base);
    free(w);
    conf.timeout_ms = 2000;
    return 0;
}

/* The same with less patience. */
static inline int
open_impatient(void **state)
{
    conf.timeout_ms = 300;
    return open_one(state);
}

#define STORE_TEST(name)     cmocka_unit_test_setup_teardown(name, open_one, close_one)
#define IMPATIENT_TEST(name) cmocka_unit_test_setup_teardown(name, open_impatient, close_one)

/* What a command answers, as a text: good until some more were asked.  "": nothing. */
static inline const char *
redis_text(const char *const *words)
{
    static char texts[4][1024];
    static unsigned n;
    char *text = texts[n++ % 4];
    redisReply *r = redis_server_do(&server, words);

    (void)snprintf(text, sizeof(texts[0]), "%s", r->str == NULL ? "" : r->str);
    freeReplyObject(r);
    return text;
}

#define REDIS_TEXT(...) redis_text((const char *const[]){__VA_ARGS__, NULL})

/* The group, as main() answers it.  Nothing where there is no redis-server. */
#define REDIS_GROUP(name, tests)                                               \
    (!redis_server_is_installed()                                              \
         ? (printf("1..0 # SKIP /usr/bin/redis-server is not installed\n"), 0) \
         : (signal(SIGPIPE, SIG_IGN), /* as the server does */                 \
            cmocka_run_group_tests_name(name, tests, start, stop)))

#endif
