/*
 * claim_objects.h - objects that claim something, in one line each.
 */
#ifndef GW_T_CLAIM_OBJECTS_H
#define GW_T_CLAIM_OBJECTS_H

#include <stdio.h>
#include <stdlib.h>

#include "registry/claims.h"

#define AGE "2026-11-30T13:41:58Z"

/* Of JSON with ' for ".  The caller's. */
static inline struct gw_object *__attribute__((format(printf, 1, 2))) object(const char *fmt, ...)
{
    struct gw_diag diag = {0};
    char *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    assert_true(vasprintf(&text, fmt, ap) > 0);
    va_end(ap);
    for (char *c = text; *c != '\0'; c++) {
        if (*c == '\'') {
            *c = '"';
        }
    }
    json_t *json = json_loads(text, 0, NULL);
    struct gw_object *o = json == NULL ? NULL : gw_object_stored(json, &diag);
    if (o == NULL) {
        fail_msg("%s: %s", text, json == NULL ? "no JSON" : gw_diag_first(&diag));
    }
    json_decref(json);
    free(text);
    return o;
}

#define HEAD(kind) "{'apiVersion':'extensions.kubesphere.io/v1alpha1','kind':'" kind "',"

static inline struct gw_object *
proxy(const char *name, const char *created, const char *path, const char *method)
{
    return object(HEAD("ReverseProxy") "'metadata':{'name':'%s','creationTimestamp':'%s'},"
                                       "'spec':{'matcher':{'path':'%s','method':'%s'}}}",
                  name, created, path, method);
}

static inline struct gw_object *
console_proxy(const char *name, const char *path)
{
    return object(HEAD("ReverseProxy") "'metadata':{'name':'%s','labels':{"
                                       "'kubesphere.io/reverse-proxy-target':'ks-console'}},"
                                       "'spec':{'matcher':{'path':'%s','method':'*'}}}",
                  name, path);
}

static inline struct gw_object *
api(const char *name, const char *group, const char *version)
{
    return object(HEAD("APIService") "'metadata':{'name':'%s'},"
                                     "'spec':{'group':'%s','version':'%s'}}",
                  name, group, version);
}

/* link "": by its extension. */
static inline struct gw_object *
bundle(const char *name, const char *extension, const char *link, const char *file)
{
    return object(HEAD("JSBundle") "'metadata':{'name':'%s','labels':{"
                                   "'kubesphere.io/extension-ref':'%s'}},'status':{'link':'%s'},"
                                   "'spec':{'assets':{'style':{'link':''},"
                                   "'files':[{'link':'/dist/x/1.js'},{'link':'%s'},{}]}}}",
                  name, extension, link, file);
}

/* What it claims, or NULL; the object is theirs from now on. */
static inline struct gw_claims *
claims_of(struct gw_object *o)
{
    struct gw_claims *c = gw_claims_read(o, false);

    gw_object_unref(o);
    return c;
}

/* A bundle with n links, of which `of` are different. */
static inline struct gw_claims *
links(const char *name, const char *start, unsigned n, unsigned of)
{
    struct gw_diag diag = {0};
    json_t *files = json_array();

    for (unsigned i = 0; i < n; i++) {
        (void)json_array_append_new(
            files, json_pack("{s:o}", "link", json_sprintf("%s%u", start, i % of)));
    }
    json_t *json = json_pack("{s:s, s:s, s:{s:s}, s:{s:{s:o}}}", "apiVersion",
                             "extensions.kubesphere.io/v1alpha1", "kind", "JSBundle", "metadata",
                             "name", name, "spec", "assets", "files", files);
    struct gw_object *o = gw_object_stored(json, &diag);
    assert_non_null(o);
    json_decref(json);
    return claims_of(o);
}

/* Counts those that it is asked about, and takes the first of all. */
static inline bool
all_count(void *arg, const struct gw_claims *other)
{
    (void)other;
    ++*(unsigned *)arg;
    return true;
}

#endif
