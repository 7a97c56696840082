/* jwt_question.c - one question to an issuer after the other, and who hears of the answers. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "modules/jwt_fetch_private.h"
#include "modules/jwt_known.h"

/* After a failure, twice as long each time. */
#define AGAIN_FIRST_MS 1000
/* Of what an answer says of its freshness; and less, by chance, so that a fleet does not come all
 * at once. */
#define FRESH_PERCENT  80
#define JITTER_PERCENT 10

/* ---- the workers are told ---------------------------------------------------------------------
 */

void
gw_jwt_tell(struct gw_jwt_fetcher *f, struct gw_jwt_source *s, struct gw_jwt_keyset *keys,
            bool wake)
{
    struct gw_jwt_news news = {
        .keys = keys,
        .ask_after_ms = s->fetch->ask_after_ms,
        .asked_ms = s->fetch->asked_ms,
        .answered = s->fetch->answered,
        .failed = atomic_load(&s->trouble) != NULL || !atomic_load(&s->used),
        .wake = wake,
    };

    for (size_t i = 0; i < f->n_worlds; i++) {
        gw_jwt_news_send(s, f->worlds[i], &news);
    }
}

/* What fails is tried again with the next answer, and said once. */
void
gw_jwt_save(struct gw_jwt_fetcher *f)
{
    if (!f->unsaved) {
        return;
    }
    f->unsaved = !gw_jwt_known_write(f->file);
    if (f->unsaved && !f->save_failed) {
        gw_log_warn("the issuers' keys can't be kept in %s: after a restart, they have to be "
                    "fetched first: %s",
                    f->file, strerror(errno));
    } else if (!f->unsaved && f->save_failed) {
        gw_log_info("the issuers' keys are kept in %s again", f->file);
    }
    f->save_failed = f->unsaved;
}

/* Another set is in force. */
void
gw_jwt_publish(struct gw_jwt_fetcher *f, struct gw_jwt_source *s, bool wake)
{
    struct gw_jwt_keyset *keys = gw_jwt_entries_set(s);
    unsigned old = 0;

    for (size_t i = 0; i < s->n_entries; i++) {
        old += s->entries[i].until_ms != 0;
    }
    atomic_store(&s->n_keys, (unsigned)s->n_entries);
    atomic_store(&s->n_old, old);
    gw_jwt_tell(f, s, keys, wake);
    gw_jwt_keyset_unref(keys);
    f->unsaved = true;
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
fresh_for(const struct gw_jwt_fetcher *f, long long told_ms)
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
    uint64_t ms = failures > 6 ? GW_JWT_AGAIN_MAX_MS : (uint64_t)AGAIN_FIRST_MS << (failures - 1);

    return by_chance(ms > GW_JWT_AGAIN_MAX_MS ? GW_JWT_AGAIN_MAX_MS : ms);
}

static void over(struct gw_jwt_fetcher *f, struct gw_jwt_source *s, enum gw_jwt_fetched how,
                 const char *trouble);

static void on_over(void *thread, void *owner, CURLcode code);

static void
ask_for(struct gw_jwt_fetcher *f, struct gw_jwt_source *s, const char *url)
{
    const struct gw_jwt_ask ask = {
        .url = url,
        .ca_file = s->name.ca_file,
        .timeout_ms = f->settings.timeout_ms,
        .over = on_over,
        .owner = s,
    };

    s->fetch->get = gw_jwt_get_start(f->multi, &ask);
    if (s->fetch->get == NULL) {
        over(f, s, GW_JWT_FETCH_FAILED, "its address, or ca_file, is not usable");
    }
}

void
gw_jwt_question_begin(struct gw_jwt_fetcher *f, struct gw_jwt_source *s, bool demanded)
{
    struct gw_jwt_fetch *t = s->fetch;

    atomic_fetch_add(&s->begun, 1); /* who has asked before this is answered by it */
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
over(struct gw_jwt_fetcher *f, struct gw_jwt_source *s, enum gw_jwt_fetched how,
     const char *trouble)
{
    struct gw_jwt_fetch *t = s->fetch;
    uint64_t now_ms = gw_clock_mono_ms();
    long long fresh_ms = t->get == NULL ? -1 : gw_jwt_get_fresh_ms(t->get);

    gw_jwt_get_free(t->get);
    t->get = NULL;
    t->failures = how == GW_JWT_FETCH_FAILED ? t->failures + 1 : 0;
    t->due_ms = now_ms + (t->failures > 0 ? again_in(t->failures) : fresh_for(f, fresh_ms));
    if (how != GW_JWT_FETCH_FAILED) {
        t->asked_ms = t->begun_ms;
        t->answered = atomic_load(&s->begun);
    }
    gw_jwt_answer_note(s, how, trouble);
    if (how == GW_JWT_FETCH_CHANGED) {
        gw_jwt_publish(f, s, true);
    } else {
        gw_jwt_tell(f, s, NULL, true);
    }
    gw_jwt_save(f);
}

/* What it has asked for last is over. */
static void
on_over(void *thread, void *owner, CURLcode code)
{
    struct gw_jwt_fetcher *f = thread;
    struct gw_jwt_source *s = owner;
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
