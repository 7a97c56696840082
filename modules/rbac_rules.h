/*
 * rbac_rules.h - one rule of a role, compiled, and whether it allows a request
 * (kubesphere.md, 5.2: "Rule").
 */
#ifndef GW_MODULES_RBAC_RULES_H
#define GW_MODULES_RBAC_RULES_H

#include "base/diag.h"
#include "config/yaml.h"
#include "gateway/req.h"
#include "modules/rbac_words.h"

struct gw_rbac_rule {
    struct gw_rbac_words verbs, groups, resources, names, urls;
};

/* Reads one element of `rules`.  False: the diag says why, and the rule allows nothing.
 * source may be NULL; number is the rule's index, for the messages. */
bool gw_rbac_rule_read(struct gw_rbac_rule *r, const json_t *json, size_t number,
                       const struct gw_yaml *source, struct gw_diag *diag);
void gw_rbac_rule_fini(struct gw_rbac_rule *r);
size_t gw_rbac_rule_bytes(const struct gw_rbac_rule *r); /* of the heap */

bool gw_rbac_rule_allows(const struct gw_rbac_rule *r, const struct gw_request_info *info);

/* Most rules of a role are about something else, and 24 bytes of each say so: a bit for each of its
 * words, by their hashes.  A role's sieves stand side by side, its rules' texts do not. */
struct gw_rbac_sieve {
    uint64_t verbs, groups, resources; /* all bits: any */
    bool has_urls;
};
/* The same of a request: one bit each. */
struct gw_rbac_sieve_key {
    uint64_t verb, group, resource;
    bool is_resource;
};
void gw_rbac_sieve_of_rule(struct gw_rbac_sieve *s, const struct gw_rbac_rule *r);
void gw_rbac_sieve_of_request(struct gw_rbac_sieve_key *k, const struct gw_request_info *info);

/* False: gw_rbac_rule_allows() would be, too. */
static inline bool
gw_rbac_sieve_lets(const struct gw_rbac_sieve *s, const struct gw_rbac_sieve_key *k)
{
    return (s->verbs & k->verb) != 0 &&
           (k->is_resource ? (s->groups & k->group) != 0 && (s->resources & k->resource) != 0
                           : s->has_urls);
}

/* Would it, if the verb were another?  For saying what was nearly allowed. */
bool gw_rbac_rule_reaches(const struct gw_rbac_rule *r, const struct gw_request_info *info);

/* The two matches that are more than a list's. */
bool gw_rbac_rule_has_resource(const struct gw_rbac_rule *r, struct gw_str resource,
                               struct gw_str subresource);
bool gw_rbac_rule_has_url(const struct gw_rbac_words *urls, struct gw_str path);

/* Paths that need no permission: exact, or a prefix when a '*' ends the pattern; one leading
 * '/' is optional on both sides. */
bool gw_rbac_paths_have(const struct gw_str *patterns, size_t n, struct gw_str path);

/* Only a trailing '*' has a meaning; another one is a mistake. */
bool gw_rbac_path_ok(struct gw_str pattern);

#endif
