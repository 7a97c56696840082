/*
 * ext_spec.h - ExtensionService and Endpoint objects, read and checked.
 *
 * Each becomes one immutable counted piece that all workers share.  There may be 100 000 of them,
 * most of which say the same but for their names and backends: so what else a spec says is shared
 * among the pieces too (ext_share.h).
 */
#ifndef GW_MODULES_EXT_SPEC_H
#define GW_MODULES_EXT_SPEC_H

#include "config/schema.h"
#include "gateway/health.h"
#include "gateway/outlier.h"
#include "gateway/req.h"
#include "gateway/world.h"
#include "modules/ext_audience.h"
#include "modules/ext_versions.h"

/* Of the lease of a backend that registers itself: it is renewed at a third of it, and one that is
 * late by a second is not gone. */
#define GW_LEASE_SECONDS_MIN 2

/* One of spec.endpoints, or spec.service. */
struct gw_ext_static {
    const char *url, *version;
    long long weight;
};

/* What of an ExtensionService's spec is in effect, but for its endpoints. */
struct gw_ext_spec {
    bool broken; /* it can't be used, and is not for everybody: only the audience is meant */
    bool enabled;
    int access;   /* enum gw_access */
    int identity; /* enum gw_identity */
    struct gw_ext_audience audience;
    struct gw_list permissions; /* of struct gw_ext_permission, sorted */
    bool strip_prefix;
    int allow_paths;     /* GW_PATH_*, as bits */
    const char *prepend; /* "" or "/base" */
    struct gw_balancer balancer;
    const struct gw_health_check *check; /* NULL: none */
    struct gw_outlier_rules outlier;
    long long connections, pending; /* per endpoint; 0: the config's; none */
    long long connect_ms, pending_ms, first_byte_ms, idle_ms, tunnel_idle_ms; /* 0: the config's */
    long long attempts;                                                       /* further ones */
    long long retry_percent;                                                  /* of the requests */
    struct gw_ext_versions versions;
};

struct gw_ext_service {
    struct gw_piece piece;          /* first */
    const struct gw_ext_spec *spec; /* a reference: shared */
    size_t n_endpoints;
    struct gw_ext_static endpoints[];
};

/* The annotation of an Endpoint that says whose it is (server/admin_owner.h). */
#define GW_EXT_OWNER "ksgate.io/owner"

/* An Endpoint's spec. */
struct gw_ext_backend {
    struct gw_piece piece; /* first */
    const char *extension, *url, *version;
    const char *owner; /* "": nobody's */
    uint64_t revision; /* its resourceVersion; 0: it has none */
    long long weight, lease_seconds;
    bool draining;
};

extern const struct gw_setting gw_ext_service_rows[], gw_ext_backend_rows[];

/* A view's compile(): a gw_ext_service or a gw_ext_backend.  NULL, and errors: it can't be used; of
 * an ExtensionService that is not for everybody a broken one remains, beside the errors. */
struct gw_piece *gw_ext_spec_compile(const struct gw_kind *kind, const json_t *json,
                                     const struct gw_yaml *source, struct gw_diag *diag);

#endif
