/* request_info.c - finds out what a request asks for: verb, resource, and where. */
#include "gateway/module.h"
#include "modules/request_rules.h"

static enum gw_verdict
find(struct gw_req *req, const void *conf)
{
    struct gw_str path = req->target.path;

    (void)conf;
    if (req->target.odd != 0) {
        path = gw_path_reading(req->arena, path, 0);
    }
    const char *problem =
        gw_request_rules_read(req->arena, req->head->method, path, req->target.query, &req->info);

    return problem == NULL ? GW_NEXT : gw_req_fail(req, GW_ERR_BAD_TARGET, "%s", problem);
}

const struct gw_module gw_mod_request_info = {
    .name = "request_info",
    .about = "Finds out what is asked for, by KubeSphere's rules: verb, resource, scope.",
    .routes = GW_ON(GW_ROUTE_CORE) | GW_ON(GW_ROUTE_EXTENSIONS) | GW_ON(GW_ROUTE_ADMIN),
    .on = {[GW_FIND] = find},
};
