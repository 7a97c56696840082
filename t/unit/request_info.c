#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "http/url.h"
#include "modules/request_rules.h"
#include "t/lib/vectors.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

static const char *
read_url(struct gw_arena *a, const char *method, const char *url, struct gw_request_info *info)
{
    struct gw_str query = gw_str_of(url);
    struct gw_str path = gw_str_cut(&query, '?');

    return gw_request_rules_read(a, gw_str_of(method), path, query, info);
}

/* ---- the shared vectors ------------------------------------------------------------------- */

static void
check_text(const json_t *c, const char *name, struct gw_str got)
{
    const json_t *expect = json_object_get(c, "expect");

    if (!gw_str_eq(vectors_text(expect, name), got)) {
        fail_msg("%s: %s is \"%.*s\", not \"%s\"", vectors_text(c, "name").p, name, GW_STR_ARG(got),
                 vectors_text(expect, name).p);
    }
}

/* The path is one that the gateway refuses, or that has no meaning. */
static bool
is_refused(struct gw_arena *a, const json_t *c, struct gw_request_info *info)
{
    const char *url = vectors_text(c, "url").p;
    const char *why;
    struct gw_str rest = gw_str_of(url);

    return gw_path_check(gw_str_cut(&rest, '?'), &why) != GW_ERR_OK ||
           read_url(a, vectors_text(c, "method").p, url, info) != NULL;
}

static void
check_info(const json_t *c, const struct gw_request_info *info)
{
    const json_t *expect = json_object_get(c, "expect");

    check_text(c, "verb", info->verb);
    check_text(c, "apiPrefix", info->api_prefix);
    check_text(c, "apiGroup", info->api_group);
    check_text(c, "apiVersion", info->api_version);
    check_text(c, "cluster", info->cluster);
    check_text(c, "workspace", info->workspace);
    check_text(c, "namespace", info->ns);
    check_text(c, "resource", info->resource);
    check_text(c, "subresource", info->subresource);
    check_text(c, "name", info->name);
    check_text(c, "path", info->path);
    check_text(c, "resourceScope", info->scope);
    assert_int_equal(info->is_resource, json_is_true(json_object_get(expect, "isResourceRequest")));
    assert_int_equal(info->is_kubernetes,
                     json_is_true(json_object_get(expect, "isKubernetesRequest")));
    assert_int_equal(info->n_parts, json_array_size(json_object_get(expect, "parts")));
}

static void
test_the_shared_vectors(void **state)
{
    json_t *all = vectors_load("requestinfo.json");
    size_t ran = 0;

    (void)state;
    if (all == NULL) {
        skip();
    }
    for (; ran < json_array_size(all); ran++) {
        const json_t *c = json_array_get(all, ran);
        struct gw_arena *a = gw_arena_new();
        struct gw_request_info info;

        /* Each quirk in the file is a path that we refuse, where upstream goes wrong. */
        bool refused = is_refused(a, c, &info);
        if (refused != (json_object_get(c, "quirk") != NULL)) {
            fail_msg("%s is %srefused", vectors_text(c, "name").p, refused ? "" : "not ");
        }
        if (!refused) {
            check_info(c, &info);
        }
        gw_arena_free(a);
    }
    printf("# %zu cases of requestinfo.json ran\n", ran);
    json_decref(all);
}

/* ---- our own ------------------------------------------------------------------------------ */

/* "verb group/resource/name/sub scope cluster:workspace:namespace path", "verb cluster:path", or
 * what is wrong. */
static struct gw_buf
show(struct gw_arena *a, const char *method, const char *url)
{
    struct gw_request_info i;
    const char *problem = read_url(a, method, url, &i);
    const struct gw_str of_resource[] = {
        i.verb,      GW_STR(" "),   i.api_group, GW_STR("/"), i.resource,  GW_STR("/"), i.name,
        GW_STR("/"), i.subresource, GW_STR(" "), i.scope,     GW_STR(" "), i.cluster,   GW_STR(":"),
        i.workspace, GW_STR(":"),   i.ns,        GW_STR(" "), i.path};
    const struct gw_str of_path[] = {i.verb, GW_STR(" "), i.cluster, GW_STR(":"), i.path};
    struct gw_buf out = {0};

    if (problem != NULL) {
        gw_buf_puts(&out, problem);
        return out;
    }
    for (size_t k = 0; k < (i.is_resource ? N(of_resource) : N(of_path)); k++) {
        gw_buf_str(&out, i.is_resource ? of_resource[k] : of_path[k]);
    }
    return out;
}

static const struct {
    const char *method, *url, *is;
} asked[] = {
    {"GET", "/", "GET :/"},
    {"OPTIONS", "*", "OPTIONS :*"},
    {"GET", "/a%20b", "GET :/a b"},
    {"GET", "/a%2", "the path has a broken escape"},
    {"GET", "/api/v1/pods///", "list /pods// Cluster :: /api/v1/pods///"},
    {"get", "/api/v1/pods", " /pods// Cluster :: /api/v1/pods"},
    {"GET", "/API/v1/pods", "GET :/API/v1/pods"},
    /* in a tenant's place, a word that others would read as another place */
    {"GET", "/kapis/g.io/v1/workspaces/w/Namespaces/n/x", "\"Namespaces\" can be read in two ways"},
    {"GET", "/kapis/g.io/v1/workspaces/w/namespaces;a/n/x",
     "\"namespaces;a\" can be read in two ways"},
    {"GET", "/kapis/g.io/v1/workspaces/w/%256eamespaces/n/x",
     "\"%6eamespaces\" can be read in two ways"},
    {"GET", "/kapis/g.io/v1/workspaces/w/;/namespaces/n/x", "\";\" can be read in two ways"},
    {"GET", "/api/v1/namespaces/n/proxy./x", "\"proxy.\" can be read in two ways"},
    {"GET", "/api/v1/namespaces/n/Pods/x",
     "get /Pods/x/ Namespace ::n /api/v1/namespaces/n/Pods/x"},
    {"GET", "/api/v1/Namespaces/n", "get /Namespaces/n/ Cluster :: /api/v1/Namespaces/n"},
    {"GET", "/clusters/m/api/v1/pods/", "list /pods// Cluster m:: /api/v1/pods/"},
    {"GET", "/clusters/m/x/y/", "GET m:/x/y/"},
    {"GET", "/kapis/clusters/m/g.io/v1/x/", "list g.io/x// Cluster m:: /kapis/g.io/v1/x/"},
    {"GET", "/kapis/clusters/m", "GET m:/kapis"},
    {"GET", "/api/clusters/m", "unable to determine kind and namespace from url: /api"},
    {"GET", "/clusters/a/kapis/clusters/b/v1/x",
     "get clusters/v1/x/ Cluster a:: /kapis/clusters/b/v1/x"},
    {"GET", "/clusters/m/api", "unable to determine kind and namespace from url: /api"},
    {"GET", "/api/v1/proxy", "unable to determine kind and namespace from url: /api/v1/proxy"},
    {"GET", "/kapi/v1/things", "list /things// Cluster :: /kapi/v1/things"},

    /* lists of one name */
    {"GET", "/api/v1/pods?fieldSelector=a%3Db,metadata.name%3Dx",
     "list /pods/x/ Cluster :: /api/v1/pods"},
    {"GET", "/api/v1/pods?fieldSelector=metadata.name!=x", "list /pods// Cluster :: /api/v1/pods"},
    {"GET", "/api/v1/pods?fieldSelector=metadata.name=x=y", "list /pods// Cluster :: /api/v1/pods"},
    {"GET", "/api/v1/pods?fieldSelector=metadata.name=x%5C,y",
     "list /pods/x,y/ Cluster :: /api/v1/pods"},
    {"GET", "/api/v1/pods?fieldSelector=metadata.name=x%5Cy",
     "list /pods// Cluster :: /api/v1/pods"},
    {"GET", "/api/v1/pods?fieldSelector=metadata.name=x%5C",
     "list /pods// Cluster :: /api/v1/pods"},
    {"GET", "/api/v1/pods?fieldSelector=,,metadata.name=x,",
     "list /pods/x/ Cluster :: /api/v1/pods"},
    {"GET", "/api/v1/pods?fieldSelector=metadata.name=a%2Fb",
     "list /pods// Cluster :: /api/v1/pods"},
    {"GET", "/api/v1/pods?fieldSelector=metadata.name=..", "list /pods// Cluster :: /api/v1/pods"},
    {"GET", "/api/v1/pods?fieldSelector=metadata.name=x&limit=ten",
     "list /pods// Cluster :: /api/v1/pods"},
    {"GET", "/api/v1/pods?fieldSelector=metadata.name=x&limit=-1",
     "list /pods/x/ Cluster :: /api/v1/pods"},
    {"GET",
     "/api/v1/pods?limit=10&timeoutSeconds=9999999999999999999&fieldSelector=metadata.name=x",
     "list /pods// Cluster :: /api/v1/pods"},
    {"DELETE", "/api/v1/pods?fieldSelector=metadata.name=x",
     "deletecollection /pods// Cluster :: /api/v1/pods"},

    /* watches */
    {"GET", "/api/v1/pods?watch", "watch /pods// Cluster :: /api/v1/pods"},
    {"GET", "/api/v1/pods?watch=FALSE", "list /pods// Cluster :: /api/v1/pods"},
    {"GET", "/api/v1/pods/x?watch=1", "get /pods/x/ Cluster :: /api/v1/pods/x"},

    /* a selector of one workspace */
    {"GET", "/api/v1/pods?watch=1&labelSelector=kubesphere.io/workspace=ws1",
     "watch /pods// Workspace :ws1: /api/v1/pods"},
    {"GET", "/api/v1/watch/namespaces/other/pods?labelSelector=kubesphere.io%2Fworkspace%3Dws1",
     "watch /pods// Workspace :ws1:other /api/v1/watch/namespaces/other/pods"},
    {"GET", "/kapis/g/v1/workspaces/ws2/x?watch=1&labelSelector=kubesphere.io/workspace=ws1",
     "the path and the label selector name two workspaces"},
    {"GET", "/kapis/g/v1/workspaces/ws1/x?watch=1&labelSelector=kubesphere.io/workspace=ws1",
     "watch g/x// Workspace :ws1: /kapis/g/v1/workspaces/ws1/x"},
    {"GET", "/api/v1/pods?labelSelector=kubesphere.io/workspace=ws1",
     "list /pods// Cluster :: /api/v1/pods"},

    /* our own interface */
    {"GET", "/-/healthz", "GET :/-/healthz"},
    {"GET", "/-/apis/ksgate.io/v1", "GET :/-/apis/ksgate.io/v1"},
    {"GET", "/-/apis/ksgate.io/v1/extensionservices",
     "list ksgate.io/extensionservices// Cluster :: /-/apis/ksgate.io/v1/extensionservices"},
    {"GET", "/-/apis/ksgate.io/v1/extensionservices?watch=true",
     "watch ksgate.io/extensionservices// Cluster :: /-/apis/ksgate.io/v1/extensionservices"},
    {"PUT", "/-/apis/ksgate.io/v1/extensionservices/devops/endpoints/pod-1",
     "update ksgate.io/extensionservices/devops/endpoints Cluster :: "
     "/-/apis/ksgate.io/v1/extensionservices/devops/endpoints/pod-1"},
    {"GET", "/-/apis/iam.kubesphere.io/v1beta1/users/tom",
     "get iam.kubesphere.io/users/tom/ Global :: /-/apis/iam.kubesphere.io/v1beta1/users/tom"},
    {"POST", "/-/apis/iam.kubesphere.io/v1beta1/namespaces/proj/rolebindings",
     "create iam.kubesphere.io/rolebindings// Namespace ::proj "
     "/-/apis/iam.kubesphere.io/v1beta1/namespaces/proj/rolebindings"},
    {"POST", "/-/apis/iam.kubesphere.io/v1beta1/workspacerolebindings",
     "create iam.kubesphere.io/workspacerolebindings// Cluster :: "
     "/-/apis/iam.kubesphere.io/v1beta1/workspacerolebindings"},
    {"PATCH", "/-/apis/tenant.kubesphere.io/v1beta1/workspaces/ws1",
     "patch tenant.kubesphere.io/workspaces/ws1/ Global :: "
     "/-/apis/tenant.kubesphere.io/v1beta1/workspaces/ws1"},
    {"PATCH", "/-/api/v1/namespaces/proj",
     "patch /namespaces/proj/ Cluster :: /-/api/v1/namespaces/proj"},
    {"GET", "/-/api/v1/pods?watch=1&labelSelector=kubesphere.io/workspace=ws1",
     "watch /pods// Cluster :: /-/api/v1/pods"},

    {"PUT", "/extensions/devops/workspaces/ws1/x", "PUT :/extensions/devops/workspaces/ws1/x"},
};

static void
test_what_is_asked_for(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(asked); i++) {
        struct gw_arena *a = gw_arena_new();
        struct gw_buf got = show(a, asked[i].method, asked[i].url);

        if (strcmp(got.p, asked[i].is) != 0) {
            fail_msg("%s %s\nis  \"%s\",\nnot \"%s\"", asked[i].method, asked[i].url, got.p,
                     asked[i].is);
        }
        gw_buf_fini(&got);
        gw_arena_free(a);
    }
}

static void
test_a_very_long_path(void **state)
{
    struct gw_arena *a = gw_arena_new();
    struct gw_request_info info;
    char url[4000] = "/clusters/m/apis/g/v1/watch/workspaces/w/namespaces/n/things/a/b";
    const unsigned parts = 3 + 500;

    (void)state;
    for (int i = 0; i < 500; i++) {
        memcpy(url + strlen(url), "/x", 3);
    }
    assert_null(read_url(a, "GET", url, &info));
    assert_int_equal(info.n_parts, parts);
    assert_true(gw_str_eq(info.subresource, GW_STR("b")));
    gw_arena_free(a);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_shared_vectors),
        cmocka_unit_test(test_what_is_asked_for),
        cmocka_unit_test(test_a_very_long_path),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
