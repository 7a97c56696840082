/*
 * audit_redis.c - audits a registry in Redis: in pieces, so that Redis is never held up.
 *
 * What is written meanwhile may be seen half; whoever looks twice and takes what is there both
 * times sees none of it.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "net/redis.h"
#include "registry/audit_store.h"
#include "registry/redis_script.h"

#define SCAN_COUNT  "500"
#define REPLY_BYTES ((size_t)256 * 1024 * 1024)

/* Questions one after the other: the loop runs until each is answered. */
struct talk {
    const struct gw_place_of_store *place;
    struct event_base *base;
    struct gw_redis *redis;
    struct gw_diag *diag;
    /* of the question */
    bool (*take)(struct talk *t, const redisReply *reply); /* false: it is no such answer */
    bool answered, ok;
    /* of the caller */
    struct gw_audit_store *store;
    struct gw_audit *findings;
    char cursor[32];
    const char *type; /* that the key should have */
    bool missing;
    bool done; /* what the script was asked for */
};

static bool
fail(struct talk *t, const char *why)
{
    gw_diag_error(t->diag, (struct gw_place){0}, "%s: %s", t->place->text, why);
    t->ok = false;
    return false;
}

static void
on_reply(void *arg, const redisReply *reply, const char *error)
{
    struct talk *t = arg;

    t->answered = true;
    t->ok = true;
    if (reply == NULL) {
        (void)fail(t, error);
    } else if (reply->type == REDIS_REPLY_ERROR) {
        (void)fail(t, reply->str);
    } else if (!t->take(t, reply)) {
        (void)fail(t, "Redis answered something unexpected");
    }
    (void)event_base_loopbreak(t->base);
}

static bool
wait_for_reply(struct talk *t)
{
    while (!t->answered) {
        (void)event_base_dispatch(t->base);
    }
    return t->ok;
}

static bool
ask(struct talk *t, bool (*take)(struct talk *t, const redisReply *reply), const char **argv)
{
    struct gw_redis_command c = {.argv = argv};

    while (argv[c.argc] != NULL) {
        c.argc++;
    }
    t->take = take;
    t->answered = false;
    gw_redis_send(t->redis, &c, on_reply, t);
    return wait_for_reply(t);
}

static bool
open_talk(struct talk *t, const struct gw_place_of_store *place, struct gw_diag *diag)
{
    const struct gw_registry_redis *c = &place->conf.redis;
    struct gw_redis_conf conf = {.url = c->url,
                                 .password_file = c->password_file,
                                 .timeout_ms = c->timeout_ms,
                                 .reply_bytes = REPLY_BYTES};

    *t = (struct talk){.place = place, .base = event_base_new(), .diag = diag};
    assert(t->base != NULL);
    t->redis = gw_redis_open(&conf, t->base, NULL, NULL, diag);
    return t->redis != NULL;
}

static void
close_talk(struct talk *t)
{
    gw_redis_close(t->redis);
    event_base_free(t->base);
}

/* "{ksgate}:objects"; the caller's to free. */
static char *
key_of(const struct talk *t, const char *name)
{
    struct gw_buf key = {0};

    gw_buf_printf(&key, "%s%s", t->place->conf.redis.prefix, name);
    return key.p;
}

/* ---- types ---------------------------------------------------------------------------------- */

static bool
take_type(struct talk *t, const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_STATUS) {
        return false;
    }
    t->missing = strcmp(reply->str, t->type) != 0;
    if (t->missing && strcmp(reply->str, "none") != 0) {
        gw_audit_add(t->findings, GW_AUDIT_BY_HAND, NULL, 0,
                     "%s is a %s, and not a %s: RENAME it away, and `ksgate apply` what was in it; "
                     "gateways serve what they know meanwhile",
                     t->cursor, reply->str, t->type);
    }
    return true;
}

/* Is the key there, and of that type?  One of another type is told. */
static bool
has(struct talk *t, const char *name, const char *type, bool *there)
{
    char *key = key_of(t, name);
    const char *argv[] = {"TYPE", key, NULL};

    (void)snprintf(t->cursor, sizeof(t->cursor), "%s", key); /* for the text */
    t->type = type;
    bool ok = ask(t, take_type, argv);
    *there = !t->missing;
    free(key);
    return ok;
}

/* ---- single values -------------------------------------------------------------------------- */

static bool
take_epoch(struct talk *t, const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_STRING) {
        free(t->store->epoch);
        t->store->epoch = gw_mem_strdup(reply->str);
    }
    return reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_NIL;
}

static bool
take_revision(struct talk *t, const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_STRING) {
        t->store->counted = gw_str_u64(gw_str_of(reply->str), &t->store->revision);
    }
    return reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_NIL;
}

static bool
take_last_change(struct talk *t, const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY) {
        return false;
    }
    if (reply->elements == 1 && reply->element[0]->elements == 2 &&
        reply->element[0]->element[0]->type == REDIS_REPLY_STRING) {
        t->store->last_change = strtoull(reply->element[0]->element[0]->str, NULL, 10);
    }
    return true;
}

static bool
take_time(struct talk *t, const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2) {
        return false;
    }
    t->store->now_ms = strtoull(reply->element[0]->str, NULL, 10) * 1000;
    return true;
}

static bool
load_value(struct talk *t, const char *name, const char *type,
           bool (*take)(struct talk *t, const redisReply *reply), const char **argv)
{
    bool there;

    if (!has(t, name, type, &there) || !there) {
        return t->ok;
    }
    char *key = key_of(t, name);
    argv[1] = key;
    bool ok = ask(t, take, argv);
    free(key);
    return ok;
}

static bool
load_values(struct talk *t)
{
    const char *epoch[] = {"GET", NULL, NULL};
    const char *revision[] = {"GET", NULL, NULL};
    const char *change[] = {"XREVRANGE", NULL, "+", "-", "COUNT", "1", NULL};
    const char *now[] = {"TIME", NULL};

    return ask(t, take_time, now) && load_value(t, "epoch", "string", take_epoch, epoch) &&
           load_value(t, "revision", "string", take_revision, revision) &&
           load_value(t, "changes", "stream", take_last_change, change);
}

/* ---- the many ------------------------------------------------------------------------------- */

/* {cursor, {a, b, a, b, ...}} */
static const redisReply *
pairs_of(struct talk *t, const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        reply->element[0]->type != REDIS_REPLY_STRING ||
        reply->element[1]->type != REDIS_REPLY_ARRAY) {
        return NULL;
    }
    (void)snprintf(t->cursor, sizeof(t->cursor), "%s", reply->element[0]->str);
    return reply->element[1];
}

static struct gw_str
text_of(const redisReply *r)
{
    return (struct gw_str){r->str, (size_t)r->len};
}

static bool
take_objects(struct talk *t, const redisReply *reply)
{
    const redisReply *pairs = pairs_of(t, reply);

    for (size_t i = 0; pairs != NULL && i + 1 < pairs->elements; i += 2) {
        gw_audit_add_entry(t->store, text_of(pairs->element[i]), text_of(pairs->element[i + 1]), 0);
    }
    return pairs != NULL;
}

static bool
take_leases(struct talk *t, const redisReply *reply)
{
    const redisReply *pairs = pairs_of(t, reply);

    for (size_t i = 0; pairs != NULL && i + 1 < pairs->elements; i += 2) {
        double score = strtod(pairs->element[i + 1]->str, NULL);

        gw_audit_add_lease(t->store, text_of(pairs->element[i]),
                           score > 0 && score < 1e18 ? (uint64_t)score : 0);
    }
    return pairs != NULL;
}

static bool
load_many(struct talk *t, const char *name, const char *type, const char *command,
          bool (*take)(struct talk *t, const redisReply *reply))
{
    bool there;

    if (!has(t, name, type, &there) || !there) {
        return t->ok;
    }
    char *key = key_of(t, name);
    char cursor[sizeof(t->cursor)] = "0";
    bool ok;
    do {
        const char *argv[] = {command, key, cursor, "COUNT", SCAN_COUNT, NULL};

        ok = ask(t, take, argv);
        (void)snprintf(cursor, sizeof(cursor), "%s", t->cursor);
    } while (ok && strcmp(cursor, "0") != 0);
    free(key);
    return ok;
}

static int
by_key(const void *a, const void *b)
{
    const struct gw_audit_entry *x = a;
    const struct gw_audit_entry *y = b;

    return strcmp(x->key, y->key);
}

/* Nothing of the gateways' own can be lost, but it has to be ours. */
static bool
look_at_fleet(struct talk *t)
{
    bool there;

    return has(t, "gateways", "zset", &there) && has(t, "beats", "stream", &there) &&
           has(t, "awaited", "string", &there);
}

/* A field may come twice while its hash grows. */
static void
sort_entries(struct gw_audit_store *s)
{
    size_t n = 0;

    if (s->n_entries > 1) {
        qsort(s->entries, s->n_entries, sizeof(*s->entries), by_key);
    }
    for (size_t i = 0; i < s->n_entries; i++) {
        if (n > 0 && s->entries[n - 1].n_key == s->entries[i].n_key &&
            by_key(&s->entries[n - 1], &s->entries[i]) == 0) {
            free(s->entries[i].key);
            free(s->entries[i].text);
        } else {
            s->entries[n++] = s->entries[i];
        }
    }
    s->n_entries = n;
}

static bool
load(const struct gw_place_of_store *place, struct gw_audit_store *s, struct gw_audit *findings,
     struct gw_diag *diag)
{
    struct talk t;
    bool ok = open_talk(&t, place, diag);

    t.store = s;
    t.findings = findings;
    ok = ok && load_values(&t) && load_many(&t, "objects", "hash", "HSCAN", take_objects) &&
         load_many(&t, "leases", "zset", "ZSCAN", take_leases) && look_at_fleet(&t);
    sort_entries(s);
    close_talk(&t);
    return ok;
}

/* ---- repairs -------------------------------------------------------------------------------- */

static bool
take_any(struct talk *t, const redisReply *reply)
{
    (void)t;
    (void)reply;
    return true;
}

/* {"ok", ...}, or why not: it was changed meanwhile, or is gone. */
static bool
take_result(struct talk *t, const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 1 ||
        reply->element[0]->type != REDIS_REPLY_STRING) {
        return false;
    }
    t->done = strcmp(reply->element[0]->str, "ok") == 0;
    return true;
}

static bool
call_script(struct talk *t, const char *const *argv)
{
    t->take = take_result;
    t->answered = false;
    gw_script_call(t->redis, t->place->conf.redis.prefix, argv, on_reply, t);
    return wait_for_reply(t);
}

/* A gateway may have made the epoch meanwhile, or have counted on: what it wrote is right. */
static bool
mend_meta(struct talk *t, const struct gw_audit_finding *f)
{
    static const char epoch[] =
        "if (redis.call('GET', KEYS[1]) or '') == '' then redis.call('SET', KEYS[1], ARGV[1]) end "
        "return 1";
    static const char revision[] =
        "local r = redis.call('GET', KEYS[1]) "
        "if not r or not string.match(r, '^%d+$') or tonumber(r) < tonumber(ARGV[1]) then "
        "redis.call('SET', KEYS[1], ARGV[1]) end return 1";
    char *key = key_of(t, f->repair == GW_AUDIT_MAKE_EPOCH ? "epoch" : "revision");
    char value[37];

    gw_object_uid(value);
    if (f->repair == GW_AUDIT_SET_REVISION) {
        (void)snprintf(value, sizeof(value), "%llu", (unsigned long long)f->number);
    }
    const char *argv[] = {
        "EVAL", f->repair == GW_AUDIT_MAKE_EPOCH ? epoch : revision, "1", key, value, NULL};
    bool ok = ask(t, take_any, argv);
    free(key);
    return ok;
}

static bool
mend_one(struct talk *t, const struct gw_audit_finding *f)
{
    char number[24];
    char *leases = key_of(t, "leases");
    bool ok = true;

    t->done = true;
    (void)snprintf(number, sizeof(number), "%llu", (unsigned long long)f->number);
    const char *const remove[] = {"delete", f->key, "text", f->entry == NULL ? "" : f->entry->text,
                                  NULL};
    const char *const renew[] = {"renew", f->key, number, NULL};
    const char *unlease[] = {"ZREM", leases, f->key, NULL};
    switch (f->repair) {
    case GW_AUDIT_REMOVE:
        ok = call_script(t, remove);
        break;
    case GW_AUDIT_LEASE:
        ok = call_script(t, renew);
        break;
    case GW_AUDIT_UNLEASE:
        ok = ask(t, take_any, unlease);
        break;
    case GW_AUDIT_SET_REVISION:
    case GW_AUDIT_MAKE_EPOCH:
        ok = mend_meta(t, f);
        break;
    case GW_AUDIT_BY_HAND:
        break;
    }
    free(leases);
    return ok;
}

static bool
mend(const struct gw_place_of_store *place, const struct gw_audit *a, size_t *repaired,
     struct gw_diag *diag)
{
    struct talk t;
    bool ok = open_talk(&t, place, diag);

    for (size_t i = 0; ok && i < a->n; i++) {
        ok = mend_one(&t, &a->list[i]);
        *repaired += ok && t.done && a->list[i].repair != GW_AUDIT_BY_HAND ? 1 : 0;
    }
    close_talk(&t);
    return ok;
}

const struct gw_audit_driver gw_audit_redis = {.load = load, .mend = mend};
