#include "registry/check.h"

#include <stdio.h>

#include "base/mem.h"
#include "config/json.h"

#define LONGEST_NAME  253 /* RFC 1123 subdomain */
#define LONGEST_LABEL 63

struct check {
    const struct gw_yaml *source;
    struct gw_diag *diag;
};

static struct gw_place
place(const struct check *c, const json_t *value)
{
    return gw_yaml_place(c->source, value);
}

/* Of a member's value; of its key when the value has no place of its own (true, null). */
static struct gw_place
place_of(const struct check *c, const json_t *object, const char *name)
{
    struct gw_place at = place(c, json_object_get(object, name));

    if (at.line == 0) {
        at = gw_yaml_key_place(c->source, object, name);
    }
    return at.line == 0 ? place(c, object) : at;
}

static bool
is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* RFC 1123 label: lower case letters, digits and inner dashes. */
static bool
is_label(struct gw_str s)
{
    if (s.n == 0 || s.n > LONGEST_LABEL || !is_alnum(s.p[0]) || !is_alnum(s.p[s.n - 1])) {
        return false;
    }
    for (size_t i = 0; i < s.n; i++) {
        if (!is_alnum(s.p[i]) && s.p[i] != '-') {
            return false;
        }
    }
    return true;
}

/* Labels with dots between, as Kubernetes has it: the limit of 63 is for the whole only. */
static bool
is_subdomain(struct gw_str s)
{
    char before = '.';

    if (s.n == 0 || s.n > LONGEST_NAME) {
        return false;
    }
    for (size_t i = 0; i < s.n; i++) {
        bool inner = s.p[i] == '-' || s.p[i] == '.';

        if (!is_alnum(s.p[i]) && !inner) {
            return false;
        }
        if (inner && (before == '.' || (s.p[i] == '.' && before == '-'))) {
            return false;
        }
        before = s.p[i];
    }
    return is_alnum(before);
}

static bool
is_path_segment(struct gw_str s)
{
    if (s.n == 0 || s.n > LONGEST_NAME || gw_str_eq(s, GW_STR(".")) || gw_str_eq(s, GW_STR(".."))) {
        return false;
    }
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '/' || s.p[i] == '%' || (unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

/* "group/version" and "version" (of the group ""). */
static void
split_version(struct gw_str api_version, struct gw_str *group, struct gw_str *version)
{
    size_t slash = gw_str_find(api_version, '/');

    if (slash == api_version.n) {
        *group = GW_STR("");
        *version = api_version;
        return;
    }
    *group = (struct gw_str){api_version.p, slash};
    *version = gw_str_skip(api_version, slash + 1);
}

/* The known kind of that name in whatever group, or NULL. */
static const struct gw_kind *
kind_by_name(struct gw_str kind)
{
    for (const struct gw_kind *k = gw_kinds; k->kind != NULL; k++) {
        if (gw_str_eq(kind, gw_str_of(k->kind))) {
            return k;
        }
    }
    return NULL;
}

static const char *
nearest_kind(struct gw_str kind)
{
    const char *names[64];
    size_t n = 0;

    for (const struct gw_kind *k = gw_kinds; k->kind != NULL && n < 63; k++) {
        names[n++] = k->kind;
    }
    names[n] = NULL;
    return gw_diag_nearest(kind, names);
}

static const char *
nearest_group(struct gw_str group)
{
    const char *names[64];
    size_t n = 0;

    for (const struct gw_kind *k = gw_kinds; k->kind != NULL && n < 63; k++) {
        names[n++] = k->group;
    }
    names[n] = NULL;
    return gw_diag_nearest(group, names);
}

/* Says what is meant when apiVersion and kind name nothing that we keep. */
static void
say_unknown(const struct check *c, const json_t *json, struct gw_str api_version,
            struct gw_str kind)
{
    struct gw_place at = place_of(c, json, "kind");
    const struct gw_kind *same = kind_by_name(kind);
    const char *near = nearest_kind(kind);

    if (same != NULL) {
        gw_diag_error(c->diag, place_of(c, json, "apiVersion"),
                      "apiVersion: a %s is of %s%s%s, not of \"%.*s\"", same->kind, same->group,
                      same->group[0] == '\0' ? "" : "/", same->version, GW_STR_ARG(api_version));
    } else if (near != NULL) {
        gw_diag_error(c->diag, at, "kind: \"%.*s\" is not known (did you mean \"%s\"?)",
                      GW_STR_ARG(kind), near);
    } else {
        gw_diag_error(c->diag, at, "kind: \"%.*s\" of \"%.*s\" is not kept in this registry",
                      GW_STR_ARG(kind), GW_STR_ARG(api_version));
    }
}

static const struct gw_kind *
check_kind(const struct check *c, const json_t *json)
{
    struct gw_str api_version = gw_json_text(json_object_get(json, "apiVersion"));
    struct gw_str kind = gw_json_text(json_object_get(json, "kind"));
    struct gw_str group;
    struct gw_str version;

    if (api_version.n == 0 || kind.n == 0) {
        gw_diag_error(c->diag, place(c, json),
                      "an object needs %s as text (like apiVersion: ksgate.io/v1, "
                      "kind: ExtensionService)",
                      api_version.n == 0 ? "an apiVersion" : "a kind");
        return NULL;
    }
    split_version(api_version, &group, &version);
    const struct gw_kind *found = gw_kind_find(group, kind);
    if (found == NULL || !gw_str_eq(version, gw_str_of(found->version))) {
        say_unknown(c, json, api_version, kind);
        return NULL;
    }
    return found;
}

static void
check_name(const struct check *c, const struct gw_kind *kind, const json_t *metadata)
{
    const json_t *value = json_object_get(metadata, "name");
    struct gw_str name = gw_json_text(value);

    if (name.n == 0) {
        gw_diag_error(c->diag, place_of(c, metadata, "name"), "metadata.name: a name is needed%s",
                      value == NULL || json_is_string(value) ? "" : ", as text (put it in quotes)");
    } else if (kind->loose_names ? !is_path_segment(name) : !is_subdomain(name)) {
        gw_diag_error(c->diag, place_of(c, metadata, "name"), "metadata.name: \"%.*s\" %s",
                      GW_STR_ARG(name),
                      kind->loose_names
                          ? "must be a path segment: at most 253 bytes, no \"/\", no \"%\", not "
                            "\".\" or \"..\""
                          : "must be lower case letters, digits, \"-\" and \".\", begin and end "
                            "with a letter or digit, and have at most 253 of them");
    }
}

static void
check_namespace(const struct check *c, const struct gw_kind *kind, const json_t *metadata)
{
    const json_t *value = json_object_get(metadata, "namespace");
    struct gw_str ns = gw_json_text(value);

    if (!kind->namespaced) {
        if (value != NULL && !(json_is_string(value) && ns.n == 0)) {
            gw_diag_error(c->diag, place_of(c, metadata, "namespace"),
                          "metadata.namespace: a %s belongs to no namespace; leave it out",
                          kind->kind);
        }
    } else if (ns.n == 0) {
        gw_diag_error(c->diag, place_of(c, metadata, "name"),
                      "metadata.namespace: a %s needs a namespace", kind->kind);
    } else if (!is_label(ns)) {
        gw_diag_error(c->diag, place_of(c, metadata, "namespace"),
                      "metadata.namespace: \"%.*s\" must be at most 63 lower case letters, digits "
                      "and inner \"-\"",
                      GW_STR_ARG(ns));
    }
}

static void
check_text_map(const struct check *c, const json_t *metadata, const char *name)
{
    json_t *map = json_object_get(metadata, name);
    const char *key;
    json_t *value;

    if (map == NULL || json_is_null(map)) {
        return;
    }
    if (!json_is_object(map)) {
        gw_diag_error(c->diag, place_of(c, metadata, name), "metadata.%s: must be a map of text",
                      name);
        return;
    }
    json_object_foreach(map, key, value)
    {
        if (!json_is_string(value)) {
            gw_diag_error(c->diag, place_of(c, map, key),
                          "metadata.%s.%s: must be text (put it in quotes)", name, key);
        }
    }
}

static void
check_revision(const struct check *c, const json_t *metadata)
{
    const json_t *value = json_object_get(metadata, "resourceVersion");
    struct gw_str text = gw_json_text(value);
    uint64_t revision;

    if (value != NULL && !(json_is_string(value) && text.n == 0) && !gw_str_u64(text, &revision)) {
        gw_diag_error(c->diag, place_of(c, metadata, "resourceVersion"),
                      "metadata.resourceVersion: must be a number as text, as it was read");
    }
}

/* How deep the value is; more than `most` ends the walk. */
static int
depth_of(json_t *value, int most)
{
    int deepest = 0;
    size_t i;
    const char *key;
    json_t *child;

    if (most == 0 || !(json_is_object(value) || json_is_array(value))) {
        return 1;
    }
    json_array_foreach(value, i, child)
    {
        int d = depth_of(child, most - 1);
        deepest = d > deepest ? d : deepest;
    }
    json_object_foreach(value, key, child)
    {
        int d = depth_of(child, most - 1);
        deepest = d > deepest ? d : deepest;
    }
    return deepest + 1;
}

/* The first text with a NUL byte in it, which YAML can write and the store's JSON can't; or NULL.
 */
static const json_t *
text_with_nul(json_t *value)
{
    const json_t *found = NULL;
    size_t i;
    const char *key;
    json_t *child;

    if (json_is_string(value)) {
        return strlen(json_string_value(value)) < json_string_length(value) ? value : NULL;
    }
    json_array_foreach(value, i, child)
    {
        found = found != NULL ? found : text_with_nul(child);
    }
    json_object_foreach(value, key, child)
    {
        found = found != NULL ? found : text_with_nul(child);
    }
    return found;
}

/* No fewer bytes than the value has as compact JSON: a byte of a text is six (\u001f) at most.  The
 * exact number costs as much as writing it, and few are anywhere near the limit. */
static size_t
most_bytes(json_t *value)
{
    size_t n = 32; /* a number, and what stands around a value */
    size_t i;
    const char *key;
    json_t *child;

    if (json_is_string(value)) {
        return n + 6 * json_string_length(value);
    }
    json_array_foreach(value, i, child)
    {
        n += most_bytes(child);
    }
    json_object_foreach(value, key, child)
    {
        n += 6 * strlen(key) + most_bytes(child);
    }
    return n;
}

/* Without what a store puts in: or what could be written could not be read again. */
static size_t
own_bytes(const json_t *json)
{
    static const char *const added[] = {"uid", "creationTimestamp", "resourceVersion"};
    json_t *own = json_copy(gw_json_loose(json));
    json_t *metadata = json_copy(json_object_get(json, "metadata"));

    for (size_t i = 0; i < sizeof(added) / sizeof(added[0]); i++) {
        (void)json_object_del(metadata, added[i]);
    }
    (void)json_object_set_new(own, "metadata", metadata);
    size_t bytes = json_dumpb(own, NULL, 0, JSON_COMPACT);
    json_decref(own);
    return bytes;
}

static void
check_content(const struct check *c, json_t *json)
{
    if (depth_of(json, GW_OBJECT_DEPTH) > GW_OBJECT_DEPTH) {
        gw_diag_error(c->diag, place(c, json), "the object is deeper than %d levels",
                      GW_OBJECT_DEPTH);
        return;
    }
    const json_t *nul = text_with_nul(json);
    if (nul != NULL) {
        gw_diag_error(c->diag, place(c, nul), "a text of the object holds a NUL byte");
        return;
    }
    size_t bytes = most_bytes(json) > GW_OBJECT_BYTES ? own_bytes(json) : 0;
    if (bytes > GW_OBJECT_BYTES) {
        gw_diag_error(c->diag, place(c, json),
                      "the object has %zu bytes as JSON; at most %zu are kept", bytes,
                      GW_OBJECT_BYTES);
    }
}

const struct gw_kind *
gw_check_object(json_t *json, const struct gw_yaml *source, struct gw_diag *diag)
{
    struct check c = {.source = source, .diag = diag};
    size_t errors = diag->errors;

    if (!json_is_object(json)) {
        gw_diag_error(diag, place(&c, json),
                      "an object (a map with apiVersion, kind and metadata) is expected here");
        return NULL;
    }
    const struct gw_kind *kind = check_kind(&c, json);
    const json_t *metadata = json_object_get(json, "metadata");
    if (!json_is_object(metadata)) {
        gw_diag_error(diag, place_of(&c, json, "metadata"),
                      "metadata: must be a map with at least a name");
        return NULL;
    }
    if (kind != NULL) {
        check_name(&c, kind, metadata);
        check_namespace(&c, kind, metadata);
    }
    check_text_map(&c, metadata, "labels");
    check_text_map(&c, metadata, "annotations");
    check_revision(&c, metadata);
    check_content(&c, json);
    return diag->errors > errors ? NULL : kind;
}

bool
gw_check_is_foreign(const json_t *json)
{
    struct gw_str kind = gw_json_text(json_object_get(json, "kind"));
    struct gw_str group;
    struct gw_str version;

    split_version(gw_json_text(json_object_get(json, "apiVersion")), &group, &version);
    if (version.n == 0 || kind.n == 0 || gw_kind_find(group, kind) != NULL) {
        return false;
    }
    /* a known kind of a group that is nearly ours, or nearly a kind of ours: mistyped */
    if (kind_by_name(kind) != NULL) {
        return nearest_group(group) == NULL && group.n != 0;
    }
    return nearest_kind(kind) == NULL;
}
