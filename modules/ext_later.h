/*
 * ext_later.h - the fields of an ExtensionService that this version accepts but does not act on.
 *
 * They are checked for their shape, so that an object that is applied today is still good when
 * they come into effect; and each that is written gives a warning, so that nobody relies on it.
 */
#ifndef GW_MODULES_EXT_LATER_H
#define GW_MODULES_EXT_LATER_H

#include "config/schema.h"

/* What the rows fill; nobody reads it. */
struct gw_ext_later {
    struct gw_ext_tls {
        const char *ca_bundle, *server_name;
        bool skip_verify;
        json_t *client_certificate;
    } tls;
    struct gw_ext_rate {
        const char *rate, *per;
        long long burst;
    } requests;
    json_t *directives;
};

extern const struct gw_setting gw_ext_tls_rows[], gw_ext_requests_rows[];

/* A mapping, whatever is in it: json_t *. */
gw_set_fn gw_ext_set_mapping;

/* One warning for each field of the spec that has no effect yet. */
void gw_ext_later_warn(const json_t *spec, const struct gw_yaml *source, struct gw_diag *diag);

#endif
