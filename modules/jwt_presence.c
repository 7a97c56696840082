#include "modules/jwt_presence.h"

#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "modules/counter.h"
#include "modules/jwt_cache.h"
#include "modules/jwt_issuers.h"
#include "net/redis.h"

#define REPLY_BYTES 65536 /* an integer, or an error's text */

/* A request that waits; in its arena. */
struct waiter {
    struct waiter *next;
    struct gw_jwt_question *question;
    struct gw_req *req;
    gw_jwt_presence_fn *told;
};

/* One EXISTS that is on its way. */
struct gw_jwt_question {
    struct asker *asker;
    struct gw_jwt_pass *pass; /* a reference */
    struct waiter *waiters;   /* the newest first */
    bool sending;             /* gw_redis_send() is on the stack */
    bool answered, failed;
};

/* One worker's connection, by the settings of one configuration.  The one of the configuration
 * before stays until its questions are answered. */
struct asker {
    struct asker *next;
    struct gw_world *world;
    struct gw_redis *redis;
    uint64_t serial;
    long long remember_ms;
    bool open; /* fail: open */
    bool lost; /* it was told; nobody waits for it until it is back */
    bool odd;  /* it answers with errors, and that was told */
    size_t questions;
};

struct state {
    struct asker *askers; /* the newest first */
    atomic_ullong present, absent, failed;
};

static struct state *
state_of(struct gw_world *world)
{
    return gw_world_state(world, gw_jwt_presence_rows, sizeof(struct state));
}

void
gw_jwt_presence_prepare(struct gw_world *world)
{
    (void)state_of(world);
}

/* -- askers ------------------------------------------------------------------------------------ */

static void
on_up(void *owner)
{
    struct asker *a = owner;

    if (a->lost) {
        gw_log_info("the token cache %s is back", gw_redis_name(a->redis));
    }
    a->lost = false;
}

static void
on_down(void *owner, const char *text)
{
    struct asker *a = owner;

    if (!a->lost) {
        gw_log_warn(
            "the token cache can't be reached: %s; until it is back, tokens that have to be "
            "in it are %s",
            text, a->open ? "taken without it (fail: open)" : "refused (fail: closed)");
    }
    a->lost = true;
}

static struct asker *
asker_new(struct gw_world *world, const struct gw_jwt_presence_settings *s, uint64_t serial)
{
    static const struct gw_redis_events events = {.up = on_up, .down = on_down};
    struct gw_redis_conf conf = {.url = s->url,
                                 .password = s->password,
                                 .timeout_ms = s->timeout_ms,
                                 .reply_bytes = REPLY_BYTES};
    struct gw_diag diag = {0};
    struct asker *a = gw_mem_alloc(sizeof(*a));

    a->world = world;
    a->serial = serial;
    a->remember_ms = s->remember_ms;
    a->open = s->fail == 1;
    a->redis = gw_redis_open(&conf, gw_world_base(world), &events, a, &diag);
    assert(a->redis != NULL); /* the URL was checked when it was loaded */
    gw_diag_fini(&diag);
    return a;
}

static void
asker_free(struct asker *a)
{
    gw_redis_close(a->redis); /* answers what is still asked */
    free(a);
}

/* Those of configurations that are gone, once nobody waits for their answers. */
static void
drop_old(struct state *state)
{
    struct asker **at = state->askers == NULL ? NULL : &state->askers->next;

    while (at != NULL && *at != NULL) {
        struct asker *a = *at;

        if (a->questions > 0) {
            at = &a->next;
            continue;
        }
        *at = a->next;
        asker_free(a);
    }
}

static struct asker *
asker_of(struct gw_world *world, const struct gw_jwt_presence_settings *s, uint64_t serial)
{
    struct state *state = state_of(world);
    struct asker *a = state->askers;

    while (a != NULL && a->serial != serial) {
        a = a->next;
    }
    if (a == NULL) {
        a = asker_new(world, s, serial);
        a->next = state->askers;
        state->askers = a;
        drop_old(state);
    }
    return a;
}

void
gw_jwt_presence_stop(struct gw_world *world)
{
    struct state *state = state_of(world);

    while (state->askers != NULL) {
        struct asker *a = state->askers;

        state->askers = a->next;
        asker_free(a);
    }
}

/* -- questions --------------------------------------------------------------------------------- */

/* What its being there, or not, is for those who ask. */
static enum gw_err
verdict_of(const struct gw_jwt_pass *p)
{
    return p->present ? GW_ERR_OK : GW_ERR_TOKEN_NOT_CACHED;
}

static void
note(struct gw_jwt_question *q, const redisReply *reply, const char *error)
{
    struct asker *a = q->asker;
    struct state *state = state_of(a->world);
    struct gw_jwt_pass *p = q->pass;

    if (reply == NULL || reply->type != REDIS_REPLY_INTEGER) {
        if (reply != NULL && !a->odd) {
            gw_log_warn("the token cache %s answers: %s", gw_redis_name(a->redis),
                        reply->type == REDIS_REPLY_ERROR ? reply->str : "not a number");
        }
        gw_log_debug("a token was not found out about: %s", reply == NULL ? error : reply->str);
        a->odd = reply != NULL;
        q->failed = true;
        return;
    }
    a->odd = false;
    p->present = reply->integer > 0;
    p->present_until_ms = gw_world_now_ms(a->world) + (uint64_t)a->remember_ms;
    gw_counter_add(p->present ? &state->present : &state->absent, 1);
}

/* Each request that nothing could be found out for. */
static enum gw_err
without_answer(struct gw_req *req, const struct asker *a)
{
    gw_counter_add(&state_of(a->world)->failed, 1);
    if (!a->open) {
        return GW_ERR_TOKEN_CACHE_DOWN;
    }
    req->decision.authentication = "jwt-unconfirmed";
    return GW_ERR_OK;
}

static enum gw_err
result_of(const struct gw_jwt_question *q, struct gw_req *req)
{
    return q->failed ? without_answer(req, q->asker) : verdict_of(q->pass);
}

static void
free_question(struct gw_jwt_question *q)
{
    q->asker->questions--;
    gw_jwt_pass_unref(q->pass);
    free(q);
}

/* Each is taken out before it is resumed: what it does may be the end of others. */
static void
resume_all(struct gw_jwt_question *q)
{
    while (q->waiters != NULL) {
        struct waiter *w = q->waiters;
        struct gw_req *req = w->req;

        q->waiters = w->next;
        w->told(req, result_of(q, req));
        gw_req_resume(req, GW_NEXT);
    }
}

static void
on_answer(void *arg, const redisReply *reply, const char *error)
{
    struct gw_jwt_question *q = arg;

    gw_world_turn(q->asker->world);
    note(q, reply, error);
    q->answered = true;
    q->pass->question = NULL;
    if (!q->sending) { /* else whoever sends it sees that */
        resume_all(q);
        free_question(q);
    }
}

static void
on_cancel(void *arg)
{
    struct waiter *w = arg;
    struct waiter **at = &w->question->waiters;

    while (*at != w) {
        at = &(*at)->next;
    }
    *at = w->next;
}

/* EXISTS kubesphere:user:{username}:token:{jwt} */
static void
send_question(struct gw_jwt_question *q, struct gw_str token, struct gw_arena *arena)
{
    struct gw_str name = gw_jwt_pass_name(q->pass);
    const char *key = gw_arena_printf(arena, "kubesphere:user:%.*s:token:%.*s", GW_STR_ARG(name),
                                      GW_STR_ARG(token));
    const char *argv[] = {"EXISTS", key};
    struct gw_redis_command c = {.argc = 2, .argv = argv};

    q->sending = true;
    gw_redis_send(q->asker->redis, &c, on_answer, q);
    q->sending = false;
}

static struct gw_jwt_question *
question_new(struct asker *a, struct gw_jwt_pass *p)
{
    struct gw_jwt_question *q = gw_mem_alloc(sizeof(*q));

    q->asker = a;
    q->pass = p;
    p->refs++;
    a->questions++;
    return q;
}

static void
wait_for(struct gw_jwt_question *q, struct gw_req *req, gw_jwt_presence_fn *told)
{
    struct waiter *w = gw_arena_alloc(req->arena, sizeof(*w));

    *w = (struct waiter){.next = q->waiters, .question = q, .req = req, .told = told};
    q->waiters = w;
    req->pending = (struct gw_pending){.cancel = on_cancel, .arg = w};
}

enum gw_verdict
gw_jwt_presence_ask(struct gw_req *req, const struct gw_jwt_presence_settings *s, uint64_t serial,
                    struct gw_str token, struct gw_jwt_pass *p, gw_jwt_presence_fn *told,
                    enum gw_err *err)
{
    if (p->question != NULL) {
        wait_for(p->question, req, told);
        return GW_WAIT;
    }
    if (gw_world_now_ms(req->world) < p->present_until_ms) {
        *err = verdict_of(p);
        return GW_NEXT;
    }
    struct asker *a = asker_of(req->world, s, serial);
    if (a->lost) {
        *err = without_answer(req, a);
        return GW_NEXT;
    }
    struct gw_jwt_question *q = question_new(a, p);
    send_question(q, token, req->arena);
    if (q->answered) {
        *err = result_of(q, req);
        free_question(q);
        return GW_NEXT;
    }
    p->question = q;
    wait_for(q, req, told);
    return GW_WAIT;
}

/* -- settings and metrics -------------------------------------------------------------------- */

#define AT(field) offsetof(struct gw_jwt_presence_settings, field)

static const char *const fail_words[] = {"closed", "open", NULL};

const struct gw_setting gw_jwt_presence_rows[] = {
    {.name = "url",
     .set = gw_set_text,
     .at = AT(url),
     .initial = "\"\"",
     .example = "redis://redis.kubesphere-system.svc:6379/0",
     .help = "Where ks-core keeps the tokens that it gave out: redis://[user@]host[:port][/db] or "
             "unix:/path[?db=n]."},
    {.name = "password_file",
     .set = gw_set_file,
     .at = AT(password_file),
     .initial = "\"\"",
     .example = "/etc/ksgate/kubesphere-redis.pw",
     .help = "The file with its password."},
    {.name = "timeout",
     .set = gw_set_duration,
     .at = AT(timeout_ms),
     .initial = "500ms",
     .min = 10,
     .max = 60000,
     .help = "How long a request waits for the answer."},
    {.name = "remember",
     .set = gw_set_duration,
     .at = AT(remember_ms),
     .initial = "1s",
     .min = 0,
     .max = 600000,
     .help =
         "How long an answer stands, in each worker: so long after a logout a token may still be "
         "taken."},
    {.name = "fail",
     .set = gw_set_word,
     .at = AT(fail),
     .words = fail_words,
     .initial = "closed",
     .help = "What becomes of tokens while that Redis can't be reached: closed, they are refused "
             "(503); open, they are taken if all else is well."},
    {0},
};

static struct gw_place
place_of(const struct gw_loader *l, const char *name)
{
    const json_t *root = gw_yaml_root(l->source);
    const json_t *all = json_object_get(root, "authentication");
    const json_t *section = json_object_get(all, "token_cache_redis");
    struct gw_place at = gw_yaml_key_place(l->source, section, name);

    return at.line > 0 ? at : gw_yaml_place(l->source, section == NULL ? all : section);
}

static bool
is_given(const char *text)
{
    return text != NULL && text[0] != '\0';
}

/* Its first line. */
static bool
read_password(struct gw_jwt_presence_settings *s, struct gw_loader *l)
{
    struct gw_str text;
    const char *why = "";

    if (!gw_jwt_read_file(l->arena, s->password_file, &text, &why)) {
        gw_diag_error(l->diag, place_of(l, "password_file"),
                      "authentication.token_cache_redis.password_file: %s %s", s->password_file,
                      why);
        return false;
    }
    struct gw_str line = gw_str_cut(&text, '\n');
    if (line.n > 0 && line.p[line.n - 1] == '\r') {
        line.n--;
    }
    if (line.n == 0) {
        gw_diag_error(l->diag, place_of(l, "password_file"),
                      "authentication.token_cache_redis.password_file: %s has no password in its "
                      "first line",
                      s->password_file);
        return false;
    }
    s->password = gw_arena_strndup(l->arena, line.p, line.n);
    return true;
}

bool
gw_jwt_presence_open(struct gw_jwt_presence_settings *s, struct gw_loader *l)
{
    struct gw_diag diag = {0};

    if (!s->used) {
        return true;
    }
    bool good = is_given(s->url) && gw_redis_check_plain(s->url, &diag);
    if (!good) {
        gw_diag_error(l->diag, place_of(l, "url"), "authentication.token_cache_redis.url: %s",
                      is_given(s->url) ? gw_diag_first(&diag)
                                       : "is required, because an issuer has token_cache: redis");
    }
    gw_diag_fini(&diag);
    return (!is_given(s->password_file) || read_password(s, l)) && good;
}

/* clang-format off */
static const struct gw_counted counted[] = {
    {.name = "ksgate_kubesphere_token_lookups_total", .type = "counter",
     .help = "Questions to KubeSphere's token cache, by their answers.",
     .label = "result=\"present\"", .at = offsetof(struct state, present)},
    {.label = "result=\"absent\"", .at = offsetof(struct state, absent)},
    {.label = "result=\"failed\"", .at = offsetof(struct state, failed)},
    {0},
};
/* clang-format on */

void
gw_jwt_presence_metrics(struct gw_buf *out, struct gw_world *const *worlds, size_t n)
{
    gw_counted_write(out, counted, worlds, n, gw_jwt_presence_rows, sizeof(struct state));
}
