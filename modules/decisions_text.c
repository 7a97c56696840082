/* decisions_text.c - a decision as JSON, by the names that `explain` gives to its members. */
#include "base/clock.h"
#include "modules/access_line.h"
#include "modules/decisions.h"

#define TEXT_MAX   1024 /* bytes of a text that came from outside */
#define GROUPS_MAX 32

static void
add(struct gw_buf *out, const char *name, struct gw_str value)
{
    bool first = out->n > 0 && out->p[out->n - 1] == '{';

    if (value.n > TEXT_MAX) {
        value.n = TEXT_MAX;
    }
    gw_buf_printf(out, "%s\"%s\":", first ? "" : ",", name);
    gw_buf_json(out, value);
}

static void
add_some(struct gw_buf *out, const char *name, struct gw_str value)
{
    if (value.n > 0) {
        add(out, name, value);
    }
}

static struct gw_str
url_of(const struct gw_req *req)
{
    struct gw_str path = req->target.path;
    struct gw_str query = gw_access_query(req->arena, req->target.query);

    if (query.n == 0) {
        return path;
    }
    return gw_str_of(gw_arena_printf(req->arena, "%.*s?%.*s", GW_STR_ARG(path), GW_STR_ARG(query)));
}

static void
add_request(struct gw_buf *out, const struct gw_req *req)
{
    struct gw_buf time = {0};

    gw_clock_rfc3339(&time, req->decision.wall_ms);
    add(out, "id", req->request_id);
    add(out, "time", gw_buf_text(&time));
    gw_buf_fini(&time);
    add(out, "method", req->head == NULL ? GW_STR("") : req->head->method);
    add(out, "url", url_of(req));
    add(out, "host", req->host);
    add(out, "clientIP", req->client_ip);
}

static void
add_info(struct gw_buf *out, const struct gw_request_info *i)
{
    gw_buf_puts(out, ",\"requestInfo\":{");
    add(out, "verb", i->verb);
    add(out, "apiGroup", i->api_group);
    add(out, "apiVersion", i->api_version);
    add(out, "cluster", i->cluster);
    add(out, "workspace", i->workspace);
    add(out, "namespace", i->ns);
    add(out, "resource", i->resource);
    add(out, "subresource", i->subresource);
    add(out, "name", i->name);
    add(out, "resourceScope", i->scope);
    add(out, "path", i->path);
    gw_buf_printf(out, ",\"isResourceRequest\":%s}", i->is_resource ? "true" : "false");
}

static void
add_rule(struct gw_buf *out, const struct gw_decision *d)
{
    if (d->role.n == 0) {
        gw_buf_puts(out, ",\"rule\":null");
        return;
    }
    gw_buf_puts(out, ",\"rule\":{");
    add(out, "kind", d->role_kind);
    add(out, "name", d->role);
    add(out, "bindingKind", d->binding_kind);
    add(out, "binding", d->binding);
    if (d->role_template.n > 0) {
        add(out, "template", d->role_template);
    }
    if (d->rule >= 0) {
        gw_buf_printf(out, ",\"index\":%d}", d->rule);
    } else {
        gw_buf_puts(out, ",\"policy\":true}");
    }
}

/* What the client was told, when it was not passed on. */
static void
add_outcome(struct gw_buf *out, const struct gw_req *req)
{
    struct gw_str detail = gw_str_of(req->detail);
    bool kubernetes = req->err == GW_ERR_FORBIDDEN || req->err == GW_ERR_NO_TOKEN;

    if (req->err == GW_ERR_OK) {
        gw_buf_printf(out, ",\"answered\":%u", req->decision.status);
        return;
    }
    gw_buf_printf(out, ",\"status\":%u,\"error\":\"%s\"", gw_err_status(req->err),
                  gw_err_name(req->err));
    add(out, "message", kubernetes && detail.n > 0 ? detail : gw_str_of(gw_err_text(req->err)));
}

static void
add_subject(struct gw_buf *out, const struct gw_req *req)
{
    const struct gw_subject *s = &req->subject;

    gw_buf_puts(out, ",\"subject\":{");
    add(out, "name", s->name);
    gw_buf_puts(out, ",\"groups\":[");
    for (unsigned i = 0; i < s->n_groups && i < GROUPS_MAX; i++) {
        gw_buf_puts(out, i == 0 ? "" : ",");
        gw_buf_json(out, s->groups[i]);
    }
    gw_buf_puts(out, "]");
    add_some(out, "by", gw_str_of(req->decision.authentication));
    add_some(out, "credential", gw_str_of(req->decision.credential));
    gw_buf_puts(out, "}");
}

void
gw_decisions_json(struct gw_buf *out, const struct gw_req *req)
{
    const struct gw_decision *d = &req->decision;
    bool allowed = d->allowed == GW_ALLOWED;

    gw_buf_puts(out, "{");
    add_request(out, req);
    add_info(out, &req->info);
    add(out, "decision", allowed ? GW_STR("allow") : GW_STR("deny"));
    add(out, "reason", allowed ? d->reason : GW_STR(""));
    add_rule(out, d);
    add_some(out, "nearest", allowed ? GW_STR("") : d->reason);
    add_some(out, "policy", gw_str_of(d->policy));
    if (d->candidate != GW_UNDECIDED) {
        add(out, "candidate", d->candidate == GW_ALLOWED ? GW_STR("allow") : GW_STR("deny"));
        add(out, "candidateReason", d->candidate_reason);
    }
    add_outcome(out, req);
    add_subject(out, req);
    add(out, "route", gw_str_of(gw_route_name(d->route)));
    add_some(out, "extension", d->extension);
    if (d->version_by != NULL) {
        gw_buf_puts(out, ",\"version\":{");
        add(out, "name", d->version);
        add(out, "by", gw_str_of(d->version_by));
        gw_buf_puts(out, "}");
    }
    gw_buf_puts(out, "}");
}
