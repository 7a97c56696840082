#include "gateway/shed.h"

#include "gateway/session_private.h"
#include "gateway/worlds.h"

/* At most, for one that is late: whoever is many must not make the search long. */
#define LOOK_AT 64

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
    if (s->all->look == s) {
        s->all->look = before(s);
    }
    if (s->next != NULL) {
        s->next->prev = s->prev;
    } else {
        s->all->last = before(s);
    }
    *s->prev = s->next;
}

void
gw_shed_to_front(struct gw_session *s)
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

/* Its request is late, or it was told all and stays. */
static bool
is_late(const struct gw_session *s)
{
    uint64_t now = gw_loop_now_ms(s->conn.loop);

    if (s->trusted) {
        return false;
    }
    if (s->state == GW_SESSION_HEAD) {
        return now - s->message->start_us / 1000 >= GW_SHED_MIN_HEAD_MS;
    }
    return s->state == GW_SESSION_LINGER && s->conn.out_bytes == 0 &&
           now - s->touched_ms >= GW_SHED_MIN_IDLE_MS;
}

/* The longest idle, or NULL.  What is found busy before it goes to the front: it will be there
 * anyway when it becomes idle, and is not met again until then.  So one that is late would always
 * be where nobody looks for it, were it not noticed here. */
static struct gw_session *
find_idle(struct gw_sessions *all)
{
    struct gw_session *late = NULL;
    size_t left = all->count;

    /* Without this look all that are busy would be walked past each time. */
    if (atomic_load_explicit(&gw_world_stats(all->world)->idle, memory_order_relaxed) <= 0) {
        return NULL;
    }
    while (left-- > 0 && all->last != NULL && !is_spare(all->last)) {
        late = late == NULL && is_late(all->last) ? all->last : late;
        gw_shed_to_front(all->last);
    }
    all->look = late == NULL ? all->look : late;
    if (all->last == NULL || !is_spare(all->last)) {
        return NULL;
    }
    uint64_t idle_ms = gw_loop_now_ms(all->last->conn.loop) - all->last->touched_ms;

    return idle_ms < GW_SHED_MIN_IDLE_MS ? NULL : all->last;
}

/* One that is late, or NULL: of a few, and of others the next time, whoever stands between. */
static struct gw_session *
find_late(struct gw_sessions *all)
{
    struct gw_session *s = all->look == NULL ? all->last : all->look;

    for (unsigned i = 0; i < LOOK_AT && s != NULL && !is_late(s); i++) {
        s = before(s);
    }
    all->look = s;
    return s != NULL && is_late(s) ? s : NULL;
}

bool
gw_shed_can(struct gw_sessions *all)
{
    return find_idle(all) != NULL || find_late(all) != NULL;
}

static void
count(const struct gw_sessions *all)
{
    atomic_fetch_add_explicit(&gw_world_stats(all->world)->shed, 1, memory_order_relaxed);
}

bool
gw_shed_idle(struct gw_sessions *all)
{
    struct gw_session *s = find_idle(all);

    if (s == NULL) {
        return false;
    }
    gw_session_end(s, false);
    count(all);
    return true;
}

bool
gw_shed_one(struct gw_sessions *all)
{
    struct gw_session *s;

    if (gw_shed_idle(all)) {
        return true;
    }
    s = find_late(all);
    if (s == NULL) {
        return false;
    }
    if (s->state == GW_SESSION_HEAD) {
        gw_session_head_is_late(s, GW_ERR_OVERLOADED);
    }
    if (s->state == GW_SESSION_LINGER) { /* its answer is out, and nobody waits for more of it */
        gw_session_end(s, false);
    }
    count(all);
    return true;
}
