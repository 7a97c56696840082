/* admin_explain.c - the decision for a request that is not sent, by the worker's own world. */
#include "server/admin_call.h"
#include "server/question.h"

#define GROUPS_MAX 256

/* The values of all query parameters of that name. */
static unsigned
all_of(const struct gw_admin_call *call, struct gw_str name, struct gw_str *out, unsigned size)
{
    struct gw_str rest = call->req->target.query;
    unsigned n = 0;

    while (rest.n > 0 && n < size) {
        struct gw_str pair = gw_str_cut(&rest, '&');

        n += gw_query_get(call->req->arena, pair, name, &out[n]);
    }
    return n;
}

static enum gw_verdict
decide(struct gw_admin_call *call, struct gw_question *q, json_t *id)
{
    struct gw_req *asked;
    json_t *answer;

    q->asker = call->req;

    asked = gw_explain_run(call->req->snapshot, call->req->world, q);
    answer = gw_explain_json(asked, q);
    gw_arena_free(asked->arena);
    if (id != NULL) {
        (void)json_object_set(answer, "id", id);
    }
    return gw_admin_json(call->req, 200, answer);
}

static enum gw_verdict
from_query(struct gw_admin_call *call)
{
    struct gw_str *groups = gw_arena_alloc(call->req->arena, GROUPS_MAX * sizeof(*groups));
    struct gw_question q = {
        .method = gw_admin_query(call, "method"),
        .host = gw_admin_query(call, "host"),
        .url = gw_admin_query(call, "path"),
        .user = gw_admin_query(call, "as"),
        .groups = groups,
    };

    if (q.url.n == 0) {
        return gw_admin_refuse(call, GW_ERR_BAD_REQUEST,
                               "path is missing: explain?method=GET&path=/...&as=USER&group=GROUP");
    }
    q.method = q.method.n == 0 ? GW_STR("GET") : q.method;
    q.n_groups = all_of(call, GW_STR("group"), groups, GROUPS_MAX);
    if (q.user.n > 0 && q.n_groups == 0) {
        groups[q.n_groups++] = GW_STR("system:authenticated"); /* as a token gives it */
    }
    return decide(call, &q, NULL);
}

/* A token goes in a body, since paths are written to logs. */
static enum gw_verdict
from_body(struct gw_admin_call *call, struct gw_str body)
{
    json_t *json = NULL;
    struct gw_question q;
    char why[512];
    enum gw_verdict v = gw_admin_parse(call, body, &json);

    if (v != GW_NEXT) {
        return v;
    }
    if (gw_question_read(&q, call->req->arena, json, why)) {
        v = decide(call, &q, json_object_get(json, "id"));
    } else {
        v = gw_admin_refuse(call, GW_ERR_BAD_REQUEST, "%s", why);
    }
    json_decref(json);
    return v;
}

enum gw_verdict
gw_admin_explain(struct gw_admin_call *call)
{
    return gw_str_eq(call->req->head->method, GW_STR("POST")) ? gw_admin_body(call, from_body)
                                                              : from_query(call);
}
