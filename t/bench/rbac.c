/*
 * rbac.c - a world of many users, workspaces, namespaces and bindings, and what a decision in it
 * costs.  `make bench-rbac` runs it through t/bench/rbac-world.
 *
 *     rbac make FILE   writes the world into a registry's SQLite file
 *     rbac decide      measures compiling, a worker's taking over, and decisions, without sockets
 *
 * As KubeSphere has them: each user has one global role and is in three workspaces; each workspace
 * has four roles, each namespace (`--roles 1`) three of its own; built-in roles have many rules,
 * because they are aggregated of templates.  The same seed makes the same world.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "gateway/worlds.h"
#include "modules/rbac_decide.h"
#include "registry/db.h"

extern const struct gw_module gw_mod_rbac;

#define COLD_BYTES ((size_t)96 << 20) /* larger than the caches that one core has for itself */

static struct {
    unsigned users, workspaces, namespaces, bindings, roles, seed, cold;
} size = {10000, 1000, 20000, 50000, 0, 1, 1000};

static struct gw_objects world;
static uint64_t state;

static unsigned
draw(unsigned below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)((state >> 11) % below);
}

/* ---- the world ---------------------------------------------------------------------------- */

static void
add(const char *group_kind, const char *ns, const char *name, const char *labels, const char *rest)
{
    struct gw_buf text = {0};
    struct gw_diag diag = {0};
    json_error_t error;

    gw_buf_printf(&text,
                  "{%s,\"metadata\":{\"name\":\"%s\"%s%s%s,\"labels\":{%s\"kubesphere.io/"
                  "managed\":\"true\"},\"annotations\":{\"kubesphere.io/creator\":\"admin\"}}%s%s}",
                  group_kind, name, ns[0] == '\0' ? "" : ",\"namespace\":\"", ns,
                  ns[0] == '\0' ? "" : "\"", labels, rest[0] == '\0' ? "" : ",", rest);
    json_t *json = json_loads(text.p, 0, &error);
    struct gw_object *o = json == NULL ? NULL : gw_object_new(json, NULL, &diag);
    if (o == NULL) {
        (void)fprintf(stderr, "rbac: %s: %s\n", text.p,
                      json == NULL ? error.text : gw_diag_first(&diag));
        exit(1);
    }
    gw_objects_add(&world, o);
    json_decref(json);
    gw_diag_fini(&diag);
    gw_buf_fini(&text);
}

#define IAM(kind) "\"apiVersion\":\"iam.kubesphere.io/v1beta1\",\"kind\":\"" kind "\""

/* As RoleTemplates give them: a rule for each group of resources, n in all. */
static char *
aggregated(unsigned n, const char *verbs)
{
    static const char *const groups[] = {"",
                                         "apps",
                                         "batch",
                                         "networking.k8s.io",
                                         "devops.kubesphere.io",
                                         "monitoring.kubesphere.io",
                                         "resources.kubesphere.io",
                                         "storage.k8s.io"};
    static const char *const resources[] = {"configmaps",
                                            "services",
                                            "deployments",
                                            "statefulsets",
                                            "daemonsets",
                                            "jobs",
                                            "cronjobs",
                                            "ingresses",
                                            "pipelines",
                                            "endpoints",
                                            "events",
                                            "workloads",
                                            "persistentvolumeclaims",
                                            "horizontalpodautoscalers",
                                            "rolebindings",
                                            "members"};
    struct gw_buf rules = {0};

    gw_buf_puts(&rules, "\"rules\":[");
    for (unsigned i = 0; i < n; i++) {
        gw_buf_printf(&rules,
                      "%s{\"verbs\":[%s],\"apiGroups\":[\"%s\",\"*.%u.io\"],\"resources\":["
                      "\"%s\",\"%s/status\",\"things%u\"]}",
                      i == 0 ? "" : ",", verbs, groups[i % 8], i, resources[i % 16],
                      resources[i % 16], i);
    }
    gw_buf_puts(&rules, "]");
    return rules.p;
}

#define ALL     "\"rules\":[{\"verbs\":[\"*\"],\"apiGroups\":[\"*\"],\"resources\":[\"*\"]}]"
#define READ    "\"get\",\"list\",\"watch\""
#define OPERATE READ ",\"create\",\"update\",\"patch\",\"delete\""

static void
add_shared_roles(void)
{
    char *many = aggregated(40, READ);
    char *operate = aggregated(30, OPERATE);
    char *few = aggregated(6, READ);

    add(IAM("GlobalRole"), "", "platform-admin", "", ALL);
    add(IAM("GlobalRole"), "", "platform-regular", "", "\"rules\":[]");
    add(IAM("GlobalRole"), "", "authenticated", "", few);
    add(IAM("ClusterRole"), "", "cluster-admin", "", ALL);
    add(IAM("ClusterRole"), "", "cluster-viewer", "", many);
    add(IAM("ClusterRole"), "", "ns-admin", "", ALL);
    add(IAM("ClusterRole"), "", "ns-operator", "", operate);
    add(IAM("ClusterRole"), "", "ns-viewer", "", many);
    free(many);
    free(operate);
    free(few);
}

static const char *const ws_roles[] = {"admin", "regular", "self-provisioner", "viewer"};
static const char *const ns_roles[] = {"admin", "operator", "viewer"};

static void
add_places(void)
{
    char *rules[] = {gw_mem_strdup(ALL), aggregated(4, READ), aggregated(12, OPERATE),
                     aggregated(25, READ)};
    char *ns_rules[] = {gw_mem_strdup(ALL), aggregated(20, OPERATE), aggregated(20, READ)};
    char name[64];
    char labels[100];

    for (unsigned w = 0; w < size.workspaces; w++) {
        (void)snprintf(labels, sizeof(labels), "\"kubesphere.io/workspace\":\"team-%u\",", w);
        for (unsigned k = 0; k < 4; k++) {
            (void)snprintf(name, sizeof(name), "team-%u-%s", w, ws_roles[k]);
            add(IAM("WorkspaceRole"), "", name, labels, rules[k]);
        }
    }
    for (unsigned n = 0; n < size.namespaces; n++) {
        char ns[64];

        (void)snprintf(ns, sizeof(ns), "project-%u", n);
        (void)snprintf(labels, sizeof(labels), "\"kubesphere.io/workspace\":\"team-%u\",",
                       n % size.workspaces);
        add("\"apiVersion\":\"v1\",\"kind\":\"Namespace\"", "", ns, labels, "");
        for (unsigned k = 0; size.roles > 0 && k < 3; k++) {
            add(IAM("Role"), ns, ns_roles[k], "", ns_rules[k]);
        }
    }
    for (unsigned k = 0; k < 4; k++) {
        free(rules[k]);
    }
    for (unsigned k = 0; k < 3; k++) {
        free(ns_rules[k]);
    }
}

static void
add_binding(const char *group_kind, const char *ns, const char *name, const char *labels,
            const char *subject_kind, const char *subject, const char *role_kind, const char *role)
{
    char rest[500];

    (void)snprintf(rest, sizeof(rest),
                   "\"subjects\":[{\"kind\":\"%s\",\"apiGroup\":\"iam.kubesphere.io\",\"name\":"
                   "\"%s\"}],\"roleRef\":{\"apiGroup\":\"iam.kubesphere.io\",\"kind\":\"%s\","
                   "\"name\":\"%s\"}",
                   subject_kind, subject, role_kind, role);
    add(group_kind, ns, name, labels, rest);
}

/* The i-th workspace of a user. */
static unsigned
workspace_of(unsigned user, unsigned i)
{
    return (user * 7 + i * 331) % size.workspaces;
}

static void
bind_workspace(const char *subject_kind, const char *subject, unsigned w, const char *role)
{
    char name[200];
    char role_name[100];
    char labels[100];

    (void)snprintf(labels, sizeof(labels), "\"kubesphere.io/workspace\":\"team-%u\",", w);
    (void)snprintf(role_name, sizeof(role_name), "team-%u-%s", w, role);
    (void)snprintf(name, sizeof(name), "%s-%s", subject, role_name);
    add_binding(IAM("WorkspaceRoleBinding"), "", name, labels, subject_kind, subject,
                "WorkspaceRole", role_name);
}

static void
bind_namespace(const char *subject, unsigned ns, const char *role)
{
    char name[100];
    char ns_name[64];
    char shared[64];

    (void)snprintf(ns_name, sizeof(ns_name), "project-%u", ns);
    (void)snprintf(name, sizeof(name), "%s-%s", subject, role);
    (void)snprintf(shared, sizeof(shared), "ns-%s", role);
    add_binding(IAM("RoleBinding"), ns_name, name, "", "User", subject,
                size.roles > 0 ? "Role" : "ClusterRole", size.roles > 0 ? role : shared);
}

static void
add_bindings(void)
{
    size_t before = world.n;
    char user[64];

    add_binding(IAM("GlobalRoleBinding"), "", "authenticated", "", "Group", "system:authenticated",
                "GlobalRole", "authenticated");
    for (unsigned g = 0; g < 50; g++) {
        (void)snprintf(user, sizeof(user), "group-%u", g);
        bind_workspace("Group", user, g * 19 % size.workspaces, "regular");
    }
    for (unsigned u = 0; u < size.users; u++) {
        (void)snprintf(user, sizeof(user), "user-%u", u);
        add_binding(IAM("GlobalRoleBinding"), "", user, "", "User", user, "GlobalRole",
                    u == 0 ? "platform-admin" : "platform-regular");
        for (unsigned i = 0; i < 3; i++) {
            bind_workspace("User", user, workspace_of(u, i), ws_roles[(u + i) % 4]);
        }
        if (u % 1000 == 1) {
            add_binding(IAM("ClusterRoleBinding"), "", user, "", "User", user, "ClusterRole",
                        "cluster-viewer");
        }
    }
    for (unsigned i = 0; world.n - before < size.bindings; i++) {
        unsigned u = i % size.users;

        (void)snprintf(user, sizeof(user), "user-%u", u);
        bind_namespace(user,
                       (workspace_of(u, i / size.users % 3) + size.workspaces * (u % 20)) %
                           size.namespaces,
                       ns_roles[(u + i / size.users) % 3]);
    }
}

static void
make_world(void)
{
    char name[64];
    char spec[200];

    state = 88172645463325252ULL + size.seed;
    gw_object_on_check(NULL);
    for (unsigned u = 0; u < size.users; u++) {
        (void)snprintf(name, sizeof(name), "user-%u", u);
        (void)snprintf(spec, sizeof(spec),
                       "\"spec\":{\"email\":\"%s@example.org\",\"lang\":\"en\"},\"status\":{"
                       "\"state\":\"Active\"}",
                       name);
        add(IAM("User"), "", name, "", spec);
    }
    add_shared_roles();
    add_places();
    add_bindings();
}

/* ---- into a registry ---------------------------------------------------------------------- */

static int
make(const char *path)
{
    struct gw_diag diag = {0};
    struct gw_db *db = gw_db_open(path, &diag);

    if (db == NULL) {
        (void)fprintf(stderr, "rbac: %s\n", gw_diag_first(&diag));
        return 1;
    }
    for (size_t i = 0; i < world.n; i++) {
        struct gw_store_put put = {.object = world.items[i], .when = GW_WHEN_ANY};
        struct gw_store_answer answer;

        gw_db_put(db, &put, &answer);
        if (answer.result != GW_STORE_OK) {
            (void)fprintf(stderr, "rbac: %s\n", answer.text);
            return 1;
        }
    }
    gw_db_close(db);
    (void)printf("%zu\n", world.n);
    return 0;
}

/* ---- decisions ---------------------------------------------------------------------------- */

static double
now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double
heap_mb(void)
{
    struct mallinfo2 m = mallinfo2();

    return (double)(m.uordblks + m.hblkhd) / 1e6;
}

static int
compare(const void *a, const void *b)
{
    const double *x = a;
    const double *y = b;

    return (*x > *y) - (*x < *y);
}

static void
say(const char *what, double *ns, size_t n)
{
    qsort(ns, n, sizeof(*ns), compare);
    (void)printf("%-34s %8.0f ns  p99 %8.0f ns\n", what, ns[n / 2], ns[n * 99 / 100]);
}

struct question {
    char user[32], group[32], ns[32];
    struct gw_str groups[3];
    struct gw_subject subject;
    struct gw_request_info info;
};

/* Four of five ask for a namespace of a workspace of theirs. */
static void
ask_anew(struct question *q)
{
    static const char *const verbs[] = {"get", "list", "watch", "create", "delete"};
    static const char *const groups[] = {"", "apps", "devops.kubesphere.io"};
    static const char *const resources[] = {"configmaps", "deployments", "pipelines", "secrets"};
    unsigned u = 1 + draw(size.users - 1);
    unsigned w = draw(5) == 0 ? draw(size.workspaces) : workspace_of(u, draw(3));

    (void)snprintf(q->user, sizeof(q->user), "user-%u", u);
    (void)snprintf(q->group, sizeof(q->group), "group-%u", u % 60);
    (void)snprintf(q->ns, sizeof(q->ns), "project-%u",
                   w + size.workspaces * draw(size.namespaces / size.workspaces));
    q->groups[0] = GW_STR("system:authenticated");
    q->groups[1] = gw_str_of(q->group);
    q->groups[2] = GW_STR("everybody");
    q->subject =
        (struct gw_subject){.name = gw_str_of(q->user), .groups = q->groups, .n_groups = 3};
    q->info = (struct gw_request_info){.verb = gw_str_of(verbs[draw(5)]),
                                       .api_prefix = GW_STR("apis"),
                                       .api_group = gw_str_of(groups[draw(3)]),
                                       .api_version = GW_STR("v1"),
                                       .ns = gw_str_of(q->ns),
                                       .resource = gw_str_of(resources[draw(4)]),
                                       .scope = GW_STR("Namespace"),
                                       .path = GW_STR("/apis/x/v1/namespaces/x/things"),
                                       .is_resource = true,
                                       .is_kubernetes = true};
}

static unsigned allowed;
static unsigned decided;

static void
decide(const struct gw_rbac_index *x, struct gw_arena *a, const struct question *q)
{
    decided++;
    allowed += gw_rbac_decide(x, a, &q->subject, &q->info, GW_STR("")).allowed;
}

static void
measure_hot(const struct gw_rbac_index *x)
{
    double *ns = gw_mem_alloc(2000 * sizeof(*ns));

    for (size_t i = 0; i < 2000; i++) {
        struct gw_arena *a = gw_arena_new();
        struct question q;

        ask_anew(&q);
        for (unsigned k = 0; k < 20; k++) {
            decide(x, a, &q);
        }
        double start = now_ns();
        for (unsigned k = 0; k < 50; k++) {
            decide(x, a, &q);
        }
        ns[i] = (now_ns() - start) / 50;
        gw_arena_free(a);
    }
    say("hot: the same again", ns, 2000);
    free(ns);
}

static void
measure_random(const struct gw_rbac_index *x)
{
    enum {
        N = 100000
    };
    double *ns = gw_mem_alloc(N * sizeof(*ns));

    for (size_t i = 0; i < N; i++) {
        struct gw_arena *a = gw_arena_new();
        struct question q;

        ask_anew(&q);
        double start = now_ns();
        decide(x, a, &q);
        ns[i] = now_ns() - start;
        gw_arena_free(a);
    }
    say("another subject and place", ns, N);
    free(ns);
}

/* After other memory than the caches hold was written to.  `code`: and then another decision was
 * made, as in a gateway that is at work. */
static void
measure_cold(const struct gw_rbac_index *x, const char *what, bool code)
{
    double *ns = gw_mem_alloc(size.cold * sizeof(*ns));
    unsigned char *other = gw_mem_alloc(COLD_BYTES);

    for (size_t i = 0; i < size.cold; i++) {
        struct gw_arena *a = gw_arena_new();
        struct question before;
        struct question q;

        for (size_t k = 0; k < COLD_BYTES; k += 64) {
            ((volatile unsigned char *)other)[k]++;
        }
        ask_anew(&before);
        ask_anew(&q); /* a request's own text is in the cache, and so is its arena */
        (void)memset(gw_arena_raw(a, 1024), 0, 1024);
        if (code) {
            decide(x, a, &before);
        }
        double start = now_ns();
        decide(x, a, &q);
        ns[i] = now_ns() - start;
        gw_arena_free(a);
    }
    say(what, ns, size.cold);
    free(other);
    free(ns);
}

static struct gw_batch *
compile_world(struct gw_gathered *g)
{
    struct gw_change *changes = gw_mem_alloc((world.n + 1) * sizeof(*changes));

    for (size_t i = 0; i < world.n; i++) {
        changes[i] = (struct gw_change){
            .key = world.items[i]->key, .object = world.items[i], .revision = i + 1};
    }
    double start = now_ns();
    struct gw_batch *b = gw_batch_compile(g, changes, world.n, world.n, true, NULL);
    (void)printf("%-34s %8.0f ms\n", "control compiles all", (now_ns() - start) / 1e6);
    free(changes);
    return b;
}

/* A binding's object again and again, as another one. */
static void
measure_change(struct gw_gathered *g, struct gw_world *w, const char *what, const char *kind)
{
    double *compile = gw_mem_alloc(200 * sizeof(*compile));
    double *apply = gw_mem_alloc(200 * sizeof(*apply));

    for (size_t i = 0; i < 200; i++) {
        size_t at = draw((unsigned)world.n);

        while (strcmp(world.items[at]->kind->kind, kind) != 0) {
            at = (at + 1) % world.n;
        }
        struct gw_object *o = world.items[at];
        struct gw_change c = {.key = o->key, .object = o, .before = o, .revision = world.n + i};
        double start = now_ns();
        struct gw_batch *b = gw_batch_compile(g, &c, 1, c.revision, false, NULL);
        compile[i] = now_ns() - start;
        start = now_ns();
        gw_world_apply(w, b);
        apply[i] = now_ns() - start;
        gw_batch_unref(b);
    }
    (void)printf("%s:\n", what);
    say("  control", compile, 200);
    say("  worker", apply, 200);
    free(compile);
    free(apply);
}

static int
measure(void)
{
    struct gw_gathered *g = gw_gathered_new();
    double objects_mb = heap_mb();
    struct gw_batch *b = compile_world(g);
    double pieces_mb = heap_mb();
    struct gw_world *w[2];

    for (unsigned i = 0; i < 2; i++) {
        w[i] = gw_world_new(i, NULL, NULL, 0);
        double start = now_ns();
        gw_world_apply(w[i], b);
        (void)printf("%-34s %8.2f ms\n", "a worker takes it over", (now_ns() - start) / 1e6);
    }
    double all_mb = heap_mb();
    gw_batch_unref(b);
    (void)printf("%-34s %8.1f MB, %.1f MB for each worker; %.1f MB when the batch is gone\n",
                 "memory of what is compiled", pieces_mb - objects_mb, (all_mb - pieces_mb) / 2,
                 heap_mb() - objects_mb);
    const struct gw_rbac_index *x = gw_world_index(w[0], gw_mod_rbac.views[0]);
    measure_hot(x);
    measure_random(x);
    measure_cold(x, "cold: its data is in no cache", true);
    measure_cold(x, "cold: and the code neither", false);
    (void)printf("%-34s %8.1f %%\n", "allowed", (double)allowed * 100 / decided);
    measure_change(g, w[0], "a changed RoleBinding", "RoleBinding");
    measure_change(g, w[0], "a changed WorkspaceRole", "WorkspaceRole");
    for (unsigned i = 0; i < 2; i++) {
        gw_world_free(w[i]);
    }
    gw_gathered_free(g);
    return 0;
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *name;
        unsigned *at;
    } options[] = {
        {"--users", &size.users},
        {"--workspaces", &size.workspaces},
        {"--namespaces", &size.namespaces},
        {"--bindings", &size.bindings},
        {"--roles", &size.roles},
        {"--seed", &size.seed},
        {"--cold", &size.cold},
    };
    int at = argc > 1 && strcmp(argv[1], "make") == 0 ? 3 : 2;

    for (int i = at; i + 1 < argc; i += 2) {
        for (size_t k = 0; k < sizeof(options) / sizeof(options[0]); k++) {
            if (strcmp(argv[i], options[k].name) == 0) {
                *options[k].at = (unsigned)strtoul(argv[i + 1], NULL, 10);
            }
        }
    }
    if (argc < at) {
        (void)fprintf(stderr, "rbac make FILE | rbac decide [--users N ...]\n");
        return 2;
    }
    make_world();
    int code = at == 3 ? make(argv[2]) : measure();
    gw_objects_fini(&world);
    return code;
}
