#include "modules/jwt_revoked.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "modules/jwt_cache.h"
#include "modules/jwt_hash.h"
#include "modules/jwt_revocation.h"

/* So many changes are kept beside the run, and copied with each further one (96 KiB, for all
 * workers together); then they become part of it, which is a walk over all. */
#define BESIDE_MAX 4096

struct gw_jwt_revoked {
    struct gw_piece piece; /* first */
    uint64_t serial;
    struct gw_revoked_run *run; /* a reference */
    struct gw_revoked_list more, less, news;
    bool all_news;  /* as good as all: news is empty */
    unsigned kinds; /* a bit for each enum gw_revoked_what that may be in there */
    unsigned news_kinds;
};

/* -- making one ------------------------------------------------------------------------------ */

static void
free_set(struct gw_piece *p)
{
    struct gw_jwt_revoked *set = (struct gw_jwt_revoked *)p;

    gw_revoked_run_unref(set->run);
    free(set->more.entries);
    free(set->less.entries);
    free(set->news.entries);
    free(set);
}

static struct gw_revoked_list
list_of(const struct gw_pieces *pieces)
{
    struct gw_revoked_list l = {.entries = gw_mem_alloc((pieces->n + 1) * sizeof(*l.entries))};

    for (; l.n < pieces->n; l.n++) {
        l.entries[l.n] = ((const struct gw_revocation *)pieces->list[l.n])->entry;
    }
    qsort(l.entries, l.n, sizeof(*l.entries), gw_revoked_compare);
    return l;
}

static void
clear(struct gw_revoked_list *l)
{
    free(l->entries);
    *l = (struct gw_revoked_list){0};
}

static unsigned
kinds_of(const struct gw_revoked_entry *entries, size_t n)
{
    unsigned kinds = 0;

    for (size_t i = 0; i < n; i++) {
        kinds |= 1U << (entries[i].key.low & 3);
    }
    return kinds;
}

static void
fold(struct gw_jwt_revoked *set, const struct gw_revoked_run *base)
{
    set->run = gw_revoked_run_new(base, &set->more, &set->less, gw_clock_wall_ms() / 1000);
    set->kinds = kinds_of(set->run->entries, set->run->n);
    clear(&set->more);
    clear(&set->less);
}

struct gw_piece *
gw_jwt_revoked_gather(struct gw_piece *before, const struct gw_pieces *gone,
                      const struct gw_pieces *come)
{
    static atomic_ullong last;
    static const struct gw_jwt_revoked nothing;
    const struct gw_jwt_revoked *old =
        before == NULL ? &nothing : (const struct gw_jwt_revoked *)before;
    struct gw_jwt_revoked *set = gw_mem_alloc(sizeof(*set));
    struct gw_revoked_list come_now = list_of(come);
    struct gw_revoked_list gone_now = list_of(gone);

    atomic_init(&set->piece.refs, 1);
    set->piece.free = free_set;
    set->serial = atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
    gw_revoked_cancel(&come_now, &gone_now);
    set->more = gw_revoked_merge(&old->more, &come_now);
    set->less = gw_revoked_merge(&old->less, &gone_now);
    gw_revoked_cancel(&set->more, &set->less);
    set->kinds = old->kinds | kinds_of(come_now.entries, come_now.n);
    if (old->run == NULL || set->more.n + set->less.n > BESIDE_MAX) {
        fold(set, old->run);
    } else {
        set->run = gw_revoked_run_ref(old->run);
    }
    set->all_news = come_now.n > BESIDE_MAX;
    set->news = come_now;
    set->news_kinds = set->all_news ? set->kinds : kinds_of(come_now.entries, come_now.n);
    if (set->all_news) {
        clear(&set->news);
    }
    clear(&gone_now);
    return &set->piece;
}

/* -- looking into it -------------------------------------------------------------------------- */

/* A token, and what is known of it. */
struct question {
    struct gw_revoked_key key;
    uint64_t issued_ms, now_ms;
};

/* Seconds that stand for ever are later than any clock. */
static uint64_t
ms_of(uint32_t seconds)
{
    return seconds == UINT32_MAX ? UINT64_MAX : (uint64_t)seconds * 1000;
}

static bool
counts(const struct gw_revoked_entry *e, const struct question *q)
{
    return q->issued_ms < ms_of(e->before_s) && q->now_ms < ms_of(e->until_s);
}

static bool
is_in_list(const struct gw_revoked_list *l, const struct question *q)
{
    size_t at = 0;
    size_t end = 0;

    gw_revoked_range(l, q->key, &at, &end);
    while (at < end && !counts(&l->entries[at], q)) {
        at++;
    }
    return at < end;
}

static size_t
copies(const struct gw_revoked_entry *list, size_t at, size_t end, const struct gw_revoked_entry *e)
{
    size_t n = 0;

    for (; at < end; at++) {
        n += gw_revoked_compare(&list[at], e) == 0;
    }
    return n;
}

/* In the run, and not taken out since. */
static bool
is_in_run(const struct gw_jwt_revoked *set, const struct question *q)
{
    const struct gw_revoked_entry *all = set->run->entries;
    size_t first = 0;
    size_t end = 0;
    size_t less_at = 0;
    size_t less_end = 0;

    gw_revoked_run_range(set->run, q->key, &first, &end);
    if (first == end) {
        return false;
    }
    gw_revoked_range(&set->less, q->key, &less_at, &less_end);
    for (size_t i = first; i < end; i++) {
        if (counts(&all[i], q) &&
            (less_at == less_end || copies(all, first, end, &all[i]) >
                                        copies(set->less.entries, less_at, less_end, &all[i]))) {
            return true;
        }
    }
    return false;
}

/* By what it may have been revoked: how many keys. */
static unsigned
list_keys(const struct gw_jwt_pass *p, enum gw_revoked_what what, struct gw_revoked_key keys[2])
{
    switch (what) {
    case GW_REVOKED_TOKEN:
        keys[0] = p->by_token[0];
        keys[1] = p->by_token[1];
        return 2;
    case GW_REVOKED_ID:
        keys[0] = p->by_id;
        return p->has_id ? 1 : 0;
    case GW_REVOKED_USER:
        keys[0] = gw_revoked_key_of(what, gw_jwt_pass_name(p), GW_STR_NONE);
        return 1;
    }
    return 0;
}

static bool
has_key(const struct gw_jwt_revoked *set, const struct question *q, bool news)
{
    return news ? is_in_list(&set->news, q) : is_in_list(&set->more, q) || is_in_run(set, q);
}

static bool
has(const struct gw_jwt_revoked *set, const struct gw_jwt_pass *p, uint64_t now_ms, bool news)
{
    struct question q = {.issued_ms = p->issued_ms, .now_ms = now_ms};
    unsigned kinds = news ? set->news_kinds : set->kinds;

    for (int what = GW_REVOKED_TOKEN; what <= GW_REVOKED_USER; what++) {
        struct gw_revoked_key keys[2];
        unsigned n = (kinds & 1U << what) == 0 ? 0 : list_keys(p, (enum gw_revoked_what)what, keys);

        for (unsigned i = 0; i < n; i++) {
            q.key = keys[i];
            if (has_key(set, &q, news)) {
                return true;
            }
        }
    }
    return false;
}

bool
gw_jwt_revoked_has(const struct gw_jwt_revoked *set, const struct gw_jwt_pass *p, uint64_t now_ms)
{
    return set != NULL && set->kinds != 0 && has(set, p, now_ms, false);
}

bool
gw_jwt_revoked_is_news(const struct gw_jwt_revoked *set)
{
    return set != NULL && (set->all_news || set->news.n > 0);
}

bool
gw_jwt_revoked_has_new(const struct gw_jwt_revoked *set, const struct gw_jwt_pass *p,
                       uint64_t now_ms)
{
    return set != NULL && has(set, p, now_ms, !set->all_news);
}

static bool
is_of_kind(const struct gw_jwt_revoked *set, enum gw_revoked_what what)
{
    return set != NULL && (set->kinds & 1U << what) != 0;
}

bool
gw_jwt_revoked_has_user(const struct gw_jwt_revoked *set, struct gw_str user, uint64_t begun_ms,
                        uint64_t now_ms)
{
    if (!is_of_kind(set, GW_REVOKED_USER) || user.n == 0) {
        return false;
    }
    const struct question q = {.key = gw_revoked_key_of(GW_REVOKED_USER, user, GW_STR_NONE),
                               .issued_ms = begun_ms,
                               .now_ms = now_ms};
    return has_key(set, &q, false);
}

bool
gw_jwt_revoked_has_token(const struct gw_jwt_revoked *set, struct gw_str token,
                         struct gw_str issuer, struct gw_str id, uint64_t now_ms)
{
    struct gw_revoked_key keys[2];
    struct question q = {.now_ms = now_ms};
    bool found = false;

    if (is_of_kind(set, GW_REVOKED_TOKEN)) {
        unsigned char digests[2][GW_JWT_HASH];

        gw_jwt_hash_token(token, digests);
        gw_revoked_keys_of_digests((const unsigned char(*)[GW_JWT_HASH])digests, keys);
        for (unsigned i = 0; i < 2 && !found; i++) {
            q.key = keys[i];
            found = has_key(set, &q, false);
        }
    }
    if (!found && id.n > 0 && is_of_kind(set, GW_REVOKED_ID)) {
        q.key = gw_revoked_key_of(GW_REVOKED_ID, issuer, id);
        found = has_key(set, &q, false);
    }
    return found;
}

/* -- for those who count ------------------------------------------------------------------------
 */

uint64_t
gw_jwt_revoked_serial(const struct gw_jwt_revoked *set)
{
    return set == NULL ? 0 : set->serial;
}

size_t
gw_jwt_revoked_count(const struct gw_jwt_revoked *set)
{
    size_t n = set == NULL ? 0 : set->run->n + set->more.n;

    return set == NULL || n < set->less.n ? 0 : n - set->less.n;
}

size_t
gw_jwt_revoked_bytes(const struct gw_jwt_revoked *set)
{
    size_t beside = set == NULL ? 0 : set->more.n + set->less.n + set->news.n;

    return set == NULL ? 0
                       : sizeof(*set) + gw_revoked_run_bytes(set->run) +
                             beside * sizeof(struct gw_revoked_entry);
}
