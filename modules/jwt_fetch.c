/*
 * jwt_fetch.c - the thread that fetches keys: when a source is asked, and by whom.
 *
 *     idle -- due, or asked for --> (the document that names the set) --> the set --> idle
 */
#include "modules/jwt_fetch.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "modules/jwt_fetch_private.h"
#include "modules/jwt_known.h"

static struct gw_jwt_fetcher *the_fetcher; /* control's; the thread has it as its argument */

/* ---- mail --------------------------------------------------------------------------------------
 */

struct use_mail {
    struct gw_mail mail;
    struct gw_jwt_fetch_settings settings;
    char *file; /* heap; goes on to the thread */
    size_t n;
    struct gw_jwt_source *list[];
};

struct ask_mail {
    struct gw_mail mail;
    struct gw_jwt_source *source;
    struct gw_world *world;
};

/* Nobody waits longer than the settings say now, whatever they said before. */
static void
shorten(struct gw_jwt_fetcher *f, struct gw_jwt_source *s, struct gw_jwt_fetch *t)
{
    uint64_t latest = gw_clock_mono_ms() + (uint64_t)f->settings.refetch_ms;

    if (t->ask_after_ms > latest) {
        t->ask_after_ms = latest;
        gw_jwt_tell(f, s, NULL, false);
    }
}

/* Another old_keys or ca_file makes another source, of the same keys. */
static void
inherit(struct gw_jwt_fetcher *f, struct gw_jwt_source *s)
{
    const struct gw_jwt_source *from = NULL;

    for (const struct gw_jwt_source *o = gw_jwt_sources(); o != NULL; o = o->next) {
        if (o != s && o->fetch != NULL && o->n_entries > 0 &&
            strcmp(o->name.issuer, s->name.issuer) == 0 && strcmp(o->name.url, s->name.url) == 0 &&
            (from == NULL || atomic_load(&o->fetched_ms) > atomic_load(&from->fetched_ms))) {
            from = o;
        }
    }
    if (from != NULL && atomic_load(&from->fetched_ms) > atomic_load(&s->fetched_ms)) {
        gw_jwt_entries_take_over(s, from, gw_clock_wall_ms());
        atomic_store(&s->fetched_ms, atomic_load(&from->fetched_ms));
        gw_jwt_publish(f, s, true);
    }
}

static void
set_used(struct gw_jwt_fetcher *f, struct gw_jwt_source *s, const struct use_mail *m, bool first)
{
    bool used = false;

    for (size_t i = 0; i < m->n; i++) {
        used = used || m->list[i] == s;
    }
    if (!used && s->fetch == NULL) {
        return; /* it never was in use */
    }
    bool known = s->fetch != NULL;
    struct gw_jwt_fetch *t = known ? s->fetch : gw_mem_alloc(sizeof(*t));
    bool before = atomic_exchange(&s->used, used);
    s->fetch = t;
    if (!used) {
        gw_jwt_get_free(t->get);
        t->get = NULL;
        t->due_ms = UINT64_MAX;
        if (before) {
            gw_jwt_tell(f, s, NULL, true); /* requests of before wait for what will not come */
        }
        return;
    }
    t->due_ms = before ? t->due_ms : 0;
    shorten(f, s, t);
    if (!known) {
        inherit(f, s);
    }
    if (!before && s->n_entries > 0 && !first) {
        f->unsaved = true; /* what is not in use is not in the file */
    }
}

/* As far as it can be read: what can't be just now is left alone, and not written over. */
static void
look_at_file(struct gw_jwt_fetcher *f)
{
    struct gw_jwt_doubt doubt;

    json_decref(gw_jwt_known_read(f->file, &doubt));
    if (doubt.bad || doubt.foreign) {
        gw_jwt_known_set_aside(f->file);
        f->unsaved = true;
    }
    if (doubt.why == NULL || doubt.bad) {
        gw_jwt_save(f);
    }
}

static void
run_use(struct gw_mail *mail, void *receiver)
{
    struct use_mail *m = (struct use_mail *)mail;
    struct gw_jwt_fetcher *f = receiver;
    bool first = f->file == NULL; /* then what is known came from the file */

    f->unsaved = f->unsaved || (!first && strcmp(f->file, m->file) != 0);
    free(f->file);
    f->file = m->file;
    f->settings = m->settings;
    for (struct gw_jwt_source *s = gw_jwt_sources(); s != NULL; s = s->next) {
        set_used(f, s, m, first);
    }
    look_at_file(f);
    free(m);
}

/* Whoever asks is told when a question that is under way is over, or the next one, which may not be
 * too soon. */
static void
run_ask(struct gw_mail *mail, void *receiver)
{
    struct ask_mail *m = (struct ask_mail *)mail;
    struct gw_jwt_source *s = m->source;
    struct gw_jwt_fetch *t = s->fetch;

    (void)receiver;
    if (t == NULL || !atomic_load(&s->used)) { /* by requests of a configuration of before */
        gw_jwt_news_send(s, m->world, &(struct gw_jwt_news){.failed = true, .wake = true});
    } else if (t->get == NULL) {
        t->due_ms = t->ask_after_ms < t->due_ms ? t->ask_after_ms : t->due_ms;
        t->wanted = true;
    }
    free(m);
}

static void
run_stop(struct gw_mail *mail, void *receiver)
{
    struct gw_jwt_fetcher *f = receiver;

    f->stopping = true;
    free(mail);
}

/* ---- the thread
 * ---------------------------------------------------------------------------------- */

/* Begins what is due, forgets what is over; returns how long there is nothing else to do. */
static int
look_at_clock(struct gw_jwt_fetcher *f)
{
    uint64_t now_ms = gw_clock_mono_ms();
    uint64_t wall_ms = gw_clock_wall_ms();
    uint64_t next_ms =
        GW_JWT_AGAIN_MAX_MS; /* clocks may be set, and deadlines of the wall clock with them */

    for (struct gw_jwt_source *s = gw_jwt_sources(); s != NULL; s = s->next) {
        struct gw_jwt_fetch *t = s->fetch;

        if (t == NULL || !atomic_load(&s->used)) {
            continue;
        }
        if (gw_jwt_entries_expire(s, wall_ms)) {
            gw_jwt_answer_say(s, "keys that left the set a while ago are no longer taken");
            gw_jwt_publish(f, s, false);
            gw_jwt_save(f);
        }
        if (t->get == NULL && now_ms >= t->due_ms) {
            gw_jwt_question_begin(f, s, t->wanted);
        }
        uint64_t until = gw_jwt_entries_until(s);
        uint64_t due = t->due_ms == UINT64_MAX ? next_ms : t->due_ms - now_ms;
        next_ms = due < next_ms ? due : next_ms;
        next_ms = until - wall_ms < next_ms ? until - wall_ms : next_ms;
    }
    return (int)next_ms + 1;
}

static void
take_answers(struct gw_jwt_fetcher *f)
{
    CURLMsg *m;
    int left = 0;

    while ((m = gw_curl()->multi_info_read(f->multi, &left)) != NULL) {
        if (m->msg == CURLMSG_DONE) {
            gw_jwt_get_over(m->easy_handle, f, m->data.result);
        }
    }
}

static void *
run(void *arg)
{
    struct gw_jwt_fetcher *f = arg;
    struct curl_waitfd mail = {.fd = gw_mailbox_fd(f->mailbox), .events = CURL_WAIT_POLLIN};
    int running = 0;

    gw_log_name("keys");
    while (!f->stopping) {
        /* What is over is looked at before there is a wait, however fast it was: a connection that
         * is refused may be over at once. */
        (void)gw_curl()->multi_perform(f->multi, &running);
        take_answers(f);
        (void)gw_curl()->multi_poll(f->multi, &mail, 1, look_at_clock(f), NULL);
        (void)gw_mailbox_run(f->mailbox, f);
    }
    gw_arena_trim();
    return NULL;
}

static void
start(struct gw_world *const *worlds, size_t n_worlds)
{
    struct gw_jwt_fetcher *f = gw_mem_alloc(sizeof(*f));
    sigset_t all;
    sigset_t before;

    (void)gw_curl()->global_init(CURL_GLOBAL_DEFAULT); /* if it fails, so does the next */
    f->multi = gw_curl()->multi_init();
    f->worlds = worlds;
    f->n_worlds = n_worlds;
    f->mailbox = gw_mailbox_new();
    the_fetcher = f;
    sigfillset(&all); /* signals are the control thread's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = f->multi == NULL ? ENOMEM : pthread_create(&f->thread, NULL, run, f);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0) { /* as with memory, there is no going on */
        gw_log_error("no thread can be started to fetch keys: %s", strerror(error));
        abort();
    }
    (void)pthread_setname_np(f->thread, "keys");
}

void
gw_jwt_fetch_start(struct gw_world *const *worlds, size_t n_worlds)
{
    if (the_fetcher == NULL) {
        start(worlds, n_worlds);
    }
}

void
gw_jwt_fetch_on_stop(void (*fn)(void))
{
    the_fetcher->on_stop = fn;
}

void
gw_jwt_fetch_send(struct gw_mail *mail)
{
    gw_mailbox_send(the_fetcher->mailbox, mail);
}

CURLM *
gw_jwt_fetch_multi(void *thread)
{
    return ((struct gw_jwt_fetcher *)thread)->multi;
}

void
gw_jwt_fetch_use(const struct gw_jwt_fetch_settings *settings, struct gw_jwt_source *const *list,
                 size_t n, struct gw_world *const *worlds, size_t n_worlds)
{
    if (n == 0 && (the_fetcher == NULL || !the_fetcher->follows)) {
        return;
    }
    gw_jwt_fetch_start(worlds, n_worlds);
    the_fetcher->follows = true;
    struct use_mail *m = gw_mem_alloc(sizeof(*m) + n * sizeof(struct gw_jwt_source *));
    m->mail.run = run_use;
    m->settings = *settings;
    m->file = gw_mem_strdup(settings->file);
    m->n = n;
    for (size_t i = 0; i < n; i++) {
        m->list[i] = list[i];
    }
    gw_mailbox_send(the_fetcher->mailbox, &m->mail);
}

void
gw_jwt_fetch_ask(struct gw_jwt_source *s, struct gw_world *w)
{
    struct ask_mail *m = gw_mem_alloc(sizeof(*m));

    *m = (struct ask_mail){.mail.run = run_ask, .source = s, .world = w};
    gw_mailbox_send(the_fetcher->mailbox, &m->mail);
}

void
gw_jwt_fetch_stop(void)
{
    struct gw_jwt_fetcher *f = the_fetcher;
    struct gw_mail *m;

    if (f == NULL) {
        return;
    }
    m = gw_mem_alloc(sizeof(*m));
    m->run = run_stop;
    gw_mailbox_send(f->mailbox, m);
    (void)pthread_join(f->thread, NULL);
    gw_mailbox_free(f->mailbox, f);
    for (struct gw_jwt_source *s = gw_jwt_sources(); s != NULL; s = s->next) {
        if (s->fetch != NULL) {
            gw_jwt_get_free(s->fetch->get);
            s->fetch->get = NULL;
        }
    }
    if (f->on_stop != NULL) {
        f->on_stop();
    }
    (void)gw_curl()->multi_cleanup(f->multi);
    gw_curl()->global_cleanup();
    free(f->file);
    free(f);
    the_fetcher = NULL;
}
