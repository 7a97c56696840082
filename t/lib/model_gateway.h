/*
 * model_gateway.h - the whole answer, a second time: which extension, which resource of a tenant,
 * what is open without a role, and else what model_rbac.h says.  Written from
 * docs/modules/ext_router.md and rbac.md.
 */
#ifndef T_LIB_MODEL_GATEWAY_H
#define T_LIB_MODEL_GATEWAY_H

#include "t/lib/model_rbac.h"

struct model_outcome {
    int status;    /* 200: it goes on to a backend */
    int or_status; /* or this one; 0: there is no choice */
    bool allowed;
    const char *policy; /* what decided; "" when nothing was asked */
    struct model_answer answer;
};

/* ---- a tenant's resources below an extension ------------------------------------------------ */

/* A segment of a row against one of a path; a placeholder takes it. */
static inline bool
model_segment_fits(const char *of_row, const char *of_path, struct model_info *into)
{
    const struct {
        const char *word;
        char *place;
    } holders[] = {
        {"{workspace}", into->workspace},
        {"{namespace}", into->ns},
        {"{cluster}", into->cluster},
    };
    size_t n = strcspn(of_path, ";"); /* parameters */

    for (size_t k = 0; k < sizeof(holders) / sizeof(holders[0]); k++) {
        if (model_is(of_row, holders[k].word)) {
            model_set(holders[k].place, of_path);
            return true;
        }
    }
    return strlen(of_row) == n && strncasecmp(of_row, of_path, n) == 0;
}

/* Does the row fit the path?  Then *into has its resource, and *rank is more for a better row. */
static inline bool
model_row_fits(const json_t *row, const char *path, struct model_info *into, unsigned *rank)
{
    char *want[MODEL_PARTS];
    char *have[MODEL_PARTS];
    model_text one;
    model_text two;
    size_t n = model_split(one, model_at(row, "path", NULL, NULL), want);
    size_t m = model_split(two, path, have);
    unsigned holders = 0;

    n -= n > 0 && model_is(want[n - 1], "{name}"); /* may always follow */
    if (n == 0 || m < n) {
        return false;
    }
    for (size_t k = 0; k < n; k++) {
        holders += want[k][0] == '{';
        if (!model_segment_fits(want[k], have[k], into)) {
            return false;
        }
    }
    model_set(into->group, model_at(row, "group", NULL, NULL));
    model_set(into->resource, model_at(row, "resource", NULL, NULL));
    model_set(into->name, m > n ? have[n] : "");
    model_set(into->subresource, m > n + 1 ? have[n + 1] : "");
    *rank = (unsigned)n * MODEL_PARTS + MODEL_PARTS - holders;
    return true;
}

/* Of the rows that fit, the longest; of those, the one with the fewest placeholders; the first. */
static inline void
model_permissions(const json_t *extension, const char *method, const char *rest, const char *query,
                  struct model_info *i)
{
    const json_t *rows = json_object_get(json_object_get(extension, "spec"), "permissions");
    struct model_info best = {0};
    unsigned best_rank = 0;
    size_t k;
    json_t *row;

    json_array_foreach(rows, k, row)
    {
        struct model_info its = {0};
        unsigned rank;

        if (model_row_fits(row, rest, &its, &rank) && rank > best_rank) {
            best = its;
            best_rank = rank;
        }
    }
    if (best_rank == 0) {
        return;
    }
    model_set(best.path, i->path);
    model_set(best.verb, model_verb(method));
    best.resource_request = true;
    model_set(best.scope, best.ns[0] != '\0'          ? "Namespace"
                          : best.workspace[0] != '\0' ? "Workspace"
                                                      : "Cluster");
    if (best.name[0] == '\0') {
        model_plural_verb(&best, query);
    }
    *i = best;
}

/* ---- what is open without a role ------------------------------------------------------------ */

static inline const char *
model_without_roles(const struct model_info *i, const char *access, bool anonymous)
{
    static const char *const open[] = {
        "/oauth/*", "/dist/*",     "/.well-known/openid-configuration",
        "/version", "/metrics",    "/livez",
        "/healthz", "/openapi/v2", "/openapi/v3",
    };

    if (model_is(access, "public")) {
        return access;
    }
    for (size_t k = 0; k < sizeof(open) / sizeof(open[0]); k++) {
        if (model_path_matches(open[k], i->path)) {
            return "path";
        }
    }
    return !anonymous && model_is(access, "authenticated") ? access : NULL;
}

/* ---- the answer ----------------------------------------------------------------------------- */

/* "/extensions/NAME/rest" in its parts; false: it is none. */
static inline bool
model_extension_path(const char *path, model_text name, const char **rest)
{
    if (!model_starts(path, "/extensions/")) {
        return false;
    }
    const char *p = path + strlen("/extensions/");
    size_t n = strcspn(p, "/");
    (void)snprintf(name, MODEL_TEXT, "%.*s", (int)n, p);
    *rest = p + n;
    return n > 0;
}

static inline struct model_outcome
model_answer_to(const json_t *world, const struct model_who *who, const char *method,
                const char *url)
{
    struct model_info info;
    model_text name = "";
    const char *rest = "";
    const char *query = strchr(url, '?');
    bool anonymous = model_is(who->name, "system:anonymous");
    const json_t *extension = NULL;

    /* Which comes first, an odd path or a disabled extension, goes by what may be allowed. */
    bool means = model_info_read(&info, method, url);
    if (model_extension_path(means ? info.path : url, name, &rest)) {
        extension = model_find(world, "ExtensionService", "", name);
        if (json_is_false(json_object_get(json_object_get(extension, "spec"), "enabled"))) {
            return (struct model_outcome){503, means ? 0 : 400, false, "", {0}};
        }
    }
    if (!means) {
        return (struct model_outcome){400, 0, false, "", {0}};
    }
    if (name[0] != '\0' && extension == NULL) {
        return (struct model_outcome){404, 0, false, "", {0}};
    }
    if (extension != NULL) {
        model_permissions(extension, method, rest, query == NULL ? "" : query + 1, &info);
    }
    const char *policy =
        model_without_roles(&info, model_at(extension, "spec", "access", NULL), anonymous);
    if (policy != NULL) {
        return (struct model_outcome){200, 0, true, policy, {0}};
    }
    struct model_answer a = model_decide(&(struct model_question){world, who, &info, name});
    return (struct model_outcome){a.allowed ? 200 : (anonymous ? 401 : 403), 0, a.allowed, "rbac",
                                  a};
}

#endif
