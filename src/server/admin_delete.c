/* admin_delete.c - DELETE, and the DeleteOptions of its body (Kubernetes API, meta/v1). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/schema.h"
#include "server/admin_fit.h"
#include "server/admin_sight.h"
#include "server/admin_write.h"

/* ---- what the body says --------------------------------------------------------------------- */

/* Nothing here has dependents, or is asked to end: so how that is to be done makes no difference.
 */
struct options {
    const char *api_version;
    const char *uid, *revision; /* NULL: whichever */
    long long grace_s;
    int kind, policy, dry_run; /* dry_run: a bit of `all` */
    bool orphan, breaking;
};

/* What is refused in Kubernetes is refused here; what is unknown, too: it may be a condition. */
/* clang-format off */
static const char *const kinds[] = {"DeleteOptions", NULL};
static const char *const policies[] = {"Orphan", "Background", "Foreground", NULL};
static const char *const all[] = {"All", NULL};

static const struct gw_setting preconditions[] = {
    {.name = "uid", .set = gw_set_text, .at = offsetof(struct options, uid)},
    {.name = "resourceVersion", .set = gw_set_text, .at = offsetof(struct options, revision), .flags = GW_NOT_SNAKE},
    {0},
};

static const struct gw_setting rows[] = {
    {.name = "apiVersion", .set = gw_set_text, .at = offsetof(struct options, api_version), .flags = GW_NOT_SNAKE},
    {.name = "kind", .set = gw_set_word, .at = offsetof(struct options, kind), .words = kinds},
    {.name = "preconditions", .set = gw_set_section, .rows = preconditions},
    {.name = "dryRun", .set = gw_set_word_set, .at = offsetof(struct options, dry_run), .words = all, .flags = GW_NOT_SNAKE},
    {.name = "propagationPolicy", .set = gw_set_word, .at = offsetof(struct options, policy), .words = policies, .flags = GW_NOT_SNAKE},
    {.name = "orphanDependents", .set = gw_set_bool, .at = offsetof(struct options, orphan), .flags = GW_NOT_SNAKE},
    {.name = "gracePeriodSeconds", .set = gw_set_int, .at = offsetof(struct options, grace_s), .flags = GW_NOT_SNAKE},
    {.name = "ignoreStoreReadErrorWithClusterBreakingPotential", .set = gw_set_bool, .at = offsetof(struct options, breaking), .flags = GW_NOT_SNAKE},
    {0},
};
/* clang-format on */

static bool
is_said(const json_t *json, const char *name)
{
    const json_t *value = json_object_get(json, name);

    return value != NULL && !json_is_null(value);
}

/* Kubernetes has DeleteOptions in each group and version. */
static bool
is_version(const struct gw_admin_call *call, const char *version)
{
    const struct gw_kind *k = call->kind;
    const char *own = gw_arena_printf(call->req->arena, "%s/%s", k->group, k->version);

    return strcmp(version, "v1") == 0 || strcmp(version, "meta.k8s.io/v1") == 0 ||
           strcmp(version, own) == 0;
}

/* revision: of the text, when there is one. */
static void
check(const struct gw_admin_call *call, struct gw_loader *l, const json_t *json,
      const struct options *o, uint64_t *revision)
{
    if (o->api_version != NULL && !is_version(call, o->api_version)) {
        gw_schema_error(l, json_object_get(json, "apiVersion"), "apiVersion",
                        "DeleteOptions are of v1, got \"%s\"", o->api_version);
    }
    if (is_said(json, "orphanDependents") && is_said(json, "propagationPolicy")) {
        gw_schema_error(l, json, "propagationPolicy",
                        "orphanDependents and propagationPolicy can't both be set");
    }
    if (o->revision != NULL && !gw_str_u64(gw_str_of(o->revision), revision)) {
        gw_schema_error(l, json, "preconditions.resourceVersion",
                        "expected a number as text, got \"%s\"", o->revision);
    }
}

/* GW_NEXT, or the refusal. */
static enum gw_verdict
read_options(struct gw_admin_call *call, struct gw_str body, struct options *o, uint64_t *revision)
{
    struct gw_diag diag = {0};
    struct gw_loader loader = {.arena = call->req->arena, .diag = &diag};
    json_t *json = NULL;
    enum gw_verdict v = body.n == 0 ? GW_NEXT : gw_admin_parse(call, body, &json);

    if (v == GW_NEXT && json != NULL) {
        (void)gw_schema_load(&loader, o, json, rows, "", NULL);
        check(call, &loader, json, o, revision);
    }
    json_decref(json);
    if (diag.errors > 0) {
        return gw_admin_refuse_causes(
            call, GW_ERR_BAD_OBJECT,
            "DeleteOptions.meta.k8s.io \"\" is invalid:", "FieldValueInvalid", &diag);
    }
    gw_diag_fini(&diag);
    return v;
}

/* ---- control thread ------------------------------------------------------------------------- */

static void
foresee(struct gw_errand *e)
{
    struct gw_object *now = gw_sync_get(gw_control_sync(e->control), e->key);

    gw_admin_foresee(e, e->key, e->when, e->revision);
    if (e->result == GW_STORE_OK && e->only_uid != NULL &&
        gw_admin_fit_revision(e) != now->revision) {
        e->result = GW_STORE_CONFLICT;
    }
    gw_admin_fit_note(e, e->result, now == NULL ? 0 : now->revision);
    gw_object_unref(now);
}

static void
removed(void *arg, const struct gw_store_answer *answer)
{
    struct gw_errand *e = arg;

    gw_admin_fit_note(e, answer->result, answer->revision);
    gw_admin_written(e, answer);
}

void
gw_admin_remove(struct gw_errand *e)
{
    struct gw_sync *sync = gw_control_sync(e->control);

    if (e->dry_run) {
        foresee(e);
        gw_errand_return(e);
    } else if (e->only_uid == NULL) {
        gw_errand_before(e);
        gw_sync_remove(sync, e->key, e->when, e->revision, removed, e);
    } else if (!gw_errand_registry_known(e)) {
        gw_errand_return(e);
    } else {
        gw_errand_before(e);
        gw_sync_remove(sync, e->key, GW_WHEN_REVISION, gw_admin_fit_revision(e), removed, e);
    }
}

/* ---- worker --------------------------------------------------------------------------------- */

enum gw_verdict
gw_admin_answer_remove(struct gw_errand *e, struct gw_admin_call *call)
{
    if (gw_admin_fit_is_behind(e) && e->tries < GW_ERRAND_TRIES) {
        e->tries++;
        return gw_errand_send_again(e);
    }
    if (e->result == GW_STORE_CONFLICT && e->unfit != NULL) {
        return gw_admin_fit_refuse(e, call);
    }
    if (e->result != GW_STORE_OK) {
        return gw_errand_refuse(e, call);
    }
    return gw_admin_json(call->req, 200,
                         json_pack("{s:s, s:s, s:{}, s:s, s:{s:s%, s:s, s:s}}", "apiVersion", "v1",
                                   "kind", "Status", "metadata", "status", "Success", "details",
                                   "name", call->name.p, call->name.n, "group", call->kind->group,
                                   "kind", call->kind->plural));
}

static enum gw_verdict
delete_object(struct gw_admin_call *call, struct gw_str body)
{
    struct options options = {0};
    uint64_t revision = 0;
    enum gw_verdict v = read_options(call, body, &options, &revision);

    v = v == GW_NEXT ? gw_admin_may_write(call, NULL) : v;
    if (v != GW_NEXT) {
        return v;
    }
    struct gw_errand *e = gw_errand_new(call, gw_admin_remove, gw_admin_answer_remove);
    e->key = gw_object_key(call->kind, call->ns, call->name);
    e->only_uid = options.uid == NULL ? NULL : gw_mem_strdup(options.uid);
    e->only_revision = options.revision != NULL;
    e->when = e->only_revision ? GW_WHEN_REVISION : GW_WHEN_PRESENT;
    e->revision = revision;
    e->dry_run = call->dry_run || options.dry_run != 0;
    return gw_admin_send_seen(e);
}

enum gw_verdict
gw_admin_delete(struct gw_admin_call *call)
{
    return gw_admin_write_by(call, delete_object);
}
