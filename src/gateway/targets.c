#include "gateway/targets.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"

/* Of so many the metrics have a line each, those that are down first. */
#define LINES_MAX 1000

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct gw_map *all; /* by URL; made with the first, gone with the last */
static struct gw_targets_watcher watcher;
static unsigned long long n_good, n_bad, n_void;

void
gw_targets_watch(struct gw_targets_watcher w)
{
    watcher = w;
}

static const char *
put_text(char **at, const char *text)
{
    size_t n = strlen(text) + 1;
    char *to = memcpy(*at, text, n);

    *at += n;
    return to;
}

static struct gw_target *
new_target(struct gw_str url, const struct gw_health_check *check)
{
    const char *host = check->host == NULL ? "" : check->host;
    struct gw_target *t = gw_mem_alloc(sizeof(*t) + url.n + strlen(check->path) + strlen(host) + 3);
    char *texts = (char *)(t + 1);

    t->check = *check;
    t->check.path = put_text(&texts, check->path);
    t->check.host = check->host == NULL ? NULL : put_text(&texts, host);
    t->url = memcpy(texts, url.p, url.n);
    t->users = 1;
    atomic_init(&t->down, false);
    return t;
}

void
gw_target_free(struct gw_target *t)
{
    free(t);
}

/* One of these goes, the other comes, when a check's settings change. */
static void
inherit(struct gw_target *t, const struct gw_target *from)
{
    t->vitals = from->vitals;
    t->vitals.streak = 0;
    t->since_ms = from->since_ms;
    memcpy(t->reason, from->reason, sizeof(t->reason));
    atomic_store_explicit(&t->down, t->vitals.down, memory_order_relaxed);
}

struct gw_target *
gw_target_take(struct gw_str url, const struct gw_health_check *check)
{
    (void)pthread_mutex_lock(&lock);
    all = all == NULL ? gw_map_of_values() : all;
    struct gw_target *first = gw_map_get(all, url);
    struct gw_target *t = first;
    while (t != NULL && !gw_health_same(&t->check, check)) {
        t = t->next;
    }
    bool is_new = t == NULL;
    if (is_new) {
        t = new_target(url, check);
        if (first != NULL) {
            inherit(t, first);
        }
        t->next = first;
        (void)gw_map_put(all, gw_str_of(t->url), t);
    } else {
        t->users++;
    }
    (void)pthread_mutex_unlock(&lock);
    if (is_new && watcher.born != NULL) {
        watcher.born(t);
    }
    return t;
}

/* Takes it out of the list of its URL; the lock is held. */
static void
unlink_target(struct gw_target *t)
{
    struct gw_target *first = gw_map_get(all, gw_str_of(t->url));
    struct gw_target **at = &first;

    while (*at != t) {
        at = &(*at)->next;
    }
    *at = t->next;
    if (first == NULL) {
        (void)gw_map_take(all, gw_str_of(t->url));
    } else {
        (void)gw_map_put(all, gw_str_of(first->url), first);
    }
    if (gw_map_count(all) == 0) {
        gw_map_free(all, NULL);
        all = NULL;
    }
}

void
gw_target_give(struct gw_target *t)
{
    (void)pthread_mutex_lock(&lock);
    assert(t->users > 0);
    bool last = --t->users == 0;
    if (last) {
        unlink_target(t);
    }
    (void)pthread_mutex_unlock(&lock);
    if (!last) {
        return;
    }
    if (watcher.gone != NULL) {
        watcher.gone(t);
    } else {
        gw_target_free(t);
    }
}

bool
gw_target_note(struct gw_target *t, bool good, const char *why)
{
    (void)pthread_mutex_lock(&lock);
    bool turned = gw_vitals_note(&t->vitals, &t->check, good);
    /* What it says of one that is down is why it is: not that it is well for once. */
    if (good != t->vitals.down) {
        (void)snprintf(t->reason, sizeof(t->reason), "%s", why);
    }
    if (turned || t->since_ms == 0) {
        t->since_ms = gw_clock_wall_ms();
    }
    atomic_store_explicit(&t->down, t->vitals.down, memory_order_relaxed);
    *(good ? &n_good : &n_bad) += 1;
    (void)pthread_mutex_unlock(&lock);
    return turned;
}

void
gw_targets_note_void(void)
{
    (void)pthread_mutex_lock(&lock);
    n_void++;
    (void)pthread_mutex_unlock(&lock);
}

/* The one that speaks for its URL: one that is down, if there is any. */
static const struct gw_target *
speaker(const struct gw_target *first)
{
    const struct gw_target *best = first;

    for (const struct gw_target *t = first->next; t != NULL && !best->vitals.down; t = t->next) {
        best = t->vitals.down ? t : best;
    }
    return best;
}

bool
gw_targets_status(struct gw_str url, struct gw_health_status *out)
{
    (void)pthread_mutex_lock(&lock);
    const struct gw_target *first = all == NULL ? NULL : gw_map_get(all, url);
    if (first != NULL) {
        const struct gw_target *t = speaker(first);

        out->healthy = !t->vitals.down;
        out->since_ms = t->since_ms;
        (void)snprintf(out->reason, sizeof(out->reason), "%s",
                       t->vitals.asked ? t->reason : "not checked yet");
    }
    (void)pthread_mutex_unlock(&lock);
    return first != NULL;
}

/* -- metrics ------------------------------------------------------------------------------------
 */

/* A URL has no quote, backslash or line end in it. */
static size_t
put_lines(struct gw_buf *out, bool down, size_t n)
{
    void *first = NULL;
    size_t at = 0;

    while (n < LINES_MAX && gw_map_next(all, &at, NULL, &first)) {
        assert(first != NULL);
        const struct gw_target *t = speaker(first);

        if (t->vitals.down == down) {
            gw_buf_printf(out, "ksgate_endpoint_healthy{url=\"%s\"} %d\n", t->url, !down);
            n++;
        }
    }
    return n;
}

static size_t
count_down(void)
{
    void *first = NULL;
    size_t at = 0;
    size_t n = 0;

    while (gw_map_next(all, &at, NULL, &first)) {
        assert(first != NULL);
        n += speaker(first)->vitals.down;
    }
    return n;
}

void
gw_targets_metrics(struct gw_buf *out)
{
    (void)pthread_mutex_lock(&lock);
    gw_buf_printf(out,
                  "# HELP ksgate_health_checks_total Health checks (void: not made, for lack of "
                  "files or memory).\n"
                  "# TYPE ksgate_health_checks_total counter\n"
                  "ksgate_health_checks_total{result=\"good\"} %llu\n"
                  "ksgate_health_checks_total{result=\"bad\"} %llu\n"
                  "ksgate_health_checks_total{result=\"void\"} %llu\n"
                  "# HELP ksgate_endpoints_checked Endpoints whose health is checked.\n"
                  "# TYPE ksgate_endpoints_checked gauge\n"
                  "ksgate_endpoints_checked %zu\n"
                  "# HELP ksgate_endpoints_unhealthy Of these, down.\n"
                  "# TYPE ksgate_endpoints_unhealthy gauge\n"
                  "ksgate_endpoints_unhealthy %zu\n"
                  "# HELP ksgate_endpoint_healthy Whether it is; of at most %d.\n"
                  "# TYPE ksgate_endpoint_healthy gauge\n",
                  n_good, n_bad, n_void, all == NULL ? 0 : gw_map_count(all),
                  all == NULL ? 0 : count_down(), LINES_MAX);
    if (all != NULL) {
        (void)put_lines(out, false, put_lines(out, true, 0));
    }
    (void)pthread_mutex_unlock(&lock);
}
