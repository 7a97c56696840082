/* redis_check.c - could a Redis be opened by these settings? */
#include "net/redis_aim.h"
#include "net/redis_tls.h"

/* Where the nodes are; what is made here is thrown away. */
static bool
check_nodes(const struct gw_redis_conf *conf, const struct gw_redis_url *url, struct gw_diag *diag)
{
    struct gw_redis_aim aim = {0};
    const char *const *list =
        gw_redis_aim_is_list(conf->sentinels) ? conf->sentinels : conf->cluster;
    const char *bad = NULL;

    if (gw_redis_aim_is_list(conf->sentinels) && gw_redis_aim_is_list(conf->cluster)) {
        bad = "sentinels and cluster exclude each other";
    } else if (gw_redis_aim_is_list(conf->sentinels) !=
               (conf->master != NULL && conf->master[0] != '\0')) {
        bad = "sentinels and master (its name, as they know it) belong together";
    } else if (gw_redis_aim_is_list(list) && url->path != NULL) {
        bad = "with sentinels or cluster, the URL must be redis:// or rediss://";
    } else if (gw_redis_aim_is_list(conf->cluster) && url->db != 0) {
        bad = "a Cluster has no databases: leave out the one in the URL";
    }
    if (bad != NULL) {
        gw_diag_error(diag, (struct gw_place){0}, "%s", bad);
        return false;
    }
    bool good = !gw_redis_aim_is_list(list) || gw_redis_aim_read(&aim, list, 1, diag);
    gw_redis_aim_fini(&aim);
    return good;
}

bool
gw_redis_check(const struct gw_redis_conf *conf, struct gw_diag *diag)
{
    struct gw_redis_url url;

    if (!gw_redis_url_read(&url, conf->url, diag)) {
        return false;
    }
    bool spoken = url.tls || (gw_redis_aim_is_list(conf->sentinels) && conf->sentinel.tls == 1);
    bool good = gw_redis_tls_check(&conf->tls, spoken, diag);

    good = check_nodes(conf, &url, diag) && good;
    gw_redis_url_fini(&url);
    return good;
}

bool
gw_redis_check_plain(const char *url, struct gw_diag *diag)
{
    struct gw_redis_url parts;

    if (!gw_redis_url_read(&parts, url, diag)) {
        return false;
    }
    bool good = !parts.tls;
    gw_redis_url_fini(&parts);
    if (!good) {
        gw_diag_error(diag, (struct gw_place){0},
                      "rediss:// (TLS) is not spoken here; use a unix socket, a TLS tunnel such as "
                      "stunnel, or a private network");
    }
    return good;
}
