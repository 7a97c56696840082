/*
 * admin_decisions.c - what was decided lately:
 *
 *     GET /-/apis/ksgate.io/v1/decisions?user=&extension=&decision=deny|allow|otherwise&limit=
 *     GET /-/apis/ksgate.io/v1/decisions/{request id}
 */
#include <stdlib.h>

#include "modules/decisions.h"
#include "server/admin_sight.h"

#define LIMIT     100
#define LIMIT_MAX 100000

static struct gw_kept_list
take_all(const struct gw_admin_call *call)
{
    size_t n = 0;
    struct gw_world *const *worlds = gw_world_all(call->req->world, &n);

    return gw_decisions_take(worlds, n);
}

static enum gw_verdict
answer(struct gw_admin_call *call, struct gw_buf *out)
{
    gw_buf_puts(out, "\n");
    gw_arena_defer(call->req->arena, free, out->p);
    return gw_req_reply(call->req, 200, GW_STR("application/json"), gw_buf_text(out));
}

/* Is it about an extension that the caller may know of, or about none? */
static bool
may_be_told(struct gw_viewer *v, const struct gw_kept *k)
{
    if (k->hidden) { /* of a name that is not there, too: else the difference would tell */
        return v->all;
    }
    return k->extension.n == 0 || gw_viewer_sees(v, k->extension);
}

enum gw_verdict
gw_admin_decision(struct gw_admin_call *call)
{
    struct gw_str id = call->part[call->n_parts - 1];
    struct gw_kept_list all = take_all(call);
    struct gw_buf out = {0};
    struct gw_viewer viewer;

    gw_viewer_init(&viewer, call->req);
    for (size_t i = 0; i < all.n && out.n == 0; i++) {
        if (gw_str_eq(all.list[i]->request_id, id) && may_be_told(&viewer, all.list[i])) {
            gw_buf_str(&out, all.list[i]->json);
        }
    }
    gw_decisions_give(&all);
    if (out.n > 0) {
        return answer(call, &out);
    }
    return gw_admin_refuse(call, GW_ERR_NO_OBJECT,
                           "no decision about the request \"%.*s\" is kept; kept are the last "
                           "`decisions.kept` denials of each worker, and one of "
                           "`decisions.sample` requests that were allowed",
                           GW_STR_ARG(id));
}

static bool
fits(const struct gw_kept *k, struct gw_str user, struct gw_str extension, struct gw_str decision)
{
    return (user.p == NULL || gw_str_eq(k->user, user)) &&
           (extension.p == NULL || gw_str_eq(k->extension, extension)) &&
           (decision.p == NULL || (gw_str_eq(decision, GW_STR("otherwise"))
                                       ? k->otherwise
                                       : gw_str_eq(decision, GW_STR("deny")) == k->denied));
}

/* False: it is no number from 1 to LIMIT_MAX. */
static bool
read_limit(struct gw_str text, size_t *limit)
{
    if (text.p == NULL) {
        *limit = LIMIT;
        return true;
    }
    *limit = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9' || *limit > LIMIT_MAX) {
            return false;
        }
        *limit = *limit * 10 + (size_t)(text.p[i] - '0');
    }
    return *limit > 0 && *limit <= LIMIT_MAX;
}

enum gw_verdict
gw_admin_decisions(struct gw_admin_call *call)
{
    struct gw_str user = gw_admin_query(call, "user");
    struct gw_str extension = gw_admin_query(call, "extension");
    struct gw_str decision = gw_admin_query(call, "decision");
    struct gw_buf out = {0};
    struct gw_viewer viewer;
    size_t limit;
    size_t n = 0;

    if (!read_limit(gw_admin_query(call, "limit"), &limit)) {
        return gw_admin_refuse(call, GW_ERR_BAD_REQUEST, "limit must be a number from 1 to %d",
                               LIMIT_MAX);
    }
    if (decision.p != NULL && !gw_str_eq(decision, GW_STR("deny")) &&
        !gw_str_eq(decision, GW_STR("allow")) && !gw_str_eq(decision, GW_STR("otherwise"))) {
        return gw_admin_refuse(call, GW_ERR_BAD_REQUEST,
                               "decision must be deny, allow or otherwise");
    }
    struct gw_kept_list all = take_all(call);
    gw_buf_puts(&out, "{\"kind\":\"DecisionList\",\"apiVersion\":\"ksgate.io/v1\",\"metadata\":{},"
                      "\"items\":[");
    gw_viewer_init(&viewer, call->req);
    for (size_t i = 0; i < all.n && n < limit; i++) {
        if (fits(all.list[i], user, extension, decision) && may_be_told(&viewer, all.list[i])) {
            gw_buf_puts(&out, n++ == 0 ? "" : ",");
            gw_buf_str(&out, all.list[i]->json);
        }
    }
    gw_buf_puts(&out, "]}");
    gw_decisions_give(&all);
    return answer(call, &out);
}
