/*
 * rbac_policy.h - the clauses of a role: what KubeSphere says with Rego, as conditions.
 *
 * A policy is a list of clauses.  A clause holds when each of its conditions does; a policy
 * allows when one of its clauses holds.
 *
 *     scopes, verbs, apiGroups, apiVersions, resources, subresources, names, namespaces,
 *     workspaces, clusters   the request's value is one of the list ("*": any)
 *     paths                  the path is one of the list, as nonResourceURLs are matched
 *     nameIs                 the object's name is this text; {user} stands for the user's name
 *     kubernetesRequest, resourceRequest   true or false
 */
#ifndef GW_MODULES_RBAC_POLICY_H
#define GW_MODULES_RBAC_POLICY_H

#include "gateway/req.h"
#include "modules/rbac_words.h"

#define GW_RBAC_SETS 11

struct gw_rbac_clause {
    struct gw_rbac_words sets[GW_RBAC_SETS]; /* in the order of rbac_policy.c's table */
    unsigned has;                            /* bit i: sets[i] is a condition */
    bool has_name, has_kubernetes, has_resource;
    bool kubernetes, resource; /* what they have to be */
    bool name_user;            /* {user} stands between the two: */
    char *name_before, *name_after;
};

struct gw_rbac_policy {
    struct gw_rbac_clause *list;
    unsigned n;
};

/* Adds the clauses of a JSON text.  False: it is not a list of clauses that we know, nothing
 * was added, and why[] says what is wrong. */
bool gw_rbac_policy_read(struct gw_rbac_policy *p, struct gw_str text, char why[200]);

/* Adds the clauses that stand for one of the known Rego texts (kubesphere.md, 5.6).  False:
 * it is another text, and nothing was added. */
bool gw_rbac_policy_of_rego(struct gw_rbac_policy *p, struct gw_str rego);

/* The same, by the fingerprint: the SHA-256 of the folded text as 64 hexadecimal digits. */
bool gw_rbac_policy_of_sha256(struct gw_rbac_policy *p, const char *hex);

/* The text by which Rego is known: no comments, white space folded and trimmed.  Heap. */
char *gw_rbac_policy_fold(struct gw_str rego);

void gw_rbac_policy_fini(struct gw_rbac_policy *p);
size_t gw_rbac_policy_bytes(const struct gw_rbac_policy *p); /* of the heap */

bool gw_rbac_policy_allows(const struct gw_rbac_policy *p, const struct gw_request_info *info,
                           struct gw_str user);

#endif
