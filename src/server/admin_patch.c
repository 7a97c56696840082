/*
 * admin_patch.c - PATCH: read, merge, check, write if nobody else has.
 *
 * Control reads, the worker merges and checks, control writes with compare-and-set.  A patch
 * that names no resourceVersion is tried again when somebody else was faster.  One that names it is
 * merged into that revision alone: memory may be older, and then have another owner and content.
 */
#include "server/admin_fit.h"
#include "server/admin_owner.h"
#include "server/admin_sight.h"
#include "server/admin_write.h"

/* To find what somebody has seen, by its uid, and is not here; a deleted one is not waited for
 * long. */
#define UNSEEN_TRIES 4

static enum gw_verdict merge_and_write(struct gw_errand *e, struct gw_admin_call *call);

json_t *
gw_admin_merge(json_t *target, json_t *patch)
{
    json_t *merged;
    const char *key;
    json_t *value;

    if (!json_is_object(patch)) {
        return json_incref(patch);
    }
    merged = json_is_object(target) ? json_copy(target) : json_object();
    json_object_foreach(patch, key, value)
    {
        if (json_is_null(value)) {
            (void)json_object_del(merged, key);
        } else {
            (void)json_object_set_new(merged, key,
                                      gw_admin_merge(json_object_get(merged, key), value));
        }
    }
    return merged;
}

static const char *
revision_text(const struct gw_errand *e)
{
    return json_string_value(
        json_object_get(json_object_get(e->patch, "metadata"), "resourceVersion"));
}

static bool
names_revision(const struct gw_errand *e)
{
    const char *text = revision_text(e);

    return text != NULL && *text != '\0';
}

/* 0: it names none, or what can't be one. */
static uint64_t
named_revision(const struct gw_errand *e)
{
    uint64_t revision = 0;

    return gw_str_u64(gw_str_of(revision_text(e)), &revision) ? revision : 0;
}

static void
fetch(struct gw_errand *e)
{
    gw_object_unref(e->object);
    e->object = NULL;
    if (gw_errand_registry_known(e)) {
        e->object = gw_sync_get(gw_control_sync(e->control), e->key);
        e->result = e->object == NULL ? GW_STORE_NOT_FOUND : GW_STORE_OK;
        gw_errand_look_lag(e, named_revision(e));
    }
    gw_errand_return(e);
}

static enum gw_verdict
fetch_again(struct gw_errand *e)
{
    e->there = fetch;
    e->back = merge_and_write;
    return gw_errand_send_again(e);
}

static enum gw_verdict
answer(struct gw_errand *e, struct gw_admin_call *call)
{
    bool again = e->result == GW_STORE_CONFLICT && e->unfit == NULL && !names_revision(e);

    if (again && e->tries < GW_ERRAND_TRIES) {
        return fetch_again(e);
    }
    return gw_admin_answer_put(e, call);
}

/* Is what was read what the patch is for?  What is of a file has no revision, and stays as it is.
 */
static bool
is_base(const struct gw_errand *e)
{
    return !names_revision(e) || e->object->revision == 0 ||
           e->object->revision == named_revision(e);
}

/* Could another look find it? */
static bool
is_late(const struct gw_errand *e)
{
    bool found = e->result == GW_STORE_OK && is_base(e);
    bool unseen = e->only_uid != NULL && e->result == GW_STORE_NOT_FOUND && e->tries < UNSEEN_TRIES;

    return (e->lags || unseen) && !found && e->result != GW_STORE_UNAVAILABLE &&
           e->tries < GW_ERRAND_TRIES;
}

/* Refuses, if it has to be, what is read and not merged yet. */
static void
judge_base(struct gw_errand *e, struct gw_admin_call *call)
{
    bool found = e->result == GW_STORE_OK;

    if (found && !gw_admin_may_touch(call, e->object)) {
        e->result = GW_STORE_NOT_FOUND;
    } else if (found ? !is_base(e) : e->result == GW_STORE_NOT_FOUND && e->lags) {
        e->result = GW_STORE_CONFLICT; /* or it may be there by now */
    }
}

static enum gw_verdict
merge_and_write(struct gw_errand *e, struct gw_admin_call *call)
{
    struct gw_object *patched = NULL;
    json_t *json;
    enum gw_verdict v;

    if (is_late(e)) {
        e->tries++;
        return fetch_again(e);
    }
    judge_base(e, call);
    if (e->result != GW_STORE_OK) {
        return gw_errand_refuse(e, call);
    }
    json_t *now = gw_object_json(e->object);

    json = gw_admin_merge(now, e->patch);
    json_decref(now);
    v = gw_admin_object(call, json, &patched);
    json_decref(json);
    if (v == GW_NEXT) {
        v = gw_admin_may_write(call, patched);
    }
    if (v == GW_NEXT && gw_owner_counts(call->kind)) {
        v = gw_owner_decide(call, e->object, &patched);
    }
    if (v != GW_NEXT) {
        gw_object_unref(patched);
        return v;
    }
    e->revision = e->object->revision;
    gw_object_unref(e->object);
    e->object = patched;
    e->when = GW_WHEN_REVISION;
    e->there = gw_admin_put;
    e->back = answer;
    e->tries++;
    return gw_errand_send(e);
}

static enum gw_verdict
patch(struct gw_admin_call *call, struct gw_str body)
{
    json_t *json = NULL;
    struct gw_errand *e;
    enum gw_verdict v = gw_admin_parse(call, body, &json);

    if (v != GW_NEXT) {
        return v;
    }
    e = gw_errand_new(call, fetch, merge_and_write);
    e->key = gw_object_key(call->kind, call->ns, call->name);
    e->patch = json;
    e->only_uid = gw_admin_fit_uid(json);
    e->only_revision = names_revision(e);
    e->dry_run = call->dry_run;
    return gw_errand_send(e);
}

enum gw_verdict
gw_admin_patch(struct gw_admin_call *call)
{
    return gw_admin_write_by(call, patch);
}
