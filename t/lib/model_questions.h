/*
 * model_questions.h - random questions to a random world: most aim at one of its rules, so that
 * a third is allowed, and many are near a border.
 */
#ifndef T_LIB_MODEL_QUESTIONS_H
#define T_LIB_MODEL_QUESTIONS_H

#include "t/lib/model_world.h"

/* ---- questions ---------------------------------------------------------------------------- */

static inline struct model_who
model_random_who(struct model_random *r)
{
    struct model_who w = {.name = MODEL_PICK(r, model_users)};
    size_t n = 0;

    if (model_chance(r, 4)) {
        return (struct model_who){"system:anonymous", {"system:unauthenticated"}};
    }
    for (size_t k = 0; k < 3; k++) {
        if (model_chance(r, k == 2 ? 60 : 25)) {
            w.groups[n++] = model_groups[k];
        }
    }
    return w;
}

static inline void
model_add(model_text url, const char *a, const char *b)
{
    size_t n = strlen(url);

    (void)snprintf(url + n, MODEL_TEXT - n, "%s%s", a, b);
}

/* What comes after the version: [workspaces/W/][namespaces/N/]resource[/name[/subresource]]. */
static inline void
model_add_resource(struct model_random *r, model_text url, const char *resource)
{
    if (model_chance(r, 8)) {
        model_add(url, model_chance(r, 60) ? "/watch" : "/proxy", "");
    }
    if (model_chance(r, 35)) {
        model_add(url, model_chance(r, 95) ? "/workspaces/" : "/workspacetemplates/",
                  MODEL_PICK(r, model_workspaces));
    }
    if (model_chance(r, 50)) {
        model_add(url, "/namespaces/", MODEL_PICK(r, model_namespaces));
    }
    if (model_chance(r, 4)) {
        return;
    }
    model_add(url, "/", model_chance(r, 2) ? "status" : resource);
    if (model_chance(r, 50)) {
        model_add(url, "/", MODEL_PICK(r, model_names));
        if (model_chance(r, 30)) {
            model_add(url, "/", MODEL_PICK(r, model_subresources));
        }
    }
}

static inline void
model_random_core_url(struct model_random *r, model_text url)
{
    const char *const *kind = MODEL_PICK(r, model_kinds);
    const char *prefix = kind[0][0] == '\0'    ? (model_chance(r, 90) ? "/api" : "/kapi")
                         : model_chance(r, 50) ? "/kapis"
                                               : "/apis";

    if (model_chance(r, 8)) {
        model_add(url, "/clusters/", MODEL_PICK(r, model_clusters));
    }
    model_add(url, prefix, "");
    if (model_chance(r, 4)) {
        model_add(url, "/clusters/", MODEL_PICK(r, model_clusters));
    }
    if (model_chance(r, 2)) {
        return;
    }
    if (kind[0][0] != '\0') {
        model_add(url, "/", kind[0]);
    }
    model_add(url, "/v1", "");
    model_add_resource(r, url, kind[1]);
}

static inline void
model_random_query(struct model_random *r, model_text url)
{
    static const char *const watches[] = {"watch=true", "watch=1", "watch", "watch=false",
                                          "watch=0",    "watch=",  "x=y"};
    static const char *const fields[] = {"metadata.name=a", "metadata.name%3Dbob", "spec.x=y",
                                         "metadata.name=..", "metadata.name=a%2Fb"};

    model_add(url, "?", MODEL_PICK(r, watches));
    if (model_chance(r, 60)) {
        model_add(url, "&labelSelector=kubesphere.io/workspace=", MODEL_PICK(r, model_workspaces));
    }
    if (model_chance(r, 20)) {
        model_add(url, "&fieldSelector=", MODEL_PICK(r, fields));
    }
}

/* Some letters behind the first segment written as %xx: the same path; or something else that
 * two servers may read in two ways: refused. */
static inline void
model_disguise(struct model_random *r, model_text url)
{
    static const char *const tricks[] = {"%2F", "%2f",  "/..", "/.",    "/%2e%2e", "/%2E./",
                                         "//",  "%5c",  "%00", "%252f", "%",       "%zz",
                                         "\\",  "/../", "%0a", "%c0%af"};
    model_text plain;
    bool trick = model_chance(r, 40);
    size_t at = 0;

    model_set(plain, url);
    size_t n = strlen(plain);
    size_t first = 1 + strcspn(plain + 1, "/");
    size_t place = first + model_draw(r, (unsigned)(n - first + 1));
    url[0] = '\0';
    for (unsigned slashes = 0; at <= n && strlen(url) < MODEL_TEXT - 10; at++) {
        size_t end = strlen(url);

        slashes += plain[at] == '/';
        if (trick && at == place) {
            model_add(url, MODEL_PICK(r, tricks), "");
            end = strlen(url);
        }
        bool coded = slashes > 2 && isalnum((unsigned char)plain[at]) && model_chance(r, 20);
        if (at < n) {
            (void)snprintf(url + end, MODEL_TEXT - end, coded ? "%%%02x" : "%c",
                           (unsigned char)plain[at]);
        }
    }
}

/* ---- questions that a rule of the world answers, or nearly ---------------------------------- */

struct model_aim {
    const json_t *binding, *subject, *rule;
};

/* A text of the list, "" of an empty one. */
static inline const char *
model_draw_of(struct model_random *r, const json_t *list)
{
    size_t n = json_array_size(list);

    return n == 0 ? "" : json_string_value(json_array_get(list, model_draw(r, (unsigned)n)));
}

/* The rules of one of the templates that the binding's role takes in, or NULL. */
static inline const json_t *
model_aim_template(struct model_random *r, const json_t *world, const json_t *binding)
{
    const json_t *found[MODEL_MANY];
    const json_t *role = model_role(world, binding);
    size_t n = model_bindings(world, "RoleTemplate", NULL, NULL, found);
    unsigned from = n == 0 ? 0 : model_draw(r, (unsigned)n);

    for (size_t k = 0; k < n; k++) {
        const json_t *template = found[(from + k) % n];

        if (model_takes_in(role, template)) {
            return json_object_get(json_object_get(template, "spec"), "rules");
        }
    }
    return NULL;
}

/* A binding with a subject, and a rule of its role; false when the world has drawn none. */
static inline bool
model_take_aim(struct model_random *r, const json_t *world, struct model_aim *aim)
{
    for (unsigned tries = 0; tries < 60; tries++) {
        const json_t *b =
            json_array_get(world, model_draw(r, (unsigned)json_array_size(world) + 1));
        const json_t *subjects = json_object_get(b, "subjects");
        const json_t *rules = json_object_get(b == NULL ? NULL : model_role(world, b), "rules");

        if (json_array_size(subjects) > 0 && json_array_size(rules) > 0) {
            aim->binding = b;
            aim->subject =
                json_array_get(subjects, model_draw(r, (unsigned)json_array_size(subjects)));
            const json_t *more = model_aim_template(r, world, b);

            rules = json_array_size(more) > 0 && model_chance(r, 50) ? more : rules;
            aim->rule = json_array_get(rules, model_draw(r, (unsigned)json_array_size(rules)));
            return true;
        }
    }
    return false;
}

static inline void
model_aim_who(const struct model_aim *aim, struct model_who *who)
{
    const char *kind = model_kind(aim->subject);
    const char *name = model_at(aim->subject, "name", NULL, NULL);

    if (model_is(kind, "User")) {
        who->name = name;
    } else if (model_is(kind, "Group")) {
        who->groups[0] = name;
    } else {
        who->name = model_is(model_at(aim->subject, "apiGroup", NULL, NULL), "kubesphere.io")
                        ? "kubesphere:serviceaccount:n1:robot"
                        : "system:serviceaccount:n3:robot";
    }
}

/* Where the binding applies; now and then somewhere else. */
static inline void
model_aim_place(struct model_random *r, const json_t *world, const struct model_aim *aim,
                model_text url)
{
    const char *kind = model_kind(aim->binding);
    const char *workspace = model_workspace(aim->binding);

    if (model_is(kind, "RoleBinding")) {
        model_add(url, "/namespaces/",
                  model_chance(r, 90) ? model_ns(aim->binding) : MODEL_PICK(r, model_namespaces));
        return;
    }
    if (!model_is(kind, "WorkspaceRoleBinding")) {
        if (model_chance(r, 30)) {
            model_add(url, "/namespaces/", MODEL_PICK(r, model_namespaces));
        }
        return;
    }
    const json_t *ns = model_find(world, "Namespace", "", MODEL_PICK(r, model_namespaces));
    if (ns != NULL && model_is(model_workspace(ns), workspace)) {
        if (model_chance(r, 30)) {
            model_add(url, "/workspaces/", workspace);
        }
        model_add(url, "/namespaces/", model_name(ns));
    } else {
        model_add(url, "/workspaces/", workspace[0] == '\0' ? "ws1" : workspace);
    }
}

/* A method, and whether a name goes with it, for a verb. */
static inline const char *
model_method_of(struct model_random *r, const char *verb, bool *named)
{
    static const char *const methods[][3] = {
        {"get", "GET", "y"},       {"list", "GET", ""},
        {"watch", "GET", ""},      {"create", "POST", ""},
        {"update", "PUT", "y"},    {"patch", "PATCH", "y"},
        {"delete", "DELETE", "y"}, {"deletecollection", "DELETE", ""},
    };

    for (size_t k = 0; k < sizeof(methods) / sizeof(methods[0]); k++) {
        if (model_is(verb, methods[k][0])) {
            *named = methods[k][2][0] != '\0';
            return methods[k][1];
        }
    }
    *named = model_chance(r, 50);
    return MODEL_PICK(r, model_methods);
}

static inline const char *
model_aim_resource(struct model_random *r, const json_t *world, const struct model_aim *aim,
                   model_text url)
{
    const char *const *any = MODEL_PICK(r, model_kinds);
    const char *verb = model_draw_of(r, json_object_get(aim->rule, "verbs"));
    const char *group = model_draw_of(r, json_object_get(aim->rule, "apiGroups"));
    const char *resource = model_draw_of(r, json_object_get(aim->rule, "resources"));
    const char *name = model_draw_of(r, json_object_get(aim->rule, "resourceNames"));
    const char *slash = strchr(resource, '/');
    model_text plain;
    bool named;
    const char *method = model_method_of(r, verb, &named);

    group = model_is(group, "*") ? any[0] : group;
    (void)snprintf(plain, sizeof(plain), "%.*s",
                   slash == NULL ? MODEL_TEXT : (int)(slash - resource), resource);
    model_add(url, group[0] == '\0' ? "/api" : "/kapis/", group);
    model_add(url, "/v1", model_is(verb, "watch") || model_is(verb, "proxy") ? "/" : "");
    model_add(url, model_is(verb, "watch") || model_is(verb, "proxy") ? verb : "", "");
    model_aim_place(r, world, aim, url);
    model_add(url, "/", plain[0] == '*' ? any[1] : plain);
    if (named || slash != NULL || name[0] != '\0') {
        model_add(url, "/",
                  name[0] != '\0' && !model_is(name, "*") ? name : MODEL_PICK(r, model_names));
        model_add(url, slash == NULL ? "" : slash, "");
    }
    return method;
}

/* The star of a pattern becomes something. */
static inline const char *
model_aim_path(struct model_random *r, const struct model_aim *aim, model_text url)
{
    const char *verb = model_draw_of(r, json_object_get(aim->rule, "verbs"));
    const char *pattern = model_draw_of(r, json_object_get(aim->rule, "nonResourceURLs"));
    size_t n = strcspn(pattern, "*");

    (void)snprintf(url, MODEL_TEXT, "%.*s%s", (int)n, pattern,
                   pattern[n] == '\0'      ? ""
                   : n == 0                ? MODEL_PICK(r, model_paths)
                   : pattern[n - 1] == '/' ? MODEL_PICK(r, model_names)
                   : model_chance(r, 50)   ? "/x"
                                           : "");
    return isupper((unsigned char)verb[0]) ? verb : MODEL_PICK(r, model_methods);
}

/* ---- a question --------------------------------------------------------------------------- */

struct model_asked {
    const char *method;
    model_text url;
    struct model_who who;
};

static inline void
model_random_url(struct model_random *r, model_text url)
{
    if (model_chance(r, 15)) {
        model_add(url, MODEL_PICK(r, model_paths), "");
    } else {
        model_random_core_url(r, url);
    }
}

/* The name of the extension that the path is of, or "". */
static inline const char *
model_extension_of(const char *url)
{
    for (size_t k = 0; k < sizeof(model_extensions) / sizeof(model_extensions[0]); k++) {
        if (model_starts(url, "/extensions/") &&
            model_starts(url + strlen("/extensions/"), model_extensions[k])) {
            return model_extensions[k];
        }
    }
    return "";
}

static inline struct model_asked
model_random_question(struct model_random *r, const json_t *world)
{
    struct model_asked q = {.method = MODEL_PICK(r, model_methods), .who = model_random_who(r)};
    struct model_aim aim;

    if (!model_chance(r, 75) || !model_take_aim(r, world, &aim)) {
        model_random_url(r, q.url);
    } else {
        model_aim_who(&aim, &q.who);
        if (json_object_get(aim.rule, "nonResourceURLs") != NULL) {
            q.method = model_aim_path(r, &aim, q.url);
        } else if (model_has(json_object_get(aim.rule, "verbs"), "use")) {
            const char *name = model_draw_of(r, json_object_get(aim.rule, "resourceNames"));

            model_add(q.url, "/extensions/",
                      model_starts(name, "e") ? name : MODEL_PICK(r, model_extensions));
            model_add(q.url, "/", MODEL_PICK(r, model_names));
        } else {
            q.method = model_aim_resource(r, world, &aim, q.url);
        }
    }
    if (model_chance(r, 10)) {
        model_disguise(r, q.url);
    }
    if (model_chance(r, 10)) {
        model_random_query(r, q.url);
    }
    return q;
}

#endif
