/*
 * admin_call.h - the admin interface, everything below /-/ (resources.md, section 4).
 *
 * A call is one request that has passed authentication and RBAC like any other.  It is answered
 * on the worker; what needs the registry goes to the control thread as an errand and comes back
 * (admin_errand.h).  Every refusal is a Kubernetes Status.
 */
#ifndef GW_SERVER_ADMIN_CALL_H
#define GW_SERVER_ADMIN_CALL_H

#include "gateway/module.h"
#include "registry/object.h"

#define GW_ADMIN_PARTS 8 /* segments of the longest path */

struct gw_admin_call;

/* When a write is answered (`?wait=`). */
enum gw_until {
    GW_UNTIL_STORED,
    GW_UNTIL_LIVE,  /* every worker of this gateway routes by it */
    GW_UNTIL_FLEET, /* and every other gateway that lives */
};

/* Answers the call.  body: what gw_admin_body() has read. */
typedef enum gw_verdict gw_admin_fn(struct gw_admin_call *call);
typedef enum gw_verdict gw_admin_body_fn(struct gw_admin_call *call, struct gw_str body);

/* Lives in the request's arena. */
struct gw_admin_call {
    struct gw_req *req;
    struct gw_str part[GW_ADMIN_PARTS]; /* decoded segments of the path below "/-/" */
    unsigned n_parts;
    /* of object requests, filled by gw_admin_locate(); of registrations by gw_endpoints_locate() */
    const struct gw_kind *kind;
    struct gw_str ns, name; /* none when the path has none */
    bool dry_run;
    enum gw_until until;                      /* gw_admin_until()'s */
    struct watch *watch;                      /* admin_watch.c's */
    const struct gw_renewal *renewal;         /* admin_renew.c's */
    const struct gw_registration *registered; /* admin_register.c's */
    /* private to gw_admin_body() */
    gw_admin_body_fn *then;
    bool inside, came;
    enum gw_verdict verdict;
};

/* The step of the admin plan. */
gw_step_fn gw_admin_step;

/* Hands that step down to gateway/ and notes when the process began; once, before there are
 * workers. */
void gw_admin_init(void);

/* Reads the whole body, then answers by `then`. */
enum gw_verdict gw_admin_body(struct gw_admin_call *call, gw_admin_body_fn *then);

/* The decoded value of a query parameter, or none. */
struct gw_str gw_admin_query(const struct gw_admin_call *call, const char *name);

/* A number of the query; it stays what it is when the query has none.  GW_NEXT, or the refusal. */
enum gw_verdict gw_admin_number(struct gw_admin_call *call, const char *name, uint64_t *number);

/* Reads `wait` of a write's query.  GW_NEXT, or the refusal. */
enum gw_verdict gw_admin_until(struct gw_admin_call *call);

/* Answers with the JSON value; takes the reference. */
enum gw_verdict gw_admin_json(struct gw_req *req, unsigned status, json_t *value);

/* Answers with a Status that says why not, and of which object (call->kind and name, when they
 * are known).  err gives status and reason, the text all of the message. */
enum gw_verdict gw_admin_refuse(struct gw_admin_call *call, enum gw_err err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* As above with 422 Invalid, and each error of the diag as a cause with its field.  Frees the
 * diag. */
enum gw_verdict gw_admin_invalid(struct gw_admin_call *call, struct gw_diag *diag);

/* As above, with each error of the diag as a cause of that reason, in the message and by itself.
 * Frees the diag. */
enum gw_verdict gw_admin_refuse_causes(struct gw_admin_call *call, enum gw_err err,
                                       const char *message, const char *reason,
                                       struct gw_diag *diag);

/* The Status of a resourceVersion that this gateway has not seen; as kube-apiserver has it, so that
 * clients know it (k8s.io/apimachinery, errors.NewTooLargeResourceVersion...). */
void gw_admin_too_new_json(struct gw_buf *out, uint64_t wanted, uint64_t now);
enum gw_verdict gw_admin_refuse_too_new(struct gw_admin_call *call, uint64_t wanted, uint64_t now);

/* "extensionservices.ksgate.io", in the arena. */
const char *gw_admin_resource(const struct gw_admin_call *call);

/* Reads `dryRun` of a write's query.  GW_NEXT, or the refusal. */
enum gw_verdict gw_admin_dry_run(struct gw_admin_call *call);

/* Finds kind, ns, name and dry_run from path and query.  GW_NEXT, or the refusal. */
enum gw_verdict gw_admin_locate(struct gw_admin_call *call);

/* As gw_admin_parse(), whatever kind of value the body is. */
enum gw_verdict gw_admin_parse_any(struct gw_admin_call *call, struct gw_str body, json_t **out);

/* The body as a JSON object by its Content-Type; GW_NEXT and a new reference in *out, or the
 * refusal. */
enum gw_verdict gw_admin_parse(struct gw_admin_call *call, struct gw_str body, json_t **out);

/* What is answered, by file. */

/* admin_health.c */
gw_admin_fn gw_admin_healthz, gw_admin_readyz, gw_admin_version, gw_admin_reload;
/* admin_jwks.c */
gw_admin_fn gw_admin_jwks;
/* admin_metrics.c */
gw_admin_fn gw_admin_metrics;
/* admin_discovery.c */
gw_admin_fn gw_admin_core, gw_admin_groups, gw_admin_group, gw_admin_resources, gw_admin_events;
/* admin_openapi.c */
gw_admin_fn gw_admin_openapi_v2, gw_admin_openapi, gw_admin_openapi_group;
/* admin_objects.c, admin_write.c, admin_patch.c, admin_delete.c */
gw_admin_fn gw_admin_list, gw_admin_get_object;
gw_admin_fn gw_admin_create, gw_admin_replace, gw_admin_patch, gw_admin_delete;
/* admin_watch.c: of a collection that was located */
gw_admin_fn gw_admin_watch;
/* admin_apply.c */
gw_admin_fn gw_admin_apply;
/* admin_decisions.c */
gw_admin_fn gw_admin_decision, gw_admin_decisions;
/* admin_review.c */
gw_admin_fn gw_admin_review;
/* admin_register.c, admin_leave.c, admin_extensions.c, admin_explain.c */
gw_admin_fn gw_admin_register, gw_admin_leave, gw_admin_extensions, gw_admin_explain;

#endif
