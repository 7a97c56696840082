#include "modules/login_return.h"

#include "http/url.h"

/* Browsers leave tabs and line ends out of a URL and read a backslash as a slash (WHATWG URL, 4.4):
 * "/\t/host" and "/\host" are other sites.  What is not ASCII has to be escaped. */
static bool
is_plain(struct gw_str target)
{
    for (size_t i = 0; i < target.n; i++) {
        unsigned char c = (unsigned char)target.p[i];

        if (c <= 0x20 || c >= 0x7f || c == '\\' || c == '#' || c == '"' || c == '<' || c == '>') {
            return false;
        }
    }
    return true;
}

bool
gw_login_path_is_ours(struct gw_str path)
{
    return gw_str_eq(path, GW_STR("/-/login")) || gw_str_eq(path, GW_STR("/-/login/callback")) ||
           gw_str_eq(path, GW_STR("/-/logout"));
}

bool
gw_login_return_ok(struct gw_str target)
{
    struct gw_str path = {target.p, gw_str_find(target, '?')};
    const char *why;

    return target.n > 0 && target.n <= GW_LOGIN_RETURN_MAX && target.p[0] == '/' &&
           is_plain(target) && !gw_str_has_prefix(target, GW_STR("//")) &&
           gw_path_check(path, &why) == GW_ERR_OK && !gw_login_path_is_ours(path);
}
