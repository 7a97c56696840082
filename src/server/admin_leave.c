/*
 * admin_leave.c - backends that leave (admin_endpoints.h).
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "server/admin_endpoints.h"
#include "server/admin_owner.h"
#include "server/admin_write.h"

static const char *
url_of(const json_t *endpoint)
{
    const char *url = json_string_value(json_object_get(json_object_get(endpoint, "spec"), "url"));

    return url == NULL ? "" : url;
}

static void
on_compared(void *arg, const struct gw_store_answer *answer)
{
    struct gw_errand *e = arg;
    bool is_news = answer->result != GW_STORE_CONFLICT || answer->revision != e->revision;

    gw_errand_note(e, answer);
    if (is_news) {
        free(e->unfit);
        e->unfit = NULL;
    }
    gw_errand_return(e);
}

/* As far as memory knows another one has that id by now: one that was started in place of the
 * caller, say.  Memory may be behind, and the caller has just come: so the store is asked to delete
 * revision 0, which nothing has, and says which one it has. */
static void
compare(struct gw_errand *e, const char *url)
{
    e->unfit = gw_mem_strdup(url);
    if (e->dry_run) {
        e->result = GW_STORE_CONFLICT;
        gw_errand_return(e);
    } else {
        gw_sync_remove(gw_control_sync(e->control), e->key, GW_WHEN_REVISION, 0, on_compared, e);
    }
}

static void
leave_there(struct gw_errand *e)
{
    struct gw_object *now = gw_sync_get(gw_control_sync(e->control), e->key);
    json_t *there;

    e->when = GW_WHEN_REVISION; /* 0: the registry knows nothing of it, either, or we are behind */
    e->revision = now == NULL ? 0 : now->revision;
    if (now == NULL) {
        gw_admin_remove(e);
        return;
    }
    there = gw_object_json(now);
    if (!gw_endpoints_is_of(there, e->parent)) {
        gw_endpoints_return(e, GW_STORE_NOT_FOUND);
    } else if (gw_endpoints_is_others(e, there)) {
        gw_endpoints_return(e, GW_STORE_EXISTS);
    } else if (e->url != NULL && strcmp(url_of(there), e->url) != 0) {
        compare(e, url_of(there));
    } else {
        e->when = now->revision > 0 ? GW_WHEN_REVISION : GW_WHEN_PRESENT;
        gw_admin_remove(e);
    }
    json_decref(there);
    gw_object_unref(now);
}

/* ---- worker --------------------------------------------------------------------------------- */

static enum gw_verdict
answer_left(struct gw_errand *e, struct gw_admin_call *call)
{
    enum gw_verdict v = gw_endpoints_back(e, call);

    if (v != GW_NEXT) {
        return v;
    }
    if (e->result == GW_STORE_CONFLICT && e->unfit != NULL) {
        return gw_admin_refuse(call, GW_ERR_CONFLICT,
                               "endpoints.ksgate.io \"%.*s\" is registered with another url by now "
                               "(%s); nothing was changed",
                               GW_STR_ARG(call->name), e->unfit);
    }
    return gw_admin_answer_remove(e, call);
}

/* The body may be what was registered: then nobody else's registration goes.  What is none (a
 * DeleteOptions, say) is another condition, and refused. */
static enum gw_verdict
leave_body(struct gw_admin_call *call, struct gw_str body)
{
    struct gw_registration r = {0};
    json_t *json = NULL;
    enum gw_verdict v = body.n == 0 ? GW_NEXT : gw_admin_parse(call, body, &json);

    if (v == GW_NEXT && json_object_size(json) > 0) {
        v = gw_endpoints_read(call, json, &r);
    }
    json_decref(json);
    if (v != GW_NEXT) {
        return v;
    }
    struct gw_errand *e = gw_errand_new(call, leave_there, answer_left);
    e->owner = gw_mem_strdup(gw_owner_caller(call));
    e->url = gw_mem_strdup(r.url);
    e->key = gw_object_key(call->kind, GW_STR_NONE, call->name);
    e->parent = gw_endpoints_parent(call);
    e->dry_run = call->dry_run;
    return gw_errand_send(e);
}

enum gw_verdict
gw_admin_leave(struct gw_admin_call *call)
{
    enum gw_verdict v = gw_endpoints_locate(call);

    return v != GW_NEXT ? v : gw_admin_body(call, leave_body);
}
