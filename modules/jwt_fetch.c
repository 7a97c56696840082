/*
 * jwt_fetch.c - when a source is asked, and by whom.
 *
 *     idle -- due, or asked for --> (the document that names the set) --> the set --> idle
 */
#include "modules/jwt_fetch.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include <curl/curl.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "modules/jwt_answer.h"
#include "modules/jwt_known.h"

/* After a failure, twice as long each time. */
#define AGAIN_FIRST_MS 1000
#define AGAIN_MAX_MS   60000
/* Of what an answer says of its freshness; and less, by chance, so that a fleet does not come all
 * at once. */
#define FRESH_PERCENT  80
#define JITTER_PERCENT 10

static struct fetcher {
    struct gw_mailbox *mailbox;
    pthread_t thread;
    CURLM *multi;
    struct gw_jwt_fetch_settings settings;
    char *file; /* of the settings; owned */
    struct gw_world *const *worlds;
    size_t n_worlds;
    bool stopping;
} * the_fetcher; /* control's; the thread has it as its argument */

/* ---- the workers are told ---------------------------------------------------------------------
 */

static void
tell(struct fetcher *f, struct gw_jwt_source *s, struct gw_jwt_keyset *keys, bool wake)
{
    struct gw_jwt_news news = {
        .keys = keys,
        .ask_after_ms = s->fetch->ask_after_ms,
        .asked_ms = s->fetch->asked_ms,
        .failed = atomic_load(&s->trouble) != NULL,
        .wake = wake,
    };

    for (size_t i = 0; i < f->n_worlds; i++) {
        gw_jwt_news_send(s, f->worlds[i], &news);
    }
}

/* Another set is in force. */
static void
publish(struct fetcher *f, struct gw_jwt_source *s, bool wake)
{
    struct gw_jwt_keyset *keys = gw_jwt_entries_set(s);
    unsigned old = 0;

    for (size_t i = 0; i < s->n_entries; i++) {
        old += s->entries[i].until_ms != 0;
    }
    atomic_store(&s->n_keys, (unsigned)s->n_entries);
    atomic_store(&s->n_old, old);
    tell(f, s, keys, wake);
    gw_jwt_keyset_unref(keys);
    if (!gw_jwt_known_write(f->file)) {
        gw_log_warn("the issuers' keys can't be kept in %s: after a restart, they have to be "
                    "fetched first: %s",
                    f->file, strerror(errno));
    }
}

/* ---- a question and its answer ----------------------------------------------------------------
 */

static uint64_t
by_chance(uint64_t ms)
{
    uint64_t dice = gw_clock_mono_us();
    uint64_t chance = gw_hash((struct gw_str){(const char *)&dice, sizeof(dice)}) % 1000;

    return ms - ms * JITTER_PERCENT / 100 * chance / 1000;
}

static uint64_t
fresh_for(const struct fetcher *f, long long told_ms)
{
    const struct gw_jwt_fetch_settings *s = &f->settings;
    long long ms = told_ms < 0 ? s->refresh_ms : told_ms / 100 * FRESH_PERCENT;

    ms = ms > s->refresh_max_ms ? s->refresh_max_ms : ms;
    ms = ms < s->refresh_min_ms ? s->refresh_min_ms : ms;
    return by_chance((uint64_t)ms);
}

static uint64_t
again_in(unsigned failures)
{
    uint64_t ms = failures > 6 ? AGAIN_MAX_MS : (uint64_t)AGAIN_FIRST_MS << (failures - 1);

    return by_chance(ms > AGAIN_MAX_MS ? AGAIN_MAX_MS : ms);
}

static void over(struct fetcher *f, struct gw_jwt_source *s, enum gw_jwt_fetched how,
                 const char *trouble);

static void
ask_for(struct fetcher *f, struct gw_jwt_source *s, const char *url)
{
    s->fetch->get = gw_jwt_get_start(f->multi, url, s->name.ca_file, f->settings.timeout_ms, s);
    if (s->fetch->get == NULL) {
        over(f, s, GW_JWT_FETCH_FAILED, "its address, or ca_file, is not usable");
    }
}

static void
begin(struct fetcher *f, struct gw_jwt_source *s, bool demanded)
{
    struct gw_jwt_fetch *t = s->fetch;

    t->naming = s->name.discovery;
    t->begun_ms = gw_clock_wall_ms();
    t->due_ms = UINT64_MAX;
    t->wanted = false;
    if (demanded) {
        t->ask_after_ms = gw_clock_mono_ms() + (uint64_t)f->settings.refetch_ms;
    }
    ask_for(f, s, s->name.url);
}

/* It has come to an end, and here is what came of it. */
static void
over(struct fetcher *f, struct gw_jwt_source *s, enum gw_jwt_fetched how, const char *trouble)
{
    struct gw_jwt_fetch *t = s->fetch;
    uint64_t now_ms = gw_clock_mono_ms();
    long long fresh_ms = t->get == NULL ? -1 : gw_jwt_get_fresh_ms(t->get);

    gw_jwt_get_free(t->get);
    t->get = NULL;
    t->failures = how == GW_JWT_FETCH_FAILED ? t->failures + 1 : 0;
    t->due_ms = now_ms + (t->failures > 0 ? again_in(t->failures) : fresh_for(f, fresh_ms));
    t->asked_ms = how == GW_JWT_FETCH_FAILED ? t->asked_ms : t->begun_ms;
    gw_jwt_answer_note(s, how, trouble);
    if (how == GW_JWT_FETCH_CHANGED) {
        publish(f, s, true);
    } else {
        tell(f, s, NULL, true);
    }
}

static void
on_answer(struct fetcher *f, struct gw_jwt_source *s, CURLcode code)
{
    struct gw_jwt_fetch *t = s->fetch;
    const char *trouble = gw_jwt_get_trouble(t->get, code);

    if (trouble == NULL && t->naming) {
        char *url = gw_jwt_answer_url(s, gw_jwt_get_body(t->get), &trouble);

        if (url != NULL) {
            gw_jwt_get_free(t->get);
            t->get = NULL;
            t->naming = false;
            ask_for(f, s, url);
            free(url);
            return;
        }
    }
    enum gw_jwt_fetched how = GW_JWT_FETCH_FAILED;
    if (trouble == NULL) {
        how = gw_jwt_answer_keys(s, gw_jwt_get_body(t->get), &trouble);
    }
    over(f, s, how, trouble);
}

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
shorten(struct fetcher *f, struct gw_jwt_source *s)
{
    uint64_t latest = gw_clock_mono_ms() + (uint64_t)f->settings.refetch_ms;

    if (s->fetch->ask_after_ms > latest) {
        s->fetch->ask_after_ms = latest;
        tell(f, s, NULL, false);
    }
}

static void
set_used(struct fetcher *f, struct gw_jwt_source *s, const struct use_mail *m)
{
    bool used = false;

    for (size_t i = 0; i < m->n; i++) {
        used = used || m->list[i] == s;
    }
    if (used && s->fetch == NULL) {
        s->fetch = gw_mem_alloc(sizeof(*s->fetch));
    }
    if (s->fetch != NULL && !used) {
        gw_jwt_get_free(s->fetch->get);
        s->fetch->get = NULL;
        s->fetch->due_ms = UINT64_MAX;
    } else if (used && !atomic_load(&s->used)) {
        s->fetch->due_ms = 0;
    }
    atomic_store(&s->used, used);
    if (used) {
        shorten(f, s);
    }
}

static void
run_use(struct gw_mail *mail, void *receiver)
{
    struct use_mail *m = (struct use_mail *)mail;
    struct fetcher *f = receiver;
    const char *why = NULL;

    free(f->file);
    f->file = m->file;
    f->settings = m->settings;
    for (struct gw_jwt_source *s = gw_jwt_sources(); s != NULL; s = s->next) {
        set_used(f, s, m);
    }
    json_decref(gw_jwt_known_read(f->file, &why));
    if (why != NULL) {
        gw_jwt_known_set_aside(f->file);
    }
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
    struct fetcher *f = receiver;

    f->stopping = true;
    free(mail);
}

/* ---- the thread
 * ---------------------------------------------------------------------------------- */

/* Begins what is due, forgets what is over; returns how long there is nothing else to do. */
static int
look_at_clock(struct fetcher *f)
{
    uint64_t now_ms = gw_clock_mono_ms();
    uint64_t wall_ms = gw_clock_wall_ms();
    uint64_t next_ms =
        AGAIN_MAX_MS; /* clocks may be set, and deadlines of the wall clock with them */

    for (struct gw_jwt_source *s = gw_jwt_sources(); s != NULL; s = s->next) {
        struct gw_jwt_fetch *t = s->fetch;

        if (t == NULL || !atomic_load(&s->used)) {
            continue;
        }
        if (gw_jwt_entries_expire(s, wall_ms)) {
            gw_jwt_answer_say(s, "keys that left the set a while ago are no longer taken");
            publish(f, s, false);
        }
        if (t->get == NULL && now_ms >= t->due_ms) {
            begin(f, s, t->wanted);
        }
        uint64_t until = gw_jwt_entries_until(s);
        uint64_t due = t->due_ms == UINT64_MAX ? next_ms : t->due_ms - now_ms;
        next_ms = due < next_ms ? due : next_ms;
        next_ms = until - wall_ms < next_ms ? until - wall_ms : next_ms;
    }
    return (int)next_ms + 1;
}

static void
take_answers(struct fetcher *f)
{
    CURLMsg *m;
    int left = 0;

    while ((m = curl_multi_info_read(f->multi, &left)) != NULL) {
        if (m->msg == CURLMSG_DONE) {
            on_answer(f, gw_jwt_get_owner(m->easy_handle), m->data.result);
        }
    }
}

static void *
run(void *arg)
{
    struct fetcher *f = arg;
    struct curl_waitfd mail = {.fd = gw_mailbox_fd(f->mailbox), .events = CURL_WAIT_POLLIN};
    int running = 0;

    gw_log_name("keys");
    while (!f->stopping) {
        int ms = look_at_clock(f);

        (void)curl_multi_perform(f->multi, &running);
        (void)curl_multi_poll(f->multi, &mail, 1, ms, NULL);
        (void)gw_mailbox_run(f->mailbox, f);
        (void)curl_multi_perform(f->multi, &running);
        take_answers(f);
    }
    gw_arena_trim();
    return NULL;
}

static bool
start(struct gw_world *const *worlds, size_t n_worlds)
{
    struct fetcher *f = gw_mem_alloc(sizeof(*f));
    sigset_t all;
    sigset_t before;

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK ||
        (f->multi = curl_multi_init()) == NULL) {
        free(f);
        return false;
    }
    f->worlds = worlds;
    f->n_worlds = n_worlds;
    f->mailbox = gw_mailbox_new();
    the_fetcher = f;
    sigfillset(&all); /* signals are the control thread's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&f->thread, NULL, run, f);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0) {
        gw_log_error("no thread can be started to fetch keys: %s", strerror(error));
        abort();
    }
    (void)pthread_setname_np(f->thread, "keys");
    return true;
}

void
gw_jwt_fetch_use(const struct gw_jwt_fetch_settings *settings, struct gw_jwt_source *const *list,
                 size_t n, struct gw_world *const *worlds, size_t n_worlds)
{
    if (the_fetcher == NULL && (n == 0 || !start(worlds, n_worlds))) {
        return;
    }
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
    struct fetcher *f = the_fetcher;
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
    (void)curl_multi_cleanup(f->multi);
    curl_global_cleanup();
    free(f->file);
    free(f);
    the_fetcher = NULL;
}
