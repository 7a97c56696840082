#include "modules/rbac_policy.h"

#include <malloc.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/diag.h"
#include "base/mem.h"
#include "modules/rbac_rules.h"

#define USER "{user}"

/* The conditions that are sets, and which value of a request is asked for. */
static const struct {
    const char *name;
    size_t at;
} sets[GW_RBAC_SETS] = {
    {"scopes", offsetof(struct gw_request_info, scope)},
    {"verbs", offsetof(struct gw_request_info, verb)},
    {"apiGroups", offsetof(struct gw_request_info, api_group)},
    {"apiVersions", offsetof(struct gw_request_info, api_version)},
    {"resources", offsetof(struct gw_request_info, resource)},
    {"subresources", offsetof(struct gw_request_info, subresource)},
    {"names", offsetof(struct gw_request_info, name)},
    {"namespaces", offsetof(struct gw_request_info, ns)},
    {"workspaces", offsetof(struct gw_request_info, workspace)},
    {"clusters", offsetof(struct gw_request_info, cluster)},
    {"paths", offsetof(struct gw_request_info, path)},
};
#define SCOPES 0
#define PATHS  (GW_RBAC_SETS - 1)

static const char *const all_names[] = {
    "scopes",       "verbs",  "apiGroups",         "apiVersions",     "resources",
    "subresources", "names",  "namespaces",        "workspaces",      "clusters",
    "paths",        "nameIs", "kubernetesRequest", "resourceRequest", NULL,
};

/* ---- reading ------------------------------------------------------------------------------ */

static bool
read_name(struct gw_rbac_clause *c, const json_t *value)
{
    const char *text = json_string_value(value);

    if (text == NULL || text[0] == '\0') {
        return false;
    }
    const char *user = strstr(text, USER);
    size_t before = user == NULL ? strlen(text) : (size_t)(user - text);

    c->has_name = true;
    c->name_user = user != NULL;
    c->name_before = gw_mem_strndup((struct gw_str){text, before});
    c->name_after = gw_mem_strdup(user == NULL ? "" : user + strlen(USER));
    /* What looks like another placeholder is one that we don't know. */
    return strpbrk(c->name_before, "{}") == NULL && strpbrk(c->name_after, "{}") == NULL;
}

static bool
read_bool(const json_t *value, bool *has, bool *out)
{
    *has = json_is_boolean(value);
    *out = json_is_true(value);
    return *has;
}

static bool
scopes_ok(const struct gw_rbac_words *w)
{
    static const char *const known[] = {"Global", "Workspace", "Cluster", "Namespace", "*", ""};

    for (unsigned i = 0; i < w->n; i++) {
        size_t k = 0;

        while (k < 6 && !gw_str_eq(w->list[i], gw_str_of(known[k]))) {
            k++;
        }
        if (k == 6) {
            return false;
        }
    }
    return true;
}

static bool
read_set(struct gw_rbac_clause *c, size_t i, const json_t *value)
{
    c->has |= 1u << i;
    return json_is_array(value) && gw_rbac_words_read(&c->sets[i], value) &&
           (i != SCOPES || scopes_ok(&c->sets[i]));
}

/* NULL, or what is wrong with the value. */
static const char *
read_condition(struct gw_rbac_clause *c, const char *key, const json_t *value)
{
    for (size_t i = 0; i < GW_RBAC_SETS; i++) {
        if (strcmp(key, sets[i].name) == 0) {
            return read_set(c, i, value) ? NULL : "is not a list of texts that can be";
        }
    }
    if (strcmp(key, "nameIs") == 0) {
        return read_name(c, value) ? NULL : "is not a text with {user} at most once";
    }
    if (strcmp(key, "kubernetesRequest") == 0) {
        return read_bool(value, &c->has_kubernetes, &c->kubernetes) ? NULL : "is not true or false";
    }
    if (strcmp(key, "resourceRequest") == 0) {
        return read_bool(value, &c->has_resource, &c->resource) ? NULL : "is not true or false";
    }
    return "is not known";
}

static void
explain_wrong(char why[200], unsigned number, const char *key, const char *problem)
{
    const char *near = gw_diag_nearest(gw_str_of(key), all_names);
    bool hint = near != NULL && strcmp(near, key) != 0;

    (void)snprintf(why, 200, "clause %u: \"%.60s\" %s%s%s%s", number, key, problem,
                   hint ? " (did you mean " : "", hint ? near : "", hint ? "?)" : "");
}

static bool
read_clause(struct gw_rbac_clause *c, json_t *json, unsigned number, char why[200])
{
    const char *key;
    json_t *value;

    /* No condition at all would hold for every request: that is never meant. */
    if (!json_is_object(json) || json_object_size(json) == 0) {
        (void)snprintf(why, 200, "clause %u is not an object with conditions", number);
        return false;
    }
    json_object_foreach(json, key, value)
    {
        const char *problem = read_condition(c, key, value);

        if (problem != NULL) {
            explain_wrong(why, number, key, problem);
            return false;
        }
    }
    return true;
}

static void
clause_fini(struct gw_rbac_clause *c)
{
    for (size_t i = 0; i < GW_RBAC_SETS; i++) {
        gw_rbac_words_fini(&c->sets[i]);
    }
    free(c->name_before);
    free(c->name_after);
}

/* Drops the clauses from the n-th on. */
static void
shorten(struct gw_rbac_policy *p, unsigned n)
{
    while (p->n > n) {
        clause_fini(&p->list[--p->n]);
    }
}

bool
gw_rbac_policy_read(struct gw_rbac_policy *p, struct gw_str text, char why[200])
{
    json_error_t error;
    json_t *json = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, &error);
    unsigned had = p->n;
    bool ok = json_is_array(json);

    if (json == NULL) {
        (void)snprintf(why, 200, "it is no JSON: %.120s", error.text);
        return false;
    }
    if (!ok) {
        (void)snprintf(why, 200, "it is not a list of clauses");
    }
    p->list = gw_mem_resize(p->list, (had + json_array_size(json) + 1) * sizeof(*p->list));
    for (unsigned i = 0; ok && i < json_array_size(json); i++) {
        p->list[p->n] = (struct gw_rbac_clause){0};
        ok = read_clause(&p->list[p->n++], json_array_get(json, i), i, why);
    }
    if (!ok) {
        shorten(p, had);
    }
    json_decref(json);
    return ok;
}

void
gw_rbac_policy_fini(struct gw_rbac_policy *p)
{
    shorten(p, 0);
    free(p->list);
    *p = (struct gw_rbac_policy){0};
}

size_t
gw_rbac_policy_bytes(const struct gw_rbac_policy *p)
{
    size_t n = malloc_usable_size(p->list);

    for (unsigned i = 0; i < p->n; i++) {
        n += malloc_usable_size(p->list[i].name_before) + malloc_usable_size(p->list[i].name_after);
        for (size_t k = 0; k < GW_RBAC_SETS; k++) {
            n += gw_rbac_words_bytes(&p->list[i].sets[k]);
        }
    }
    return n;
}

/* ---- matching ----------------------------------------------------------------------------- */

static bool
name_is(const struct gw_rbac_clause *c, struct gw_str name, struct gw_str user)
{
    struct gw_str before = gw_str_of(c->name_before);
    struct gw_str after = gw_str_of(c->name_after);

    if (!c->name_user) {
        return gw_str_eq(name, before);
    }
    /* Nobody's name is nobody's own object. */
    return user.n > 0 && name.n == before.n + user.n + after.n && gw_str_has_prefix(name, before) &&
           memcmp(name.p + before.n, user.p, user.n) == 0 &&
           gw_str_eq(gw_str_skip(name, before.n + user.n), after);
}

static bool
set_holds(const struct gw_rbac_clause *c, size_t i, const struct gw_request_info *info)
{
    struct gw_str value;

    memcpy(&value, (const char *)info + sets[i].at, sizeof(value));
    if (i == PATHS) {
        return gw_rbac_rule_has_url(&c->sets[i], value);
    }
    return c->sets[i].star || gw_rbac_words_have(&c->sets[i], value);
}

static bool
clause_holds(const struct gw_rbac_clause *c, const struct gw_request_info *info, struct gw_str user)
{
    if ((c->has_name && !name_is(c, info->name, user)) ||
        (c->has_kubernetes && c->kubernetes != info->is_kubernetes) ||
        (c->has_resource && c->resource != info->is_resource)) {
        return false;
    }
    for (size_t i = 0; i < GW_RBAC_SETS; i++) {
        if ((c->has >> i & 1) != 0 && !set_holds(c, i, info)) {
            return false;
        }
    }
    return true;
}

bool
gw_rbac_policy_allows(const struct gw_rbac_policy *p, const struct gw_request_info *info,
                      struct gw_str user)
{
    for (unsigned i = 0; i < p->n; i++) {
        if (clause_holds(&p->list[i], info, user)) {
            return true;
        }
    }
    return false;
}
