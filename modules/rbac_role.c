/* rbac_role.c - roles and their templates: rules, policies, and what a role takes in. */
#include <malloc.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/pool.h"
#include "config/json.h"
#include "modules/rbac_read.h"

#define POLICY "ksgate.io/policy"
#define REGO   "iam.kubesphere.io/rego-override"

/* Beside the piece itself. */
static size_t
role_bytes(const struct gw_rbac_role *r)
{
    size_t n = malloc_usable_size(r->rules) + malloc_usable_size(r->sieves) +
               gw_rbac_policy_bytes(&r->policy);

    for (unsigned i = 0; i < r->n_rules; i++) {
        n += gw_rbac_rule_bytes(&r->rules[i]);
    }
    return n;
}

static void
role_free(struct gw_piece *p)
{
    struct gw_rbac_role *r = (struct gw_rbac_role *)(void *)p;

    gw_pool_count(GW_POOL_rbac, -(long long)role_bytes(r));
    for (unsigned i = 0; i < r->n_rules; i++) {
        gw_rbac_rule_fini(&r->rules[i]);
    }
    free(r->rules);
    free(r->sieves);
    gw_rbac_policy_fini(&r->policy);
    gw_rbac_read_free(p);
}

/* A policy that can't be used allows nothing, but the role's rules still do: refusing the
 * object would take rights away from all who have it. */
static void
read_policies(struct gw_rbac_role *r, const json_t *json, const struct gw_yaml *source,
              struct gw_diag *diag)
{
    const json_t *notes = json_object_get(json_object_get(json, "metadata"), "annotations");
    const json_t *policy = json_object_get(notes, POLICY);
    const char *rego = json_string_value(json_object_get(notes, REGO));
    struct gw_str text = gw_json_text(policy);
    char why[200];

    if (policy != NULL && !gw_rbac_policy_read(&r->policy, text, why)) {
        gw_diag_warn(diag, gw_yaml_key_place(source, notes, POLICY),
                     "the policy in " POLICY " allows nothing: %s", why);
    }
    if (rego != NULL && !gw_rbac_policy_of_rego(&r->policy, gw_str_of(rego)) && policy == NULL) {
        gw_diag_warn(diag, gw_yaml_key_place(source, notes, REGO),
                     "the Rego text in " REGO " is none of KubeSphere's own and allows nothing; "
                     "say it with clauses in " POLICY);
    }
}

static bool
read_rules(struct gw_rbac_role *r, const json_t *json, const struct gw_yaml *source,
           struct gw_diag *diag)
{
    bool ok = true;
    const json_t *rules = gw_rbac_read_array(json, "rules", source, diag, &ok);
    size_t n = json_array_size(rules);

    if (n > 0) {
        r->rules = gw_mem_alloc(n * sizeof(*r->rules));
        r->sieves = gw_mem_alloc(n * sizeof(*r->sieves));
    }
    for (; r->n_rules < n; r->n_rules++) {
        unsigned i = r->n_rules;

        ok = gw_rbac_rule_read(&r->rules[i], json_array_get(rules, i), i, source, diag) && ok;
        gw_rbac_sieve_of_rule(&r->sieves[i], &r->rules[i]);
    }
    return ok;
}

static struct gw_piece *
finish_role(struct gw_rbac_role *r, bool ok, const json_t *json, const struct gw_yaml *source,
            struct gw_diag *diag)
{
    read_policies(r, json, source, diag);
    gw_pool_count(GW_POOL_rbac, (long long)role_bytes(r));
    if (!ok) {
        gw_piece_unref(&r->object.piece);
        return NULL;
    }
    return &r->object.piece;
}

struct gw_piece *
gw_rbac_read_role(const struct gw_kind *kind, const json_t *json, const struct gw_yaml *source,
                  struct gw_diag *diag)
{
    char *at;
    char *gather = gw_rbac_gather_read(json, source, diag);
    size_t bytes = gather == NULL ? 0 : strlen(gather) + 1;
    struct gw_rbac_role *r = gw_rbac_read_new(sizeof(*r), bytes, GW_RBAC_ROLE, kind, json, &at);

    r->object.piece.free = role_free;
    if (gather != NULL) {
        r->gather = gw_str_of(gw_rbac_read_text(&at, gather));
        r->gather_hash = gw_hash(r->gather);
    }
    free(gather);
    bool ok = read_rules(r, json, source, diag);
    return finish_role(r, ok, json, source, diag);
}

/* Its rules are in its spec; its policies in its annotations, as a role's. */
struct gw_piece *
gw_rbac_read_template(const struct gw_kind *kind, const json_t *json, const struct gw_yaml *source,
                      struct gw_diag *diag)
{
    json_t *labels = json_object_get(json_object_get(json, "metadata"), "labels");
    size_t bytes = 0;
    const char *key;
    json_t *v;
    char *at;

    json_object_foreach(labels, key, v)
    {
        bytes += strlen(key) + 1 + json_string_length(v) + 1;
    }
    struct gw_rbac_role *r =
        gw_rbac_read_new(sizeof(*r) + json_object_size(labels) * sizeof(*r->labels), bytes,
                         GW_RBAC_TEMPLATE, kind, json, &at);
    r->object.piece.free = role_free;
    json_object_foreach(labels, key, v)
    {
        if (json_is_string(v)) {
            struct gw_rbac_label *l = &r->labels[r->n_labels++];

            l->key = gw_rbac_read_text(&at, key);
            l->value = gw_rbac_read_text(&at, json_string_value(v));
        }
    }
    bool ok = read_rules(r, json_object_get(json, "spec"), source, diag);
    return finish_role(r, ok, json, source, diag);
}
