#include "modules/rbac_register.h"

bool
gw_rbac_register_verb(const struct gw_request_info *info, struct gw_request_info *out)
{
    if (!info->is_resource || !gw_str_eq(info->subresource, GW_STR("endpoints")) ||
        !gw_str_eq(info->resource, GW_STR("extensionservices")) ||
        !gw_str_eq(info->api_group, GW_STR("ksgate.io")) ||
        (!gw_str_eq(info->verb, GW_STR("update")) && !gw_str_eq(info->verb, GW_STR("delete")))) {
        return false;
    }
    *out = *info;
    out->verb = GW_STR("register");
    out->subresource = GW_STR("");
    return true;
}
