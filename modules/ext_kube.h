/*
 * ext_kube.h - spec.service: a Kubernetes Service as an extension's backend.
 *
 * It is reached by the name that the cluster's name server has for it, and followed as every
 * name is: one address for a Service with a cluster IP, those of all pods for one without.
 */
#ifndef GW_MODULES_EXT_KUBE_H
#define GW_MODULES_EXT_KUBE_H

#include "config/schema.h"

#define GW_EXT_KUBE_URL_SIZE 160 /* two labels of 63, and what is around them */

/* What the rows fill. */
struct gw_ext_kube {
    const char *ns, *name; /* NULL: the section was not written */
    long long port;
    int scheme;
};

extern const struct gw_setting gw_ext_kube_rows[];

/* Says what is wrong with it; json: the section as written. */
bool gw_ext_kube_check(const struct gw_ext_kube *k, struct gw_loader *l, const json_t *json);

/* "http://name.namespace.svc:port" */
void gw_ext_kube_url(char url[GW_EXT_KUBE_URL_SIZE], const char *ns, const char *name,
                     long long port);

#endif
