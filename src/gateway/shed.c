#include "gateway/shed.h"

#include "gateway/session_private.h"
#include "gateway/worlds.h"

static struct gw_session *
before(const struct gw_session *s)
{
    if (s->prev == &s->all->all) {
        return NULL;
    }
    return (struct gw_session *)((char *)s->prev - offsetof(struct gw_session, next));
}

void
gw_shed_add(struct gw_session *s)
{
    struct gw_sessions *all = s->all;

    s->next = all->all;
    s->prev = &all->all;
    if (s->next != NULL) {
        s->next->prev = &s->next;
    } else {
        all->last = s;
    }
    all->all = s;
}

void
gw_shed_remove(struct gw_session *s)
{
    if (s->next != NULL) {
        s->next->prev = s->prev;
    } else {
        s->all->last = before(s);
    }
    *s->prev = s->next;
}

void
gw_shed_is_idle(struct gw_session *s)
{
    if (s->all->all != s) {
        gw_shed_remove(s);
        gw_shed_add(s);
    }
}

static bool
is_spare(const struct gw_session *s)
{
    return s->state == GW_SESSION_IDLE && !s->trusted && s->conn.out_bytes == 0;
}

/* The longest idle, or NULL.  What is found busy before it goes to the front: it will be there
 * anyway when it becomes idle, and is not met again until then. */
static struct gw_session *
find(struct gw_sessions *all)
{
    size_t left = all->count;

    while (left-- > 0 && all->last != NULL && !is_spare(all->last)) {
        gw_shed_is_idle(all->last);
    }
    if (all->last == NULL || !is_spare(all->last)) {
        return NULL;
    }
    uint64_t idle_ms = gw_loop_now_ms(all->last->conn.loop) - all->last->touched_ms;

    return idle_ms < GW_SHED_MIN_IDLE_MS ? NULL : all->last;
}

bool
gw_shed_can(struct gw_sessions *all)
{
    /* Without this look all that are busy would be walked past each time. */
    return atomic_load_explicit(&gw_world_stats(all->world)->idle, memory_order_relaxed) > 0 &&
           find(all) != NULL;
}

bool
gw_shed_one(struct gw_sessions *all)
{
    if (!gw_shed_can(all)) {
        return false;
    }
    gw_session_end(all->last, false);
    atomic_fetch_add_explicit(&gw_world_stats(all->world)->shed, 1, memory_order_relaxed);
    return true;
}
