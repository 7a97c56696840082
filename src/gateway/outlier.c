#include "gateway/outlier.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "gateway/breaker.h"
#include "gateway/left_alone.h"
#include "gateway/split.h"
#include "gateway/upstream.h"

struct gw_outlier {
    struct gw_breaker breaker; /* first */
    char why[80];              /* of the last failure */
    bool told;                 /* this worker has said that it fails (left_alone.h), */
    bool logged;               /* and the log has it */
};

#define AT(field) offsetof(struct gw_outlier_rules, field)

/* clang-format off */
const struct gw_setting gw_outlier_rows[] = {
    {.name = "consecutiveErrors", .set = gw_set_int, .at = AT(errors), .initial = "5", .min = 0, .max = 1000,
     .help = "Failures in a row after which an endpoint is left alone; twice as many timeouts, and it gets nothing at all.  0: never."},
    {.name = "ejectFor", .set = gw_set_duration, .at = AT(eject_ms), .initial = "10s", .min = 100, .max = 3600000,
     .help = "For how long, the first time; longer each further time in a row."},
    {.name = "maxEjected", .set = gw_set_percent, .at = AT(max_ejected), .initial = "50%",
     .help = "How many of the endpoints may be left alone at once while they answer at all."},
    {0},
};

const struct gw_setting gw_outlier_core_rows[] = {
    {.name = "consecutive_errors", .set = gw_set_int, .at = AT(errors), .initial = "5", .min = 0, .max = 1000,
     .help = "After twice as many timeouts in a row, requests are answered 503 at once.  0: never."},
    {.name = "eject_for", .set = gw_set_duration, .at = AT(eject_ms), .initial = "10s", .min = 100, .max = 3600000,
     .help = "How long at most until one of them finds out whether it is back."},
    {0},
};
/* clang-format on */

static const char *const state_words[] = {
    [GW_BREAKER_CLOSED] = "closed", [GW_BREAKER_EJECTED] = "ejected", [GW_BREAKER_OPEN] = "open"};

#define COUNT(e, field, n) \
    atomic_fetch_add_explicit(&gw_world_stats((e)->world)->field, (n), memory_order_relaxed)

static bool
is_closed(const struct gw_endpoint *e)
{
    return e->outlier == NULL || e->outlier->breaker.state == GW_BREAKER_CLOSED;
}

bool
gw_outlier_admits(const struct gw_endpoint *e)
{
    return is_closed(e) || gw_breaker_admits(&e->outlier->breaker, gw_world_now_ms(e->world));
}

bool
gw_outlier_refuses(const struct gw_endpoint *e)
{
    return !is_closed(e) && gw_breaker_refuses(&e->outlier->breaker, gw_world_now_ms(e->world));
}

uint64_t
gw_outlier_wait_ms(const struct gw_endpoint *e)
{
    uint64_t now = gw_world_now_ms(e->world);

    return is_closed(e) || e->outlier->breaker.until_ms <= now ? 0
                                                               : e->outlier->breaker.until_ms - now;
}

const char *
gw_outlier_why(const struct gw_endpoint *e, struct gw_arena *arena, const char **state)
{
    if (is_closed(e)) {
        return NULL;
    }
    if (state != NULL) {
        *state = state_words[e->outlier->breaker.state];
    }
    return gw_arena_printf(arena, "%u failures in a row, the last: %s", e->outlier->breaker.errors,
                           e->outlier->why);
}

unsigned
gw_outlier_begin(struct gw_endpoint *e)
{
    uint16_t number = e->trials == UINT16_MAX ? 1 : (uint16_t)(e->trials + 1);

    if (is_closed(e) ||
        !gw_breaker_begin(&e->outlier->breaker, gw_world_now_ms(e->world), number)) {
        return 0;
    }
    e->trials = number;
    return number;
}

void
gw_outlier_cancel(struct gw_endpoint *e, unsigned trial)
{
    if (e->outlier != NULL) {
        gw_breaker_cancel(&e->outlier->breaker, trial);
    }
}

void
gw_outlier_fini(struct gw_endpoint *e)
{
    if (!is_closed(e)) {
        COUNT(e, ejected, -1);
    }
    if (e->outlier != NULL && e->outlier->told) {
        gw_left_alone_end(e->text);
    }
    free(e->outlier);
    e->outlier = NULL;
}

void
gw_outlier_ok(struct gw_endpoint *e)
{
    if (!is_closed(e)) {
        gw_log_info("backend %s answers again, and gets requests", e->text);
        e->up_since_ms = gw_world_now_ms(e->world);
    } else if (e->outlier != NULL && e->outlier->logged) {
        gw_log_info("backend %s answers again", e->text);
    }
    gw_outlier_fini(e);
}

struct tally {
    uint64_t n, left_alone;
};

static void
count(struct tally *t, struct gw_endpoint *const *list, unsigned n)
{
    t->n += n;
    for (unsigned i = 0; i < n; i++) {
        t->left_alone += !is_closed(list[i]);
    }
}

/* Is there another endpoint, and room for one more that is left alone?  Those of other versions are
 * others, too, where a row may do with less: the one endpoint of a canary is left alone, and the
 * rest takes over.  The rest is as a destination without versions. */
static bool
may_eject(const struct gw_endpoint *e, const struct gw_destination *to)
{
    const struct gw_split *s = to->split;
    struct tally t = {.left_alone = is_closed(e)};

    count(&t, to->endpoints, to->n_endpoints);
    for (unsigned i = 0; s != NULL && to->side < s->n_rows && i <= s->n_rows; i++) {
        if (i != to->side && gw_split_relieves(s, i, to->side)) {
            count(&t, s->sides[i].endpoints, s->sides[i].n_endpoints);
        }
    }
    return t.n > 1 && t.left_alone * 100 <= (uint64_t)to->outlier->max_ejected * t.n;
}

static uint64_t
dice(const struct gw_endpoint *e)
{
    uint64_t seed[] = {gw_world_now_ms(e->world), (uintptr_t)e->world, e->hash};

    return gw_hash((struct gw_str){(const char *)seed, sizeof(seed)});
}

/* For those who ask about the endpoint; not at each failure. */
static void
note(struct gw_endpoint *e, const char *what)
{
    struct gw_outlier *o = e->outlier;
    char reason[sizeof(o->why) + 80];

    (void)snprintf(reason, sizeof(reason), "%s: %u failures in a row, the last: %s", what,
                   o->breaker.errors, o->why);
    gw_left_alone_note(e->text, !o->told, reason);
    o->told = true;
}

static void
tell_left_alone(struct gw_endpoint *e)
{
    const struct gw_breaker *b = &e->outlier->breaker;

    note(e, "left alone");
    e->outlier->logged = true;
    gw_log_warn("backend %s gets no requests for %llu ms%s: %u failures in a row, the last: %s",
                e->text, (unsigned long long)gw_outlier_wait_ms(e),
                b->state == GW_BREAKER_OPEN ? ", whoever else is there" : "", b->errors,
                e->outlier->why);
}

/* It has failed so often that it would be left alone, if others could take over.  It is asked all
 * the same, so it may fail and answer by turns, request by request: the log has that once in the
 * time for which another one would be left alone. */
static void
tell_failing(struct gw_endpoint *e, const struct gw_outlier_rules *r, bool turns)
{
    struct gw_outlier *o = e->outlier;
    uint64_t now = gw_world_now_ms(e->world);

    if (!o->told || turns) {
        note(e, "failing");
    }
    if (!o->logged && now >= e->failing_again_ms) {
        o->logged = true;
        e->failing_again_ms = now + (uint64_t)r->eject_ms;
        gw_log_warn("backend %s is failing, and too few others are there to leave it alone: %u "
                    "failures in a row, the last: %s",
                    e->text, o->breaker.errors, o->why);
    }
}

static void
tell(struct gw_endpoint *e, const struct gw_outlier_rules *r, bool news,
     enum gw_breaker_state before)
{
    struct gw_outlier *o = e->outlier;
    bool closed = o->breaker.state == GW_BREAKER_CLOSED;
    bool fails = r->errors > 0 && o->breaker.errors >= (uint64_t)r->errors;

    if (news) {
        tell_left_alone(e);
    } else if (closed && fails) {
        tell_failing(e, r, before != GW_BREAKER_CLOSED);
    } else if (closed && !fails && o->told) { /* what failed is no longer a reason */
        gw_left_alone_end(e->text);
        o->told = false;
    }
}

void
gw_outlier_failed(struct gw_endpoint *e, const struct gw_destination *to, bool silent,
                  unsigned trial, const char *why)
{
    if (to->outlier == NULL) {
        return;
    }
    if (e->outlier == NULL) {
        e->outlier = gw_mem_alloc(sizeof(*e->outlier));
    }
    struct gw_breaker *b = &e->outlier->breaker;
    enum gw_breaker_state before = b->state;
    struct gw_breaker_failure f = {.silent = silent, .trial = trial, .may_eject = may_eject(e, to)};

    (void)snprintf(e->outlier->why, sizeof(e->outlier->why), "%s", why);
    bool news = gw_breaker_failed(b, to->outlier, &f, gw_world_now_ms(e->world), dice(e));
    if (news && b->state == GW_BREAKER_EJECTED) {
        COUNT(e, ejections, 1);
    } else if (news) {
        COUNT(e, breaker_opens, 1);
    }
    tell(e, to->outlier, news, before);
    COUNT(e, ejected, (b->state != GW_BREAKER_CLOSED) - (before != GW_BREAKER_CLOSED));
}

void
gw_outlier_retry_now(struct gw_endpoint *e)
{
    if (e->outlier != NULL) {
        e->outlier->breaker.until_ms = 0;
    }
}
