#include "registry/copy.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "registry/copy_write.h"

#define LIST_SECONDS 60 /* for both stores to be reached and read */
#define NAMES_MAX    10

/* One of the two stores, as far as it was read. */
struct side {
    struct run *run;
    const struct gw_place_of_store *place;
    void *store;
    struct gw_objects objects;
    bool listed;
};

struct run {
    struct gw_copy *copy;
    struct event_base *base;
    struct side from, to;
    struct gw_copy_writes writes;
    bool ok;
    struct gw_diag *diag;
};

static void
fail(struct run *r, const struct side *side, const char *why)
{
    if (r->diag->errors == 0) {
        gw_diag_error(r->diag, (struct gw_place){0}, "%s: %s", side->place->text, why);
    }
    (void)event_base_loopbreak(r->base);
}

/* ---- what is to be done --------------------------------------------------------------------- */

static bool
is_same(const struct gw_object *a, const struct gw_object *b)
{
    char *x = gw_object_bare(a);
    char *y = gw_object_bare(b);
    bool same = strcmp(x, y) == 0;

    free(x);
    free(y);
    return same;
}

static void
differs(struct gw_copy *c, const struct gw_object *o)
{
    if (c->differ++ < NAMES_MAX) {
        gw_buf_printf(&c->names, "  %s\n", o->key);
    }
}

static void
add(struct run *r, enum gw_copy_op op, struct gw_object *o, uint64_t revision)
{
    gw_copy_writes_add(&r->writes, (struct gw_copy_write){
                                       .op = op, .object = gw_object_ref(o), .revision = revision});
}

static void
plan_put(struct run *r, struct gw_object *o, const struct gw_object *there)
{
    struct gw_copy *c = r->copy;

    if (there == NULL) {
        add(r, GW_COPY_CREATE, o, 0);
    } else if (is_same(o, there)) {
        c->n[GW_COPY_SAME]++;
    } else if (c->options.replace) {
        add(r, GW_COPY_REPLACE, o, there->revision);
    } else {
        differs(c, o);
    }
}

static void
plan(struct run *r)
{
    struct gw_map *there = gw_map_of_values();

    for (size_t i = 0; i < r->to.objects.n; i++) {
        gw_map_put(there, gw_str_of(r->to.objects.items[i]->key), r->to.objects.items[i]);
    }
    for (size_t i = 0; i < r->from.objects.n; i++) {
        struct gw_object *o = r->from.objects.items[i];

        plan_put(r, o, gw_map_take(there, gw_str_of(o->key)));
    }
    for (size_t i = 0; i < r->to.objects.n; i++) { /* in order, of what is left */
        struct gw_object *o = r->to.objects.items[i];

        if (gw_map_get(there, gw_str_of(o->key)) == o) {
            r->copy->extra += r->copy->options.prune ? 0 : 1;
            if (r->copy->options.prune) {
                add(r, GW_COPY_DELETE, o, o->revision);
            }
        }
    }
    gw_map_free(there, NULL);
}

/* What the source holds and can't be read is not known to be gone; and a source without anything is
 * another database or prefix than was meant, more often than an empty registry.  False: nothing is
 * written. */
static bool
is_source_whole(struct run *r)
{
    const struct gw_copy *c = r->copy;
    struct gw_store_status status = {0};
    char why[300];

    c->from->driver->status(r->from.store, &status);
    if (status.quarantined > 0 && !c->options.skip_unreadable) {
        (void)snprintf(why, sizeof(why),
                       "%zu of its entries can't be read (see above), so the copy would not be "
                       "whole; nothing was written.  `ksgate registry check` says what to do; "
                       "--skip-unreadable copies the others",
                       status.quarantined);
        fail(r, &r->from, why);
        return false;
    }
    if (c->options.prune && r->from.objects.n == 0) {
        fail(r, &r->from,
             "it has no object at all, and --prune would delete all of the other store; nothing "
             "was written.  Is it the right database and prefix?");
        return false;
    }
    return true;
}

/* ---- the two stores ------------------------------------------------------------------------- */

static void
on_all_written(void *owner)
{
    struct run *r = owner;

    r->ok = r->copy->failed == 0;
    (void)event_base_loopbreak(r->base);
}

/* From the loop, and not from within what a store tells. */
static void
begin(evutil_socket_t fd, short what, void *arg)
{
    struct run *r = arg;

    (void)fd;
    (void)what;
    if (!is_source_whole(r)) {
        return;
    }
    plan(r);
    if (r->copy->options.dry_run || r->copy->differ > 0) {
        for (size_t i = 0; i < r->writes.n; i++) {
            r->copy->n[r->writes.list[i].op]++;
        }
        r->ok = true;
        (void)event_base_loopbreak(r->base);
        return;
    }
    gw_copy_writes_start(&r->writes, r->to.store);
}

static void
begin_if_ready(struct run *r)
{
    const struct timeval now = {0};

    if (r->from.listed && r->to.listed &&
        event_base_once(r->base, -1, EV_TIMEOUT, begin, r, &now) != 0) {
        abort(); /* no memory */
    }
}

/* A list that comes later was made necessary by a reconnect; the writes go on. */
static uint64_t
on_listed(void *owner, struct gw_object *const *objects, size_t n, uint64_t revision,
          const char *epoch, const char *reason)
{
    struct side *s = owner;

    (void)revision;
    (void)epoch;
    (void)reason;
    if (s->listed) {
        return GW_STORE_ALL_TOLD;
    }
    for (size_t i = 0; i < n; i++) {
        gw_objects_add(&s->objects, gw_object_ref(objects[i]));
    }
    s->listed = true;
    begin_if_ready(s->run);
    return GW_STORE_ALL_TOLD;
}

static void
on_changed(void *owner, const struct gw_change *changes, size_t n, uint64_t revision)
{
    (void)owner;
    (void)changes;
    (void)n;
    (void)revision;
}

/* Before it was read nothing is lost by giving up; after that its own deadlines decide. */
static void
on_reachable(void *owner, bool yes, const char *text)
{
    struct side *s = owner;

    if (!yes && !s->listed) {
        fail(s->run, s, text);
    }
}

static void
on_late(evutil_socket_t fd, short what, void *arg)
{
    struct run *r = arg;
    struct side *s = r->from.listed ? &r->to : &r->from;

    (void)fd;
    (void)what;
    if (!s->listed) {
        fail(r, s, "it was not read within a minute");
    }
}

static bool
open_side(struct run *r, struct side *s, const struct gw_place_of_store *place)
{
    static const struct gw_store_events events = {
        .listed = on_listed, .changed = on_changed, .reachable = on_reachable};

    s->run = r;
    s->place = place;
    s->store = place->driver->open(&place->conf, r->base, &events, s, r->diag);
    return s->store != NULL;
}

/* A driver makes a file that is not there: right for where copies go, and wrong for all else. */
static bool
is_missing(const struct gw_place_of_store *place)
{
    return place->driver == &gw_store_sqlite && access(place->conf.sqlite.path, F_OK) != 0 &&
           errno == ENOENT;
}

static bool
open_from(struct run *r)
{
    if (is_missing(r->copy->from)) {
        gw_diag_error(r->diag, (struct gw_place){0}, "%s: there is no such file",
                      r->copy->from->text);
        return false;
    }
    return open_side(r, &r->from, r->copy->from);
}

static bool
open_to(struct run *r)
{
    r->to.run = r;
    r->to.place = r->copy->to;
    r->to.listed = r->copy->options.dry_run && is_missing(r->copy->to); /* as if it were empty */
    return r->to.listed || open_side(r, &r->to, r->copy->to);
}

static void
close_side(struct side *s)
{
    if (s->store != NULL) {
        s->place->driver->close(s->store);
    }
    gw_objects_fini(&s->objects);
}

bool
gw_copy_run(struct gw_copy *c, const struct gw_place_of_store *from,
            const struct gw_place_of_store *to, struct gw_diag *diag)
{
    struct run r = {.copy = c, .base = event_base_new(), .diag = diag};
    const struct timeval limit = {.tv_sec = LIST_SECONDS};

    assert(r.base != NULL);
    c->from = from;
    c->to = to;
    r.writes.copy = c;
    r.writes.done = on_all_written;
    r.writes.owner = &r;
    struct event *late = event_new(r.base, -1, 0, on_late, &r);
    assert(late != NULL);
    (void)event_add(late, &limit);
    if (open_to(&r) && open_from(&r)) {
        (void)event_base_dispatch(r.base);
    }
    event_free(late);
    close_side(&r.to); /* answers what is under way, while the writes are there */
    close_side(&r.from);
    gw_copy_writes_fini(&r.writes);
    event_base_free(r.base);
    return r.ok;
}

void
gw_copy_fini(struct gw_copy *c)
{
    gw_buf_fini(&c->names);
    *c = (struct gw_copy){0};
}
