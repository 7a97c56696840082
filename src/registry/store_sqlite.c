#include "registry/store.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "registry/db.h"
#include "registry/notice.h"
#include "registry/refusals.h"

/* Another process' commits are told of by notice.h, and looked for: at once, and then later and
 * later.  Where nothing is told, and while the file can't be read, POLL_MS is what a change on
 * another gateway may have to wait. */
#define POLL_MS       20
#define SOON_MS       1
#define FILE_POLL_MS  1000 /* was the file replaced?  can it be opened again? */
#define CLOCK_JUMP_MS 1000 /* more than a clock is ever off within one poll, and a poll late */

struct store {
    char *path;
    struct gw_db *db; /* NULL: lost */
    struct gw_store_events events;
    void *owner;
    struct event *poll;
    struct gw_notice *notice;
    bool visits;  /* leases are left alone */
    bool noticed; /* commits are told of */
    bool told_of; /* one was, and nobody has looked since */
    bool listed;
    bool overdue;         /* leases have ended, and the file did not take that */
    bool up, told;        /* can it be used?  was the owner told either way? */
    long wait_ms;         /* until the next look, if nothing is told of */
    uint64_t poll_ms;     /* when the next one is, mono; UINT64_MAX: none is set */
    size_t skipped;       /* of the last list */
    uint64_t revision;    /* all up to this one was given to the owner */
    uint64_t deadline_ms; /* of the next lease; UINT64_MAX: none */
    uint64_t file_poll_ms;
    uint64_t barred_ms;        /* mono: since then nobody could renew; 0: the leases know of it */
    const char *barred_by;     /* for people */
    uint64_t wall_ms, mono_ms; /* of the last poll */
    dev_t device;
    ino_t inode;
    struct gw_refusals refusals; /* by the file, while it can be read */
    char epoch[33];
    char why[256]; /* it can't be used */
};

/* In ms, or at the time that is set already if that comes first: who is written to all the time has
 * to look, too. */
static void
set_poll(struct store *s, long ms)
{
    const struct timeval tv = gw_clock_timeval((uint64_t)ms);
    uint64_t at = gw_clock_mono_ms() + (uint64_t)ms;

    if (at < s->poll_ms) {
        s->poll_ms = at;
        (void)event_add(s->poll, &tv);
    }
}

/* When the next lease ends, at the latest. */
static void
set_next_poll(struct store *s)
{
    long most = s->noticed && s->listed && s->up ? FILE_POLL_MS : POLL_MS;
    uint64_t wall = gw_clock_wall_ms();
    long ms = s->told_of ? SOON_MS : s->wait_ms;

    ms = ms < most ? ms : most;
    if (s->deadline_ms < wall + (uint64_t)ms && !s->overdue) {
        ms = s->deadline_ms > wall ? (long)(s->deadline_ms - wall) : POLL_MS;
    }
    set_poll(s, ms);
}

static void
on_notice(void *arg)
{
    struct store *s = arg;

    if (!s->told_of) { /* many at once are one */
        s->told_of = true;
        s->wait_ms = SOON_MS;
        set_next_poll(s);
    }
}

static void
lost(struct store *s, const char *why)
{
    (void)snprintf(s->why, sizeof(s->why), "%s: %s", s->path, why);
    if (s->up || !s->told) {
        s->up = false;
        s->told = true;
        s->events.reachable(s->owner, false, s->why);
    }
}

static void
found(struct store *s)
{
    if (!s->up) {
        s->up = true;
        s->told = true;
        s->events.reachable(s->owner, true, "");
    }
}

static void
refresh_deadline(struct store *s)
{
    if (s->visits) {
        s->deadline_ms = UINT64_MAX;
    } else if (!gw_db_next_deadline(s->db, &s->deadline_ms)) {
        s->deadline_ms = 0; /* not known: look again at the next poll */
    }
    set_next_poll(s);
}

/* What was deleted is in no list. */
static void
tell_deleted(struct store *s, uint64_t since)
{
    struct gw_db_state state = {0};

    if (since < s->revision && gw_db_changes(s->db, since, &state) && state.n > 0 &&
        strcmp(state.epoch, s->epoch) == 0 && state.revision >= s->revision) {
        s->revision = state.revision;
        s->events.changed(s->owner, state.changes, state.n, state.revision);
    } else {
        s->events.changed(s->owner, NULL, 0, s->revision);
    }
    gw_db_state_fini(&state);
}

/* Gives the owner everything.  False: the file can't be read; the next poll tries again. */
static bool
list(struct store *s, const char *reason)
{
    struct gw_db_state state = {0};
    bool ok = gw_db_list(s->db, &state);

    if (ok) {
        struct gw_object **objects = gw_mem_alloc((state.n + 1) * sizeof(struct gw_object *));

        for (size_t i = 0; i < state.n; i++) {
            objects[i] = state.changes[i].object;
        }
        s->listed = true;
        s->skipped = state.skipped;
        s->revision = state.revision;
        memcpy(s->epoch, state.epoch, sizeof(s->epoch));
        found(s);
        uint64_t since =
            s->events.listed(s->owner, objects, state.n, state.revision, state.epoch, reason);
        free(objects);
        if (since != GW_STORE_ALL_TOLD) {
            tell_deleted(s, since);
        }
    } else {
        lost(s, gw_db_why(s->db));
    }
    gw_db_state_fini(&state);
    return ok;
}

/* Why what the database says does not continue what we know, or NULL. */
static const char *
broken_line(const struct store *s, const struct gw_db_state *state)
{
    if (strcmp(s->epoch, state->epoch) != 0) {
        return "the registry's content was replaced (its epoch changed)";
    }
    if (state->revision < s->revision) {
        return "the registry went back to an older revision";
    }
    if (state->revision > s->revision && state->oldest > s->revision + 1) {
        return "changes were missed that are no longer kept";
    }
    return NULL;
}

/* Gives the owner what is new, whoever wrote it. */
static void
follow(struct store *s)
{
    struct gw_db_state state = {0};

    if (!s->listed) {
        (void)list(s, NULL);
        return;
    }
    if (!gw_db_changes(s->db, s->revision, &state)) {
        lost(s, gw_db_why(s->db));
    } else if (broken_line(s, &state) != NULL) {
        (void)list(s, broken_line(s, &state));
    } else {
        found(s);
        if (state.revision > s->revision) {
            s->revision = state.revision;
            s->events.changed(s->owner, state.changes, state.n, state.revision);
        }
    }
    gw_db_state_fini(&state);
}

static void
note_file(struct store *s)
{
    struct stat st;

    if (stat(s->path, &st) == 0) {
        s->device = st.st_dev;
        s->inode = st.st_ino;
    }
}

static bool
is_same_file(const struct store *s)
{
    struct stat st;

    return stat(s->path, &st) == 0 && st.st_dev == s->device && st.st_ino == s->inode;
}

/* Once a second: a file that was replaced under us (restored from a backup, say) is opened
 * anew; one that was removed is as good as lost until somebody puts one there. */
static void
look_at_file(struct store *s)
{
    struct stat st;
    struct gw_diag diag = {0};

    if (s->db != NULL && is_same_file(s)) {
        return;
    }
    gw_db_close(s->db);
    s->db = NULL;
    if (stat(s->path, &st) != 0) {
        lost(s, "the file is gone; put it back or restart ksgate to make a new one");
        return;
    }
    s->db = gw_db_open(s->path, !s->visits, &diag);
    if (s->db == NULL) {
        lost(s, gw_diag_first(&diag));
    } else {
        note_file(s);
        refresh_deadline(s);
        (void)list(s, "the registry's file was replaced");
    }
    gw_diag_fini(&diag);
}

/* What was refused may have been so for want of room, of which what is new takes most. */
static void
note_refusal(struct store *s, bool puts, const char *why)
{
    gw_refusals_add(&s->refusals, s->path, puts && gw_db_is_full(s->db), why);
}

/* From then on nobody could renew a lease. */
static void
bar(struct store *s, uint64_t since_ms, const char *by)
{
    if (s->barred_ms == 0) {
        s->barred_ms = since_ms;
        s->barred_by = by;
    }
}

/* The file has not done what the clock wants of it.  Each try may wait for a lock: not as often as
 * else. */
static void
note_overdue(struct store *s)
{
    s->overdue = true;
    bar(s, gw_clock_mono_ms(), "the file took no writes");
    note_refusal(s, false, gw_db_why(s->db));
}

/* Deadlines are on the wall clock, which others read, too.  When it is set, an hour forward would
 * end all leases at once, and an hour back would keep the dead alive.  Neither counts time in which
 * nobody could renew: this process was stopped (a container that was paused), or the file locked.
 * False: the leases still have the old time. */
static bool
follow_clock(struct store *s)
{
    uint64_t wall = gw_clock_wall_ms();
    uint64_t mono = gw_clock_mono_ms();
    long long jump = (long long)(wall - s->wall_ms) - (long long)(mono - s->mono_ms);
    bool was_set = jump > CLOCK_JUMP_MS || jump < -CLOCK_JUMP_MS;

    if (was_set || s->barred_ms > 0) {
        if (!gw_db_lease_anew(s->db, wall)) {
            return false;
        }
        if (was_set) {
            gw_log_warn("registry: the clock was set by %lld s: leases begin anew", jump / 1000);
        } else {
            gw_log_warn("registry: %s for %.1f s, and nobody could renew: leases begin anew",
                        s->barred_by, (double)(mono - s->barred_ms) / 1000);
        }
        s->barred_ms = 0;
        gw_refusals_end(&s->refusals, s->path, false);
        refresh_deadline(s);
    }
    s->wall_ms = wall;
    s->mono_ms = mono;
    return true;
}

static void
expire(struct store *s)
{
    s->overdue = false;
    if (!follow_clock(s)) {
        note_overdue(s);
        return;
    }
    if (gw_clock_wall_ms() < s->deadline_ms) {
        return;
    }
    if (gw_db_expire(s->db, gw_clock_wall_ms())) {
        gw_refusals_end(&s->refusals, s->path, false);
        follow(s);
    } else {
        note_overdue(s);
    }
    refresh_deadline(s);
}

static void
on_poll(evutil_socket_t fd, short what, void *arg)
{
    struct store *s = arg;
    uint64_t now = gw_clock_mono_ms();

    (void)fd;
    (void)what;
    if (now > s->poll_ms && now - s->poll_ms > CLOCK_JUMP_MS) {
        bar(s, s->poll_ms, "the gateway stood still");
    }
    s->poll_ms = UINT64_MAX;
    s->told_of = false;
    if (now >= s->file_poll_ms) {
        s->file_poll_ms = now + FILE_POLL_MS;
        look_at_file(s);
        s->noticed = gw_notice_watch(s->notice);
    }
    if (s->db != NULL) {
        if (gw_db_touched(s->db) || !s->listed || !s->up) {
            follow(s);
            refresh_deadline(s);
        }
        if (!s->visits) {
            expire(s);
        }
    }
    set_next_poll(s);
    s->wait_ms = s->wait_ms < FILE_POLL_MS ? 2 * s->wait_ms : FILE_POLL_MS;
}

static void *
open_store(const void *conf, struct event_base *base, const struct gw_store_events *events,
           void *owner, struct gw_diag *diag)
{
    const struct gw_registry_sqlite *c = conf;
    struct gw_db *db = gw_db_open(c->path, !c->visits, diag);

    if (db == NULL) {
        return NULL;
    }
    struct store *s = gw_mem_alloc(sizeof(*s));
    s->path = gw_mem_strdup(c->path);
    s->visits = c->visits;
    s->db = db;
    s->events = *events;
    s->owner = owner;
    s->poll = event_new(base, -1, 0, on_poll, s);
    s->notice = gw_notice_new(base, s->path, on_notice, s);
    s->wait_ms = SOON_MS;
    s->poll_ms = UINT64_MAX;
    s->wall_ms = gw_clock_wall_ms();
    s->mono_ms = gw_clock_mono_ms();
    s->deadline_ms = s->visits ? UINT64_MAX : 0;
    assert(s->poll != NULL);
    note_file(s);
    set_poll(s, 0); /* the first list comes from the event loop, as with every driver */
    return s;
}

/* Before a write: the owner must have the list before the change. */
static bool
is_ready(struct store *s, gw_store_done_fn *done, void *arg)
{
    struct gw_store_answer answer = {.result = GW_STORE_UNAVAILABLE};

    if (s->db != NULL && (s->listed || list(s, NULL))) {
        return true;
    }
    answer.text = s->why;
    done(arg, &answer);
    return false;
}

/* After a write: the owner sees the change before the writer gets the answer. */
static void
settle(struct store *s, const struct gw_store_answer *answer, bool puts, gw_store_done_fn *done,
       void *arg)
{
    if (answer->result == GW_STORE_UNAVAILABLE) {
        note_refusal(s, puts, answer->text);
    } else if (answer->result == GW_STORE_OK) {
        gw_refusals_end(&s->refusals, s->path, puts);
        follow(s);
        refresh_deadline(s);
    }
    done(arg, answer);
}

static void
put(void *store, const struct gw_store_put *p, gw_store_done_fn *done, void *arg)
{
    struct store *s = store;
    struct gw_store_answer answer;

    if (is_ready(s, done, arg)) {
        gw_db_put(s->db, p, &answer);
        settle(s, &answer, true, done, arg);
    }
}

static void
put_all(void *store, const struct gw_store_put *puts, size_t n, gw_store_done_fn *done, void *arg)
{
    struct store *s = store;
    struct gw_store_answer answer;

    if (is_ready(s, done, arg)) {
        gw_db_put_all(s->db, puts, n, &answer);
        settle(s, &answer, true, done, arg);
    }
}

static void
remove_object(void *store, const char *key, enum gw_store_when when, uint64_t revision,
              gw_store_done_fn *done, void *arg)
{
    struct store *s = store;
    struct gw_store_answer answer;

    if (is_ready(s, done, arg)) {
        gw_db_remove(s->db, key, when, revision, &answer);
        settle(s, &answer, false, done, arg);
    }
}

static void
renew(void *store, const char *key, uint64_t revision, long long lease_ms, gw_store_done_fn *done,
      void *arg)
{
    struct store *s = store;
    struct gw_store_answer answer;

    if (is_ready(s, done, arg)) {
        gw_db_renew(s->db, key, revision, lease_ms, &answer);
        settle(s, &answer, false, done, arg);
    }
}

static void
leases(void *store, const char *const *keys, size_t n, gw_store_leases_fn *done, void *arg)
{
    struct store *s = store;
    uint64_t *until_ms = gw_mem_alloc((n + 1) * sizeof(*until_ms));

    done(arg, gw_db_leases(s->db, keys, n, until_ms) ? until_ms : NULL);
    free(until_ms);
}

static void
status(void *store, struct gw_store_status *out)
{
    const struct store *s = store;

    out->quarantined = s->skipped;
    gw_refusals_status(&s->refusals, out);
}

static void
close_store(void *store)
{
    struct store *s = store;

    event_free(s->poll);
    gw_notice_free(s->notice);
    gw_db_close(s->db);
    free(s->path);
    free(s);
}

const struct gw_store_driver gw_store_sqlite = {
    .name = "sqlite",
    .open = open_store,
    .put = put,
    .put_all = put_all,
    .remove = remove_object,
    .renew = renew,
    .leases = leases,
    .status = status,
    .close = close_store,
};
