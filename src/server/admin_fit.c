#include "server/admin_fit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

char *
gw_admin_fit_uid(const json_t *json)
{
    const char *uid = json_string_value(json_object_get(json_object_get(json, "metadata"), "uid"));

    return uid == NULL || *uid == '\0' ? NULL : gw_mem_strdup(uid);
}

/* "": none. */
static char *
uid_of(const struct gw_object *o)
{
    json_t *json = gw_object_json(o);
    char *uid = gw_admin_fit_uid(json);

    json_decref(json);
    return uid == NULL ? gw_mem_strdup("") : uid;
}

/* Kubernetes' words (apiserver, registry/rest/delete.go). */
static char *
other_uid(const struct gw_errand *e, const char *uid)
{
    struct gw_buf text = {0};

    gw_buf_printf(&text,
                  "the UID in the precondition (%s) does not match the UID in record (%s). The "
                  "object might have been deleted and then recreated",
                  e->only_uid, uid);
    return text.p;
}

/* The same, and of an update registry/generic/registry/store.go. */
static char *
other_revision(const struct gw_errand *e, uint64_t revision)
{
    struct gw_buf text = {0};

    if (e->object != NULL) {
        return gw_mem_strdup(GW_ERRAND_MODIFIED);
    }
    gw_buf_printf(&text,
                  "the ResourceVersion in the precondition (%" PRIu64
                  ") does not match the ResourceVersion in record (%" PRIu64
                  "). The object might have been modified",
                  e->revision, revision);
    return text.p;
}

uint64_t
gw_admin_fit_revision(const struct gw_errand *e)
{
    struct gw_object *now = gw_sync_get(gw_control_sync(e->control), e->key);
    uint64_t revision = 0;

    if (now != NULL && (e->when != GW_WHEN_REVISION || now->revision == e->revision)) {
        char *uid = uid_of(now);

        revision = strcmp(uid, e->only_uid) == 0 ? now->revision : 0;
        free(uid);
    }
    gw_object_unref(now);
    return revision;
}

/* Does the errand know enough of what the store has? */
static char *
why_unfit(const struct gw_errand *e, uint64_t revision)
{
    struct gw_object *now = gw_sync_get(gw_control_sync(e->control), e->key);
    bool known = now != NULL && now->revision == revision;
    char *uid = known && e->only_uid != NULL ? uid_of(now) : NULL;
    char *text = NULL;

    if (uid != NULL && strcmp(uid, e->only_uid) != 0) {
        text = other_uid(e, uid);
    } else if (e->only_revision && revision != 0 && revision != e->revision) {
        text = other_revision(e, revision);
    }
    free(uid);
    gw_object_unref(now);
    return text;
}

void
gw_admin_fit_note(struct gw_errand *e, enum gw_store_result result, uint64_t revision)
{
    bool would_create = e->object != NULL && (e->when == GW_WHEN_ANY || e->when == GW_WHEN_ABSENT);

    free(e->unfit);
    e->unfit = NULL;
    if (result == GW_STORE_CONFLICT) {
        e->unfit = why_unfit(e, revision);
    } else if (result == GW_STORE_NOT_FOUND && would_create) {
        e->unfit = other_uid(e, ""); /* as kube-apiserver has it */
    }
}

bool
gw_admin_fit_is_behind(const struct gw_errand *e)
{
    return e->result == GW_STORE_CONFLICT && e->unfit == NULL && e->only_uid != NULL;
}

enum gw_verdict
gw_admin_fit_refuse(struct gw_errand *e, struct gw_admin_call *call)
{
    return gw_admin_refuse(call, GW_ERR_CONFLICT,
                           "Operation cannot be fulfilled on %s \"%.*s\": %s",
                           gw_admin_resource(call), GW_STR_ARG(call->name), e->unfit);
}
