/* cli_objects.h - what get, apply and delete share: kinds by name, paths, one request. */
#ifndef GW_SERVER_CLI_OBJECTS_H
#define GW_SERVER_CLI_OBJECTS_H

#include "registry/object.h"
#include "server/client.h"

/* The kind of "extensionservices", "extensionservice", "ExtensionService", "es" or
 * "extensionservices.ksgate.io".  NULL: said on stderr, with the nearest name. */
const struct gw_kind *gw_cli_kind(const struct gw_cli *c, const char *typed);

/* Appends "/-/apis/group/version/[namespaces/ns/]plural[/name]"; ns and name may be none. */
void gw_cli_object_path(struct gw_buf *out, const struct gw_kind *kind, struct gw_str ns,
                        struct gw_str name);

/* "extensionservice/devops", appended, for what is printed. */
void gw_cli_object_name(struct gw_buf *out, const struct gw_kind *kind, const char *name);

/* One request.  status 2xx: *json (may be NULL for no caller's use) gets a new reference.  0: no
 * answer came, which was said on stderr.  A Status of any other kind is in `problem` (the
 * caller's to fini). */
unsigned gw_cli_call(const struct gw_cli *c, const struct gw_client *client, const char *method,
                     const char *target, const json_t *body, json_t **json, struct gw_buf *problem);

/* The same, but says nothing: what came instead of a 2xx is in *failure, a Status (made here when
 * no answer came, or none of Kubernetes' form).  New references, one of the two is NULL. */
unsigned gw_cli_try(const struct gw_client *client, const char *method, const char *target,
                    const json_t *body, json_t **json, json_t **failure);

/* A Status that says what failed; code 0: without one.  A new reference. */
json_t *gw_cli_status(struct gw_str message, unsigned code);

/* All objects of a kind in one List, by as many requests as it takes; ns and selector (labels) may
 * be none.  A new reference; NULL: said on stderr. */
json_t *gw_cli_list(const struct gw_cli *c, const struct gw_client *client,
                    const struct gw_kind *kind, struct gw_str ns, struct gw_str selector);

#endif
