/*
 * model_info.h - what a method and a URL ask for, a second time: written from kubesphere.md,
 * section 4, and docs/modules/request_info.md and ext_router.md, by somebody who had not read
 * modules/.  It is slow and simple on purpose: copies, loops, nothing shared with the code that
 * it judges.
 */
#ifndef T_LIB_MODEL_INFO_H
#define T_LIB_MODEL_INFO_H

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>

#define MODEL_TEXT  200
#define MODEL_PARTS 24

typedef char model_text[MODEL_TEXT];

struct model_info {
    model_text verb, prefix, group, version, cluster, workspace, ns, resource, subresource, name;
    model_text scope, path;
    bool resource_request, kubernetes;
};

static inline void
model_set(model_text into, const char *text)
{
    (void)snprintf(into, MODEL_TEXT, "%s", text);
}

static inline bool
model_is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static inline bool
model_starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* ---- the URL ------------------------------------------------------------------------------ */

static inline bool
model_is_escape(const char *p)
{
    return p[0] == '%' && isxdigit((unsigned char)p[1]) && isxdigit((unsigned char)p[2]);
}

static inline void
model_decode(model_text into, const char *text, bool plus)
{
    size_t n = 0;

    for (const char *p = text; *p != '\0' && n < MODEL_TEXT - 1; p++) {
        if (model_is_escape(p)) {
            char hex[3] = {p[1], p[2], '\0'};

            into[n++] = (char)strtoul(hex, NULL, 16);
            p += 2;
        } else {
            into[n++] = (char)(plus && *p == '+' ? ' ' : *p);
        }
    }
    into[n] = '\0';
}

/* The value of the first pair of that name, decoded; false when there is none. */
static inline bool
model_query(const char *query, const char *name, model_text value)
{
    model_text rest;
    char *save = NULL;

    model_set(rest, query);
    for (char *pair = strtok_r(rest, "&", &save); pair != NULL; pair = strtok_r(NULL, "&", &save)) {
        char *equals = strchr(pair, '=');

        if (equals != NULL) {
            *equals = '\0';
        }
        if (model_is(pair, name)) {
            model_decode(value, equals == NULL ? "" : equals + 1, true);
            return true;
        }
    }
    return false;
}

/* The segments of a path, without a first and last slashes; they lie in `copy`. */
static inline size_t
model_split(model_text copy, const char *path, char *parts[MODEL_PARTS])
{
    size_t n = 0;
    char *p = copy;

    model_set(copy, path + (path[0] == '/'));
    while (copy[0] != '\0' && copy[strlen(copy) - 1] == '/') {
        copy[strlen(copy) - 1] = '\0';
    }
    while (p != NULL && copy[0] != '\0' && n < MODEL_PARTS) {
        parts[n++] = strsep(&p, "/");
    }
    return n;
}

static inline bool
model_has_nocase(const char *text, const char *what)
{
    return strcasestr(text, what) != NULL;
}

/* A path that two servers could read in two ways (docs/howto/paths.md). */
static inline bool
model_path_odd(const char *raw)
{
    model_text decoded;
    model_text copy;
    char *parts[MODEL_PARTS];

    for (const char *p = strchr(raw, '%'); p != NULL; p = strchr(p + 1, '%')) {
        if (!model_is_escape(p) || strncmp(p, "%00", 3) == 0) {
            return true;
        }
    }
    if (model_has_nocase(raw, "%2f") || model_has_nocase(raw, "%252f") ||
        model_has_nocase(raw, "%5c") || strchr(raw, '\\') != NULL) {
        return true;
    }
    model_decode(decoded, raw, false);
    for (const char *p = decoded; *p != '\0'; p++) {
        unsigned char c = (unsigned char)*p;

        if (c < 0x20 || c == 0x7f || c == 0xc0 || c == 0xc1) {
            return true;
        }
    }
    size_t n = model_split(copy, decoded, parts);
    for (size_t i = 0; i < n; i++) {
        if (parts[i][0] == '\0' || model_is(parts[i], ".") || model_is(parts[i], "..")) {
            return true;
        }
    }
    return false;
}

/* ---- scope and verb ----------------------------------------------------------------------- */

/* Rule 11. */
static inline void
model_scope(struct model_info *i)
{
    static const char *const global[][2] = {
        {"iam.kubesphere.io", "users"},
        {"iam.kubesphere.io", "globalroles"},
        {"iam.kubesphere.io", "globalrolebindings"},
        {"tenant.kubesphere.io", "workspaces"},
        {"tenant.kubesphere.io", "clusters"},
        {"cluster.kubesphere.io", "clusters"},
        {"cluster.kubesphere.io", "labels"},
        {"resources.kubesphere.io", "clusters"},
        {"resources.kubesphere.io", "labels"},
    };

    for (size_t k = 0; k < sizeof(global) / sizeof(global[0]); k++) {
        if (model_is(i->group, global[k][0]) && model_is(i->resource, global[k][1])) {
            model_set(i->scope, i->workspace[0] != '\0' ? "Workspace" : "Global");
            return;
        }
    }
    model_set(i->scope, i->ns[0] != '\0'          ? "Namespace"
                        : i->workspace[0] != '\0' ? "Workspace"
                                                  : "Cluster");
}

/* Rule 7. */
static inline const char *
model_verb(const char *method)
{
    static const char *const verbs[][2] = {{"POST", "create"}, {"GET", "get"},
                                           {"HEAD", "get"},    {"PUT", "update"},
                                           {"PATCH", "patch"}, {"DELETE", "delete"}};

    for (size_t k = 0; k < sizeof(verbs) / sizeof(verbs[0]); k++) {
        if (model_is(method, verbs[k][0])) {
            return verbs[k][1];
        }
    }
    return "";
}

/* Rules 12 and 14: a list, a watch, the deletion of all; a name in a field selector. */
static inline void
model_plural_verb(struct model_info *i, const char *query)
{
    model_text value;

    if (i->name[0] != '\0') {
        return;
    }
    if (model_is(i->verb, "delete")) {
        model_set(i->verb, "deletecollection");
    }
    if (!model_is(i->verb, "get")) {
        return;
    }
    bool watch =
        model_query(query, "watch", value) && !model_is(value, "false") && !model_is(value, "0");
    model_set(i->verb, watch ? "watch" : "list");
    if (model_query(query, "fieldSelector", value) && model_starts(value, "metadata.name=")) {
        const char *name = value + strlen("metadata.name=");

        if (strpbrk(name, "/%,") == NULL && !model_is(name, ".") && !model_is(name, "..")) {
            model_set(i->name, name);
        }
    }
}

/* Rule 13, with the hole of 5.5 closed: false when the path names another workspace. */
static inline bool
model_selector(struct model_info *i, const char *query)
{
    static const char label[] = "kubesphere.io/workspace=";
    model_text value;

    if (!model_is(i->verb, "watch") || !model_query(query, "labelSelector", value) ||
        !model_starts(value, label)) {
        return true;
    }
    const char *workspace = value + strlen(label);
    if (i->workspace[0] != '\0' && !model_is(i->workspace, workspace)) {
        return false;
    }
    model_set(i->workspace, workspace);
    model_set(i->scope, "Workspace");
    return true;
}

/* ---- the core's paths --------------------------------------------------------------------- */

/* Rules 8 to 10: where, and what. */
static inline void
model_place(struct model_info *i, char **parts, size_t n)
{
    if (n >= 1 && (model_is(parts[0], "workspaces") || model_is(parts[0], "workspacetemplates"))) {
        if (n >= 2) {
            model_set(i->workspace, parts[1]);
        }
        if (n >= 3) {
            parts += 2;
            n -= 2;
        }
    }
    if (n >= 2 && model_is(parts[0], "namespaces")) {
        model_set(i->ns, parts[1]);
        if (n >= 3 && !model_is(parts[2], "status") && !model_is(parts[2], "finalize")) {
            parts += 2;
            n -= 2;
        }
    }
    model_set(i->resource, n >= 1 ? parts[0] : "");
    model_set(i->name, n >= 2 ? parts[1] : "");
    model_set(i->subresource, n >= 3 && !model_is(i->verb, "proxy") ? parts[2] : "");
}

/* Rules 5 to 14; false: it means nothing (400). */
static inline bool
model_core(struct model_info *i, const char *method, char **parts, size_t n, const char *query)
{
    bool grouped = model_is(parts[0], "apis") || model_is(parts[0], "kapis");

    model_set(i->prefix, parts[0]);
    parts++;
    n--;
    if (i->cluster[0] == '\0' && n >= 2 && model_is(parts[0], "clusters")) {
        model_text rest;

        model_set(i->cluster, parts[1]);
        model_set(rest, i->path + 1 + strlen(i->prefix) + strlen("/clusters/") + strlen(parts[1]));
        (void)snprintf(i->path, MODEL_TEXT, "/%.*s%.*s", MODEL_TEXT / 4, i->prefix, MODEL_TEXT / 2,
                       rest);
        parts += 2;
        n -= 2;
    }
    if (grouped && n < 3) {
        return true;
    }
    if (grouped) {
        model_set(i->group, parts[0]);
        parts++;
        n--;
    }
    if (n < 2) {
        return false; /* upstream crashes */
    }
    i->resource_request = true;
    model_set(i->version, parts[0]);
    parts++;
    n--;
    if (model_is(parts[0], "watch") || model_is(parts[0], "proxy")) {
        model_set(i->verb, parts[0]);
        parts++;
        n--;
        if (n == 0) {
            return false;
        }
    } else {
        model_set(i->verb, model_verb(method));
    }
    model_place(i, parts, n);
    model_scope(i);
    model_plural_verb(i, query);
    return model_selector(i, query);
}

/* Of the gateway's own objects: /-/apis/{group}/{version}/[namespaces/{ns}/]{plural}[/{name}]. */
static inline void
model_own(struct model_info *i, const char *method, char **parts, size_t n, const char *query)
{
    if (n < 5 || !model_is(parts[1], "apis")) {
        return;
    }
    i->resource_request = true;
    model_set(i->group, parts[2]);
    model_set(i->version, parts[3]);
    parts += 4;
    n -= 4;
    if (n >= 3 && model_is(parts[0], "namespaces")) {
        model_set(i->ns, parts[1]);
        parts += 2;
        n -= 2;
    }
    model_set(i->resource, parts[0]);
    model_set(i->name, n >= 2 ? parts[1] : "");
    model_set(i->subresource, n >= 3 ? parts[2] : "");
    model_set(i->verb, model_verb(method));
    model_scope(i);
    model_plural_verb(i, query);
}

/* False: the path means nothing, or may mean two things (400). */
static inline bool
model_info_read(struct model_info *i, const char *method, const char *url)
{
    model_text raw;
    model_text copy;
    char *parts[MODEL_PARTS];
    size_t first = 0;

    memset(i, 0, sizeof(*i));
    model_set(raw, url);
    char *query = strchr(raw, '?');
    if (query != NULL) {
        *query++ = '\0';
    }
    if (model_path_odd(raw)) {
        return false;
    }
    model_set(i->verb, method);
    model_decode(i->path, raw, false);
    size_t n = model_split(copy, i->path, parts);
    if (n >= 1 && model_is(parts[0], "-")) {
        model_own(i, method, parts, n, query == NULL ? "" : query);
        return true;
    }
    i->kubernetes = n >= 1 && (model_is(parts[0], "api") || model_is(parts[0], "apis"));
    if (n < 3) {
        return true;
    }
    if (model_is(parts[0], "clusters")) {
        model_text rest;

        model_set(i->cluster, parts[1]);
        model_set(rest, i->path + strlen("/clusters/") + strlen(parts[1]));
        model_set(i->path, rest);
        first = 2;
        i->kubernetes = model_is(parts[2], "api") || model_is(parts[2], "apis");
    }
    if (!model_is(parts[first], "api") && !model_is(parts[first], "apis") &&
        !model_is(parts[first], "kapi") && !model_is(parts[first], "kapis")) {
        return true;
    }
    return model_core(i, method, parts + first, n - first, query == NULL ? "" : query);
}

#endif
