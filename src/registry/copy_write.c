#include "registry/copy_write.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "registry/lease.h"

#define UNDER_WAY_MAX 64

struct under_way {
    struct gw_copy_writes *writes;
    const struct gw_copy_write *write;
};

void
gw_copy_writes_add(struct gw_copy_writes *w, struct gw_copy_write write)
{
    w->list = gw_mem_room(w->list, w->n, &w->size, sizeof(*w->list));
    w->list[w->n++] = write;
}

void
gw_copy_writes_fini(struct gw_copy_writes *w)
{
    for (size_t i = 0; i < w->n; i++) {
        gw_object_unref(w->list[i].object);
    }
    free(w->list);
    *w = (struct gw_copy_writes){0};
}

static void pump(struct gw_copy_writes *w);

/* What is gone by itself was to be deleted. */
static bool
is_fine(const struct gw_copy_write *write, enum gw_store_result result)
{
    return result == GW_STORE_OK || (result == GW_STORE_NOT_FOUND && write->op == GW_COPY_DELETE);
}

static void
on_written(void *arg, const struct gw_store_answer *answer)
{
    struct under_way *u = arg;
    struct gw_copy_writes *w = u->writes;
    struct gw_copy *c = w->copy;

    if (is_fine(u->write, answer->result)) {
        c->n[u->write->op]++;
    } else {
        c->failed++;
        w->broken = w->broken || answer->result == GW_STORE_UNAVAILABLE;
        if (c->failed == 1) {
            (void)snprintf(c->first_failure, sizeof(c->first_failure), "%s: %s",
                           u->write->object->key, answer->text == NULL ? "" : answer->text);
        }
    }
    free(u);
    w->under_way--;
    if (!w->issuing) {
        pump(w);
    }
}

static void
put(struct gw_copy_writes *w, const struct gw_copy_write *write, struct under_way *u)
{
    json_t *json = gw_object_json(write->object);
    const json_t *metadata = json_object_get(json, "metadata");
    struct gw_store_put p = {
        .object = write->object,
        .when = write->op == GW_COPY_CREATE ? GW_WHEN_ABSENT : GW_WHEN_REVISION,
        .revision = write->revision,
        .lease_ms = gw_lease_ms(write->object),
        .uid = json_string_value(json_object_get(metadata, "uid")),
        .created = json_string_value(json_object_get(metadata, "creationTimestamp")),
    };

    w->copy->to->driver->put(w->store, &p, on_written, u);
    json_decref(json);
}

static void
pump(struct gw_copy_writes *w)
{
    w->issuing = true;
    while (w->next < w->n && w->under_way < UNDER_WAY_MAX && !w->broken) {
        const struct gw_copy_write *write = &w->list[w->next++];
        struct under_way *u = gw_mem_alloc(sizeof(*u));

        *u = (struct under_way){.writes = w, .write = write};
        w->under_way++;
        if (write->op == GW_COPY_DELETE) {
            w->copy->to->driver->remove(w->store, write->object->key, GW_WHEN_REVISION,
                                        write->revision, on_written, u);
        } else {
            put(w, write, u);
        }
    }
    w->issuing = false;
    if (w->under_way == 0 && (w->next == w->n || w->broken)) {
        w->copy->failed += w->n - w->next; /* those that were not begun */
        w->next = w->n;
        w->done(w->owner);
    }
}

void
gw_copy_writes_start(struct gw_copy_writes *w, void *store)
{
    w->store = store;
    pump(w);
}
