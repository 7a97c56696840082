#include "server/admin_errand.h"

#include <stddef.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "server/admin_claims.h"
#include "server/admin_sight.h"

#define PAUSE_MS 50 /* the longest after the second try; one more for each further one */

/* The pause before the next try, on the worker. */
struct pause {
    struct gw_timer timer; /* first */
    struct gw_errand *errand;
};

struct gw_errand *
gw_errand_new(struct gw_admin_call *call, void (*there)(struct gw_errand *e),
              enum gw_verdict (*back)(struct gw_errand *e, struct gw_admin_call *call))
{
    struct gw_errand *e = gw_mem_alloc(sizeof(*e));

    e->call = call;
    e->world = gw_world_id(call->req->world);
    e->until = call->until;
    e->there = there;
    e->back = back;
    return e;
}

static void
forget_objects(struct gw_errand *e)
{
    for (size_t i = 0; i < e->n_objects; i++) {
        gw_object_unref(e->objects[i]);
    }
    e->n_objects = 0;
}

void
gw_errand_free(struct gw_errand *e)
{
    forget_objects(e);
    free(e->objects);
    free(e->lease_keys);
    free(e->lease_ends);
    gw_object_unref(e->object);
    gw_object_unref(e->next_object);
    gw_object_unref(e->rival);
    json_decref(e->patch);
    free(e->key);
    free(e->ns);
    free(e->parent);
    free(e->owner);
    free(e->other);
    free(e->url);
    free(e->only_uid);
    free(e->unfit);
    free(e->text);
    gw_diag_fini(&e->behind);
    free(e->unnamed);
    gw_news_unref(e->news);
    free(e);
}

static struct gw_errand *
whose(struct gw_mail *left)
{
    return (struct gw_errand *)(void *)((char *)left - offsetof(struct gw_errand, left));
}

/* Worker: the word is back. */
static void
on_left_back(struct gw_mail *mail, void *receiver)
{
    struct gw_errand *e = whose(mail);

    (void)receiver;
    e->left_away = false;
    if (e->home) {
        gw_errand_free(e);
    }
}

/* Control: nobody waits for it any more.  A write that is on its way is made. */
static void
on_left(struct gw_mail *mail, void *receiver)
{
    struct gw_errand *e = whose(mail);
    struct gw_control *c = receiver;
    struct gw_sync *sync = gw_control_sync(c);

    e->ends = true;
    if (e->at_control &&
        (gw_control_forget_live(c, e) || (sync != NULL && gw_sync_forget_fleet(sync, e)))) {
        gw_errand_return(e);
    }
    e->left.run = on_left_back;
    gw_control_send_worker(e->world, &e->left);
}

/* Worker: the client leaves while the errand is away. */
static void
client_left(void *arg)
{
    struct gw_errand *e = arg;

    e->call = NULL;
    if (e->until != GW_UNTIL_STORED) {
        e->left_away = true;
        e->left.run = on_left;
        gw_control_send(&e->left);
    }
}

static void
on_control(struct gw_mail *mail, void *receiver)
{
    struct gw_errand *e = (struct gw_errand *)mail;

    e->control = receiver;
    e->at_control = true;
    e->counted = e->until != GW_UNTIL_STORED && gw_control_wait_begin(e->control);
    e->crowded = e->until != GW_UNTIL_STORED && !e->counted;
    if (e->crowded) {
        gw_errand_return(e);
    } else {
        e->there(e);
    }
}

/* Whoever may register something need not know of hosts, nor of keys of the registry. */
static void
leave_out_names(struct gw_errand *e)
{
    size_t n = e->behind.n;

    gw_diag_fini(&e->behind);
    e->behind = (struct gw_diag){0};
    if (e->behind_here) {
        gw_diag_error(&e->behind, (struct gw_place){0}, "this gateway");
    } else if (e->behind_of == 0) {
        gw_diag_error(&e->behind, (struct gw_place){0},
                      "it can't be told which gateways there are");
    } else {
        gw_diag_error(&e->behind, (struct gw_place){0}, "%zu of %zu gateways", n, e->behind_of);
    }
}

/* It is done, which the answer says first: to do it again would do no harm, and no good. */
static enum gw_verdict
answer_behind(struct gw_errand *e, struct gw_admin_call *call)
{
    struct gw_arena *arena = call->req->arena;
    const char *what = call->name.n > 0
                           ? gw_arena_printf(arena, "%s \"%.*s\" was", gw_admin_resource(call),
                                             GW_STR_ARG(call->name))
                           : gw_arena_printf(arena, "%zu object%s", e->n_objects,
                                             e->n_objects == 1 ? " was" : "s were");
    const char *message = gw_arena_printf(
        arena, "%s written (resourceVersion %llu)%s; not yet, as far as is known:", what,
        (unsigned long long)e->revision, e->behind_here ? "" : ", and this gateway routes by it");

    if (!gw_admin_is_operator(call)) {
        leave_out_names(e);
    }
    return gw_admin_refuse_causes(call, GW_ERR_FLEET_BEHIND, message, "GatewayBehind", &e->behind);
}

static void
on_worker(struct gw_mail *mail, void *receiver)
{
    struct gw_errand *e = (struct gw_errand *)mail;
    struct gw_req *req;
    enum gw_verdict v;

    (void)receiver;
    if (e->call == NULL) {
        e->home = true;
        if (!e->left_away) {
            gw_errand_free(e);
        }
        return;
    }
    req = e->call->req;
    v = e->crowded
            ? gw_admin_refuse(e->call, GW_ERR_WAITERS_FULL, "%s", gw_err_text(GW_ERR_WAITERS_FULL))
        : e->behind.n > 0 ? answer_behind(e, e->call)
                          : e->back(e, e->call);
    if (v != GW_WAIT) {
        gw_errand_free(e);
        gw_req_resume(req, v);
    }
}

enum gw_verdict
gw_errand_send(struct gw_errand *e)
{
    e->call->req->pending = (struct gw_pending){.cancel = client_left, .arg = e};
    e->mail.run = on_control;
    gw_control_send(&e->mail);
    return GW_WAIT;
}

/* ---- those that are sent together ------------------------------------------------------------ */

/* Of one worker. */
struct soon {
    struct gw_timer timer;           /* first */
    struct gw_errand *first, **last; /* last: NULL before the first of all */
    uint64_t sent_ms;                /* when some were sent last */
};

static void
take_out(struct soon *s, struct gw_errand *e)
{
    *e->prev_soon = e->next_soon;
    if (e->next_soon != NULL) {
        e->next_soon->prev_soon = e->prev_soon;
    } else {
        s->last = e->prev_soon;
    }
}

static struct soon *
soon_of(struct gw_world *world)
{
    static const char key;
    struct soon *s = gw_world_state(world, &key, sizeof(*s));

    if (s->last == NULL) {
        s->last = &s->first;
    }
    return s;
}

static void
send_all(struct gw_timer *timer)
{
    struct soon *s = (struct soon *)timer;

    while (s->first != NULL) {
        struct gw_errand *e = s->first;

        take_out(s, e);
        s->sent_ms = gw_world_now_ms(e->call->req->world);
        (void)gw_errand_send(e);
    }
}

/* Nothing of it has left the worker yet. */
static void
client_left_soon(void *arg)
{
    struct gw_errand *e = arg;

    take_out(soon_of(e->call->req->world), e);
    gw_errand_free(e);
}

enum gw_verdict
gw_errand_send_soon(struct gw_errand *e)
{
    struct gw_req *req = e->call->req;
    struct soon *s = soon_of(req->world);
    uint64_t now = gw_world_now_ms(req->world);

    if (s->first == NULL && now - s->sent_ms >= GW_WHEEL_TICK_MS) {
        s->sent_ms = now;
        return gw_errand_send(e);
    }
    if (s->first == NULL) {
        s->timer.fire = send_all;
        gw_wheel_set(gw_world_wheel(req->world), &s->timer, now);
    }
    e->next_soon = NULL;
    e->prev_soon = s->last;
    *s->last = e;
    s->last = &e->next_soon;
    req->pending = (struct gw_pending){.cancel = client_left_soon, .arg = e};
    return GW_WAIT;
}

/* ---- and again --------------------------------------------------------------------------------
 */

static void
pause_over(struct gw_timer *timer)
{
    struct pause *p = (struct pause *)timer;

    (void)gw_errand_send(p->errand);
}

static void
pause_cancel(void *arg)
{
    struct pause *p = arg;

    gw_wheel_cancel(&p->timer);
    gw_errand_free(p->errand);
}

enum gw_verdict
gw_errand_send_again(struct gw_errand *e)
{
    struct gw_req *req = e->call->req;
    struct pause *p;

    if (e->tries <= 1) {
        return gw_errand_send(e);
    }
    p = gw_arena_alloc(req->arena, sizeof(*p));
    p->timer.fire = pause_over;
    p->errand = e;
    req->pending = (struct gw_pending){.cancel = pause_cancel, .arg = p};
    gw_wheel_set(gw_world_wheel(req->world), &p->timer,
                 gw_world_now_ms(req->world) +
                     gw_clock_mono_us() % (PAUSE_MS * (uint64_t)e->tries));
    return GW_WAIT;
}

void
gw_errand_return(struct gw_errand *e)
{
    if (e->counted) {
        gw_control_wait_end(e->control);
    }
    e->counted = false;
    e->at_control = false;
    e->mail.run = on_worker;
    gw_control_send_worker(e->world, &e->mail);
}

void
gw_errand_before(struct gw_errand *e)
{
    if (e->until == GW_UNTIL_FLEET) {
        gw_sync_await(gw_control_sync(e->control));
    }
}

static void
on_fleet(void *errand, struct gw_diag *behind, size_t of)
{
    struct gw_errand *e = errand;

    e->behind = *behind;
    e->behind_of = of;
    gw_errand_return(e);
}

/* It is stored, and has not come back to this gateway, or a worker has not taken it over. */
static void
note_behind_here(struct gw_errand *e, struct gw_sync *sync)
{
    struct gw_sync_status status;

    gw_sync_status(sync, &status);
    e->behind_here = true;
    gw_diag_error(&e->behind, (struct gw_place){0}, "%s: this gateway itself%s%s",
                  status.store.gateway[0] == '\0' ? "gateway" : status.store.gateway,
                  status.state == GW_SYNC_FRESH ? "" : ", whose registry is stale: ",
                  status.state == GW_SYNC_FRESH ? "" : status.text);
}

static void
on_live(void *errand, bool live)
{
    struct gw_errand *e = errand;

    struct gw_sync *sync = gw_control_sync(e->control);

    if (!live && sync != NULL) {
        note_behind_here(e, sync);
        gw_errand_return(e);
    } else if (e->until == GW_UNTIL_FLEET && sync != NULL) {
        gw_sync_when_fleet(sync, e->marked ? &e->mark : NULL, on_fleet, e);
    } else { /* without a registry everything comes to an end */
        gw_errand_return(e);
    }
}

void
gw_errand_return_when(struct gw_errand *e)
{
    if (e->until == GW_UNTIL_STORED || e->result != GW_STORE_OK || e->ends) {
        gw_errand_return(e);
    } else {
        gw_control_when_live(e->control, e->marked ? &e->mark : NULL, on_live, e);
    }
}

void
gw_errand_note(struct gw_errand *e, const struct gw_store_answer *answer)
{
    e->result = answer->result;
    e->revision = answer->revision;
    e->lease_until_ms = answer->lease_until_ms;
    e->unsure = answer->unsure;
    e->unknown = false;
    e->refused = answer->refused;
    e->marked = answer->mark != NULL;
    e->mark = e->marked ? *answer->mark : (struct gw_store_mark){0};
    free(e->text);
    e->text = answer->result == GW_STORE_OK ? NULL : gw_mem_strdup(answer->text);
}

void
gw_errand_collect(void *errand, struct gw_object *o)
{
    struct gw_errand *e = errand;

    e->objects =
        gw_mem_room(e->objects, e->n_objects, &e->size_objects, sizeof(struct gw_object *));
    e->objects[e->n_objects++] = gw_object_ref(o);
}

bool
gw_errand_registry_known(struct gw_errand *e)
{
    struct gw_sync_status status;

    gw_sync_status(gw_control_sync(e->control), &status);
    if (status.state != GW_SYNC_STARTING) {
        return true;
    }
    e->result = GW_STORE_UNAVAILABLE;
    e->unknown = true;
    free(e->text);
    e->text = gw_mem_strdup(status.text);
    return false;
}

/* Why it is away, with its address: for operators. */
static enum gw_verdict
refuse_unavailable(struct gw_errand *e, struct gw_admin_call *call)
{
    const char *text = e->text == NULL || !gw_admin_is_operator(call) ? "" : e->text;
    enum gw_err err = e->unknown ? GW_ERR_REGISTRY_UNKNOWN : GW_ERR_REGISTRY_UNAVAILABLE;
    bool writes = !gw_str_eq(call->req->head->method, GW_STR("GET"));

    return gw_admin_refuse(call, err, "%s%s%s%s",
                           e->unsure ? "the registry did not answer; whether the change was "
                                       "made is not known"
                                     : gw_err_text(err),
                           e->unknown && writes ? "; nothing was changed" : "",
                           *text == '\0' ? "" : ": ", text);
}

void
gw_errand_look_lag(struct gw_errand *e, uint64_t revision)
{
    struct gw_sync_status status;

    gw_sync_status(gw_control_sync(e->control), &status);
    e->lags = status.revision < revision;
}

enum gw_verdict
gw_errand_refuse(struct gw_errand *e, struct gw_admin_call *call)
{
    const char *what = gw_admin_resource(call);

    switch (e->result) {
    case GW_STORE_OK:
        break; /* nothing to refuse: a mistake of ours */
    case GW_STORE_CONFLICT:
        return gw_admin_refuse(call, GW_ERR_CONFLICT,
                               "Operation cannot be fulfilled on %s \"%.*s\": " GW_ERRAND_MODIFIED,
                               what, GW_STR_ARG(call->name));
    case GW_STORE_INVALID:
        return gw_admin_refuse(call, GW_ERR_BAD_OBJECT, "%s \"%.*s\" is invalid: %s", what,
                               GW_STR_ARG(call->name), e->text == NULL ? "" : e->text);
    case GW_STORE_READ_ONLY:
        return gw_admin_refuse(call, GW_ERR_READ_ONLY, "%s \"%.*s\": %s", what,
                               GW_STR_ARG(call->name), gw_err_text(GW_ERR_READ_ONLY));
    case GW_STORE_EXISTS:
        return gw_admin_refuse(call, GW_ERR_EXISTS, "%s \"%.*s\" already exists", what,
                               GW_STR_ARG(call->name));
    case GW_STORE_NOT_FOUND:
        return gw_admin_refuse(call, GW_ERR_NO_OBJECT, "%s \"%.*s\" not found", what,
                               GW_STR_ARG(call->name));
    case GW_STORE_CLAIMED:
        return gw_admin_claims_refusal(e, call);
    case GW_STORE_TOO_OLD:
        return gw_admin_refuse(call, GW_ERR_TOO_OLD, "%s", gw_err_text(GW_ERR_TOO_OLD));
    case GW_STORE_UNAVAILABLE:
        return refuse_unavailable(e, call);
    }
    return gw_admin_refuse(call, GW_ERR_INTERNAL, "%s", gw_err_text(GW_ERR_INTERNAL));
}
