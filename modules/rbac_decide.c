#include "modules/rbac_decide.h"
#include "modules/rbac_register.h"

/* One way through a subject's bindings. */
struct walk {
    const struct gw_rbac_index *index;
    const struct gw_subject *subject;
    const struct gw_request_info *where; /* decides which bindings apply */
    struct gw_request_info what;         /* decides which rules match */
    struct gw_rbac_sieve_key sieve;      /* of `what` */
    bool use;                            /* what is `use` of an extension */
    bool by_name;                        /* only a rule that names the verb counts */
    /* Is the role what we look for?  Then the walk ends there. */
    bool (*asks)(struct walk *w, const struct gw_rbac_role *role);
    struct gw_rbac_found found;
    /* what came of it */
    const struct gw_rbac_binding *binding;
    const struct gw_rbac_role *template; /* of the binding's role, or NULL: that itself */
    int rule;
    bool ended;                             /* at a binding whose role is of no known kind */
    bool no_ns;                             /* the namespace is not known */
    bool elsewhere;                         /* it is not of the workspace that the path names */
    const struct gw_rbac_binding *dangling; /* its role is missing; the last one */
    unsigned seen;                          /* bindings that applied */
};

static bool
names_verb(const struct gw_rbac_rule *rule, struct gw_str verb)
{
    for (unsigned i = 0; i < rule->verbs.n; i++) {
        if (gw_str_eq(rule->verbs.list[i], verb)) {
            return true;
        }
    }
    return false;
}

/* "All of this workspace" (`*`, as its administrators have it) does not mean "all of each
 * extension, also what is of no workspace": there, `use` has to be said. */
static bool
role_names_use(struct walk *w, const struct gw_rbac_role *role)
{
    for (unsigned i = 0; i < role->n_rules; i++) {
        if (gw_rbac_sieve_lets(&role->sieves[i], &w->sieve) &&
            names_verb(&role->rules[i], w->what.verb) &&
            gw_rbac_rule_allows(&role->rules[i], &w->what)) {
            w->rule = (int)i;
            return true;
        }
    }
    return false;
}

static bool
role_allows(struct walk *w, const struct gw_rbac_role *role)
{
    if (w->by_name) {
        return role_names_use(w, role);
    }
    if (gw_rbac_policy_allows(&role->policy, &w->what, w->subject->name)) {
        w->rule = GW_RBAC_BY_POLICY;
        return true;
    }
    for (unsigned i = 0; i < role->n_rules; i++) {
        if (gw_rbac_sieve_lets(&role->sieves[i], &w->sieve) &&
            gw_rbac_rule_allows(&role->rules[i], &w->what)) {
            w->rule = (int)i;
            return true;
        }
    }
    return false;
}

static bool
role_reaches(struct walk *w, const struct gw_rbac_role *role)
{
    for (unsigned i = 0; i < role->n_rules; i++) {
        if (role->rules[i].verbs.n > 0 && gw_rbac_rule_reaches(&role->rules[i], &w->what)) {
            w->rule = (int)i;
            return true;
        }
    }
    return false;
}

/* The role itself, or one of the templates that it takes in. */
static bool
asks_role(struct walk *w, const struct gw_rbac_role *role)
{
    w->template = NULL;
    if (w->asks(w, role)) {
        return true;
    }
    const struct gw_rbac_shelf *taken = gw_rbac_index_taken(w->index, role);
    for (unsigned i = 0; taken != NULL && i < taken->n; i++) {
        if (w->asks(w, taken->list[i])) {
            w->template = taken->list[i];
            return true;
        }
    }
    return false;
}

static bool
at_level(struct walk *w, enum gw_rbac_level level, const struct gw_str *place)
{
    const struct gw_rbac_binding *b;

    w->by_name = w->use && level == GW_RBAC_WORKSPACE;
    gw_rbac_found_start(&w->found, level, place);
    while ((b = gw_rbac_found_next(&w->found)) != NULL) {
        if (level == GW_RBAC_WORKSPACE && b->place.n == 0) {
            continue; /* of no workspace, so it gives nothing anywhere */
        }
        w->seen++;
        if (!b->role_kind_known) {
            w->ended = level != GW_RBAC_GLOBAL && !w->use;
            if (w->ended) {
                return false;
            }
            continue;
        }
        const struct gw_rbac_role *role = gw_rbac_index_role_of(w->index, b);
        if (w->use) {
            w->what.workspace = level == GW_RBAC_WORKSPACE ? b->place : GW_STR("");
        }
        if (role == NULL) {
            w->dangling = b;
        } else if (asks_role(w, role)) {
            w->binding = b;
            return true;
        }
    }
    return false;
}

/* The workspace that the request is in; empty when in none.  False: there is no telling. */
static bool
workspace_of(struct walk *w, struct gw_str *out)
{
    const struct gw_request_info *where = w->where;
    bool in_ns = gw_str_eq(where->scope, GW_STR("Namespace"));
    bool in_ws = gw_str_eq(where->scope, GW_STR("Workspace"));
    const struct gw_rbac_namespace *ns =
        where->ns.n > 0 || in_ns ? gw_rbac_index_namespace(w->index, where->ns) : NULL;

    *out = GW_STR("");
    if (in_ns) {
        w->no_ns = ns == NULL;
        w->elsewhere =
            ns != NULL && where->workspace.n > 0 && !gw_str_eq(ns->workspace, where->workspace);
        *out = ns == NULL || w->elsewhere ? *out : ns->workspace;
    } else if (in_ws &&
               (where->ns.n == 0 || (ns != NULL && gw_str_eq(ns->workspace, where->workspace)))) {
        /* Rights in a workspace don't reach into a namespace of another one. */
        *out = where->workspace;
    }
    return !w->no_ns;
}

static bool
walk(struct walk *w)
{
    const struct gw_str nowhere = GW_STR("");
    struct gw_str workspace;

    w->what.scope = w->use ? GW_STR("Cluster") : w->where->scope;
    if (at_level(w, GW_RBAC_GLOBAL, &nowhere)) {
        return true;
    }
    if (gw_str_eq(w->where->scope, GW_STR("Global")) || !workspace_of(w, &workspace)) {
        return false;
    }
    /* Whoever may use an extension in one workspace may load its pages, which are of none. */
    bool anywhere = w->use && !w->where->is_resource;
    if (anywhere || workspace.n > 0) {
        w->what.scope = w->use ? GW_STR("Workspace") : w->what.scope;
        if (at_level(w, GW_RBAC_WORKSPACE, anywhere ? NULL : &workspace)) {
            return true;
        }
    }
    if (!w->ended && !w->use && !w->elsewhere && gw_str_eq(w->where->scope, GW_STR("Namespace")) &&
        at_level(w, GW_RBAC_NS, &w->where->ns)) {
        return true;
    }
    w->what.scope = w->use ? GW_STR("Cluster") : w->what.scope;
    return !w->ended && at_level(w, GW_RBAC_CLUSTER, &nowhere);
}

static void
walk_init(struct walk *w, const struct gw_rbac_index *x, struct gw_arena *a,
          const struct gw_subject *subject, const struct gw_request_info *info)
{
    *w = (struct walk){
        .index = x, .subject = subject, .where = info, .what = *info, .asks = role_allows};
    gw_rbac_sieve_of_request(&w->sieve, info);
    gw_rbac_index_find(x, a, subject, &w->found);
}

static struct gw_rbac_grant
grant_of(const struct walk *w, bool allowed)
{
    return (struct gw_rbac_grant){
        .allowed = allowed, .binding = w->binding, .template = w->template, .rule = w->rule};
}

/* The same question by another name of what is asked. */
static bool
walk_as(struct walk *w, const struct gw_request_info *what)
{
    w->ended = false; /* that was the other question's end */
    w->what = *what;
    gw_rbac_sieve_of_request(&w->sieve, what);
    return walk(w);
}

struct gw_rbac_grant
gw_rbac_decide(const struct gw_rbac_index *x, struct gw_arena *a, const struct gw_subject *subject,
               const struct gw_request_info *info, struct gw_str extension)
{
    struct gw_request_info other;
    struct walk w;

    walk_init(&w, x, a, subject, info);
    if (w.found.n == 0) {
        return (struct gw_rbac_grant){0};
    }
    bool allowed = walk(&w);
    if (!allowed && extension.n > 0) {
        w.use = true;
        other = (struct gw_request_info){
            .verb = GW_STR("use"),
            .api_group = GW_STR("ksgate.io"),
            .api_version = GW_STR("v1"),
            .resource = GW_STR("extensionservices"),
            .name = extension,
            .path = info->path,
            .is_resource = true,
        };
        allowed = walk_as(&w, &other);
    } else if (!allowed && gw_rbac_register_verb(info, &other)) {
        allowed = walk_as(&w, &other);
    }
    return grant_of(&w, allowed);
}

/* ---- words for people --------------------------------------------------------------------- */

static struct gw_str
say_reached(struct gw_arena *a, const struct walk *w)
{
    const struct gw_rbac_role *role =
        w->template != NULL ? w->template : gw_rbac_index_role_of(w->index, w->binding);
    const struct gw_rbac_words *verbs = &role->rules[w->rule].verbs;
    struct gw_buf out = {0};

    for (unsigned i = 0; i < verbs->n; i++) {
        gw_buf_printf(&out, "%s%.*s", i == 0 ? "" : ", ", GW_STR_ARG(verbs->list[i]));
    }
    gw_buf_printf(&out, " %s allowed by %s \"%s\" (%s \"%s\"); asked was ",
                  verbs->n == 1 ? "is" : "are", w->binding->role_kind, w->binding->role_name,
                  w->binding->object.kind, w->binding->object.name);
    gw_buf_str(&out, w->what.verb.n > 0 ? w->what.verb : GW_STR("a method without a verb"));
    struct gw_str text = gw_arena_str(a, gw_buf_text(&out));
    gw_buf_fini(&out);
    return text;
}

struct gw_str
gw_rbac_nearest(const struct gw_rbac_index *x, struct gw_arena *a, const struct gw_subject *subject,
                const struct gw_request_info *info)
{
    struct gw_request_info registration;
    struct walk w;

    walk_init(&w, x, a, subject, gw_rbac_register_verb(info, &registration) ? &registration : info);
    w.asks = role_reaches;
    if (walk(&w)) {
        return say_reached(a, &w);
    }
    if (w.no_ns) {
        return gw_str_of(
            gw_arena_printf(a, "the namespace \"%.*s\" is not known here", GW_STR_ARG(info->ns)));
    }
    if (w.ended) {
        return GW_STR("a binding whose roleRef is of no known kind ended the search");
    }
    if (w.dangling != NULL) {
        return gw_str_of(gw_arena_printf(a, "%s \"%s\" names %s \"%s\", which is not known here",
                                         w.dangling->object.kind, w.dangling->object.name,
                                         w.dangling->role_kind, w.dangling->role_name));
    }
    return w.seen == 0 ? GW_STR("no binding of the caller applies here")
                       : GW_STR("no rule of the caller's roles covers this");
}
