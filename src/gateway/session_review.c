/*
 * session_review.c - requests that were let in by what is no longer so.
 *
 * Nothing is kept for it while nothing changes: when something does, all open requests of the
 * worker are gone through.  A tunnel is closed at once, and an answer without an end is ended.
 * Another request may go on for timeouts.revoked: it may be the very one that has made the change,
 * and waits for its answer.
 */
#include "gateway/conf.h"
#include "gateway/session_private.h"
#include "gateway/stream.h"
#include "gateway/worlds.h"

static enum gw_err
judge(const struct gw_req *req)
{
    enum gw_err err = GW_ERR_OK;

    for (const struct gw_module *const *m = gw_modules; err == GW_ERR_OK && *m != NULL; m++) {
        err = (*m)->review == NULL ? GW_ERR_OK : (*m)->review(req);
    }
    return err;
}

static bool
is_under_way(const struct gw_session *s)
{
    const struct gw_req *req = gw_session_req(s);

    return s->state == GW_SESSION_BUSY && req != NULL && req->waiting;
}

static void
set_timer(struct gw_sessions *all, uint64_t due_ms)
{
    struct gw_wheel *wheel = &gw_world_loop(all->world)->wheel;

    if (!gw_wheel_is_set(&all->leaving) || due_ms < all->leaving.due_ms) {
        gw_wheel_set(wheel, &all->leaving, due_ms);
    }
}

/* The time of some of them is over. */
static void
on_leaving(struct gw_timer *t)
{
    struct gw_sessions *all =
        (struct gw_sessions *)((char *)t - offsetof(struct gw_sessions, leaving));
    uint64_t now = gw_loop_now_ms(gw_world_loop(all->world));
    struct gw_session *next;

    for (struct gw_session *s = all->all; s != NULL; s = next) {
        next = s->next;
        if (!is_under_way(s) || s->message->leave_err == GW_ERR_OK) {
            continue;
        }
        if (s->message->leave_ms > now) {
            set_timer(all, s->message->leave_ms);
        } else if (s->tunneling) { /* it was none yet when it was reviewed */
            enum gw_err err = s->message->leave_err;

            s->message->leave_err = GW_ERR_OK;
            s->tunnel->forbid(s->tunnel_arg, err);
        } else {
            gw_session_abandon(s, s->message->leave_err, "revoked", true);
        }
    }
}

void
gw_session_leave_now(struct gw_session *s)
{
    if (s->message->leave_err != GW_ERR_OK) {
        s->message->leave_ms = gw_loop_now_ms(s->conn.loop);
        set_timer(s->all, s->message->leave_ms);
    }
}

static void
show_out(struct gw_session *s, enum gw_err err, uint64_t leave_ms)
{
    if (s->tunneling) {
        s->tunnel->forbid(s->tunnel_arg, err);
    } else if (s->message->stream != NULL) {
        s->message->stream->events->forbid(s->message->stream->arg, err);
    } else if (s->message->leave_err == GW_ERR_OK) {
        s->message->leave_err = err;
        s->message->leave_ms = leave_ms;
        set_timer(s->all, leave_ms);
    }
}

void
gw_sessions_review(struct gw_sessions *all)
{
    if (!gw_world_take_doubt(all->world)) {
        return;
    }
    uint64_t leave_ms = gw_loop_now_ms(gw_world_loop(all->world)) +
                        (uint64_t)gw_world_conf(all->world)->settings.timeouts.revoked;
    struct gw_session *next;

    all->leaving.fire = on_leaving;
    for (struct gw_session *s = all->all; s != NULL; s = next) {
        next = s->next;
        enum gw_err err = is_under_way(s) ? judge(gw_session_req(s)) : GW_ERR_OK;

        if (err != GW_ERR_OK) {
            show_out(s, err, leave_ms);
        }
    }
}
