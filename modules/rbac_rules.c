#include "modules/rbac_rules.h"

#include <stddef.h>

#include "base/map.h"
#include "config/json.h"

#define ALL GW_STR("*")

static const struct {
    const char *name;
    size_t at;
} members[] = {
    {"verbs", offsetof(struct gw_rbac_rule, verbs)},
    {"apiGroups", offsetof(struct gw_rbac_rule, groups)},
    {"resources", offsetof(struct gw_rbac_rule, resources)},
    {"resourceNames", offsetof(struct gw_rbac_rule, names)},
    {"nonResourceURLs", offsetof(struct gw_rbac_rule, urls)},
};
#define N_MEMBERS (sizeof(members) / sizeof(members[0]))

static struct gw_rbac_words *
member(struct gw_rbac_rule *r, size_t i)
{
    return (struct gw_rbac_words *)(void *)((char *)r + members[i].at);
}

/* Kubernetes drops what it does not know; a mistyped name would then be a rule that never
 * matches, and nobody knows why. */
static void
warn_unknown(const json_t *json, size_t number, const struct gw_yaml *source, struct gw_diag *diag)
{
    const char *const names[] = {members[0].name, members[1].name, members[2].name,
                                 members[3].name, members[4].name, NULL};
    const char *key;
    json_t *value;

    json_object_foreach(gw_json_loose(json), key, value)
    {
        size_t i = 0;

        while (i < N_MEMBERS && strcmp(key, members[i].name) != 0) {
            i++;
        }
        if (i == N_MEMBERS) {
            const char *near = gw_diag_nearest(gw_str_of(key), names);

            gw_diag_warn(diag, gw_yaml_key_place(source, json, key),
                         "rules[%zu].%s is not known and has no effect%s%s%s", number, key,
                         near == NULL ? "" : " (did you mean ", near == NULL ? "" : near,
                         near == NULL ? "" : "?)");
        }
    }
}

bool
gw_rbac_rule_read(struct gw_rbac_rule *r, const json_t *json, size_t number,
                  const struct gw_yaml *source, struct gw_diag *diag)
{
    bool ok = true;

    *r = (struct gw_rbac_rule){0};
    if (!json_is_object(json)) {
        gw_diag_error(diag, gw_yaml_place(source, json), "rules[%zu]: expected an object", number);
        return false;
    }
    for (size_t i = 0; i < N_MEMBERS; i++) {
        const json_t *value = json_object_get(json, members[i].name);

        if (!gw_rbac_words_read(member(r, i), value)) {
            gw_diag_error(diag, gw_yaml_key_place(source, json, members[i].name),
                          "rules[%zu].%s: expected a list of texts", number, members[i].name);
            ok = false;
        }
    }
    warn_unknown(json, number, source, diag);
    if (!ok) {
        gw_rbac_rule_fini(r);
    }
    return ok;
}

void
gw_rbac_rule_fini(struct gw_rbac_rule *r)
{
    for (size_t i = 0; i < N_MEMBERS; i++) {
        gw_rbac_words_fini(member(r, i));
    }
}

size_t
gw_rbac_rule_bytes(const struct gw_rbac_rule *r)
{
    return gw_rbac_words_bytes(&r->verbs) + gw_rbac_words_bytes(&r->groups) +
           gw_rbac_words_bytes(&r->resources) + gw_rbac_words_bytes(&r->names) +
           gw_rbac_words_bytes(&r->urls);
}

/* ---- what can't match --------------------------------------------------------------------- */

static uint64_t
bit_of(struct gw_str word)
{
    return (uint64_t)1 << (gw_hash(word) & 63);
}

/* "pods" of "pods/log". */
static struct gw_str
before_slash(struct gw_str word)
{
    return (struct gw_str){word.p, gw_str_find(word, '/')};
}

static uint64_t
bits_of(const struct gw_rbac_words *w)
{
    uint64_t bits = w->star ? UINT64_MAX : 0;

    for (unsigned i = 0; i < w->n; i++) {
        bits |= bit_of(w->list[i]);
    }
    return bits;
}

void
gw_rbac_sieve_of_rule(struct gw_rbac_sieve *s, const struct gw_rbac_rule *r)
{
    *s = (struct gw_rbac_sieve){.verbs = bits_of(&r->verbs),
                                .groups = bits_of(&r->groups),
                                .resources = r->resources.star ? UINT64_MAX : 0,
                                .has_urls = r->urls.n > 0};
    for (unsigned i = 0; i < r->resources.n; i++) {
        struct gw_str resource = before_slash(r->resources.list[i]);

        s->resources |= gw_str_eq(resource, ALL) ? UINT64_MAX : bit_of(resource);
    }
}

void
gw_rbac_sieve_of_request(struct gw_rbac_sieve_key *k, const struct gw_request_info *info)
{
    *k = (struct gw_rbac_sieve_key){.verb = bit_of(info->verb),
                                    .group = bit_of(info->api_group),
                                    .resource = bit_of(before_slash(info->resource)),
                                    .is_resource = info->is_resource};
}

/* ---- matching ----------------------------------------------------------------------------- */

/* Is `word` the text "resource/subresource" (or "resource" alone)?  Saves joining them. */
static bool
is_combined(struct gw_str word, struct gw_str resource, struct gw_str sub)
{
    if (sub.n == 0) {
        return gw_str_eq(word, resource);
    }
    return word.n == resource.n + 1 + sub.n && gw_str_has_prefix(word, resource) &&
           word.p[resource.n] == '/' && gw_str_eq(gw_str_skip(word, resource.n + 1), sub);
}

bool
gw_rbac_rule_has_resource(const struct gw_rbac_rule *r, struct gw_str resource,
                          struct gw_str subresource)
{
    if (r->resources.star) {
        return true;
    }
    for (unsigned i = 0; i < r->resources.n; i++) {
        struct gw_str word = r->resources.list[i];

        if (is_combined(word, resource, subresource) ||
            (subresource.n > 0 && is_combined(word, ALL, subresource))) {
            return true;
        }
    }
    return false;
}

bool
gw_rbac_rule_has_url(const struct gw_rbac_words *urls, struct gw_str path)
{
    if (urls->star) {
        return true;
    }
    for (unsigned i = 0; i < urls->n; i++) {
        struct gw_str url = urls->list[i];
        struct gw_str prefix = url;

        while (prefix.n > 0 && prefix.p[prefix.n - 1] == '*') {
            prefix.n--;
        }
        if (prefix.n < url.n ? gw_str_has_prefix(path, prefix) : gw_str_eq(path, url)) {
            return true;
        }
    }
    return false;
}

bool
gw_rbac_rule_reaches(const struct gw_rbac_rule *r, const struct gw_request_info *info)
{
    if (!info->is_resource) {
        return gw_rbac_rule_has_url(&r->urls, info->path);
    }
    return (r->groups.star || gw_rbac_words_have(&r->groups, info->api_group)) &&
           gw_rbac_rule_has_resource(r, info->resource, info->subresource) &&
           (r->names.n == 0 || gw_rbac_words_have(&r->names, info->name));
}

bool
gw_rbac_rule_allows(const struct gw_rbac_rule *r, const struct gw_request_info *info)
{
    return (r->verbs.star || gw_rbac_words_have(&r->verbs, info->verb)) &&
           gw_rbac_rule_reaches(r, info);
}

static struct gw_str
without_slash(struct gw_str path)
{
    return path.n > 0 && path.p[0] == '/' ? gw_str_skip(path, 1) : path;
}

bool
gw_rbac_paths_have(const struct gw_str *patterns, size_t n, struct gw_str path)
{
    path = without_slash(path);
    for (size_t i = 0; i < n; i++) {
        struct gw_str p = without_slash(patterns[i]);

        if (p.n > 0 && p.p[p.n - 1] == '*') {
            p.n--;
            if (gw_str_has_prefix(path, p)) {
                return true;
            }
        } else if (gw_str_eq(path, p)) {
            return true;
        }
    }
    return false;
}

bool
gw_rbac_path_ok(struct gw_str pattern)
{
    pattern = without_slash(pattern);
    return pattern.n == 0 ||
           gw_str_find((struct gw_str){pattern.p, pattern.n - 1}, '*') == pattern.n - 1;
}
