/*
 * draw.c - random worlds, questions and what the model answers, as JSON, for t/41-worlds.t:
 *
 *     draw SEED WORLDS QUESTIONS BACKEND
 *
 * For each world a line {"objects": [...]}, then a line for each question: {"method", "url",
 * "user": {"name", "groups"}, "expect": {...}} with the members that `ksgate explain` has, and
 * "orStatus", another status that would do.
 */
#include "t/lib/model_extensions.h"
#include "t/lib/model_gateway.h"

#define OBJECTS 120

static json_t *
rule_of(const struct model_answer *a)
{
    json_t *rule =
        json_pack("{s:s, s:s, s:s, s:s}", "bindingKind", model_kind(a->binding), "binding",
                  model_name(a->binding), "kind", model_at(a->binding, "roleRef", "kind", NULL),
                  "name", model_at(a->binding, "roleRef", "name", NULL));

    if (a->template != NULL) {
        json_object_set_new(rule, "template", json_string(model_name(a->template)));
    }
    if (a->rule == MODEL_BY_POLICY) {
        json_object_set_new(rule, "policy", json_true());
    } else {
        json_object_set_new(rule, "index", json_integer(a->rule));
    }
    return rule;
}

static json_t *
expectation(const json_t *world, const struct model_asked *q)
{
    struct model_outcome o = model_answer_to(world, &q->who, q->method, q->url);
    bool by_role = o.answer.binding != NULL;
    char reason[MODEL_REASON] = "";

    if (by_role) {
        model_reason(&q->who, &o.answer, reason);
    }
    json_t *e = json_pack("{s:i, s:i, s:s, s:s, s:o}", "status", o.status, "orStatus", o.or_status,
                          "decision", o.allowed ? "allow" : "deny", "reason", reason, "rule",
                          by_role ? rule_of(&o.answer) : json_null());
    if (o.policy[0] != '\0') {
        json_object_set_new(e, "policy", json_string(o.policy));
    }
    return e;
}

/* As a token makes it: who is known is in system:authenticated, but a service account in no
 * group at all (kubesphere.md, 5.3). */
static void
set_groups(struct model_who *who)
{
    size_t n = 0;

    if (model_is(who->name, "system:anonymous")) {
        who->groups[0] = "system:unauthenticated";
        who->groups[1] = NULL;
        return;
    }
    if (model_starts(who->name, "kubesphere:serviceaccount:")) {
        who->groups[0] = NULL;
        return;
    }
    for (size_t k = 0; k < 4 && who->groups[k] != NULL; k++) {
        if (!model_starts(who->groups[k], "system:")) {
            who->groups[n++] = who->groups[k];
        }
    }
    who->groups[n] = "system:authenticated";
    who->groups[n + 1] = NULL;
}

static void
print_line(json_t *line)
{
    char *text = json_dumps(line, JSON_COMPACT);

    (void)puts(text);
    free(text);
    json_decref(line);
}

static void
draw_question(struct model_random *r, const json_t *world)
{
    struct model_asked q = model_random_question(r, world);
    json_t *groups = json_array();

    model_to_extension(r, &q);
    set_groups(&q.who);
    for (size_t k = 0; k < 4 && q.who.groups[k] != NULL; k++) {
        (void)json_array_append_new(groups, json_string(q.who.groups[k]));
    }
    print_line(json_pack("{s:s, s:s, s:{s:s, s:o}, s:o}", "method", q.method, "url", q.url, "user",
                         "name", q.who.name, "groups", groups, "expect", expectation(world, &q)));
}

int
main(int argc, char **argv)
{
    if (argc != 5) {
        (void)fputs("usage: draw SEED WORLDS QUESTIONS BACKEND\n", stderr);
        return 2;
    }
    unsigned long worlds = strtoul(argv[2], NULL, 10);
    unsigned long questions = strtoul(argv[3], NULL, 10);
    struct model_random r = {strtoul(argv[1], NULL, 10)};

    for (unsigned long w = 0; w < worlds; w++) {
        json_t *world = json_array();

        for (unsigned i = 0; i < OBJECTS; i++) {
            model_world_put(world, model_random_object(&r));
        }
        model_random_extensions(&r, world, argv[4]);
        print_line(json_pack("{s:O}", "objects", world));
        for (unsigned long i = 0; i < questions; i++) {
            draw_question(&r, world);
        }
        json_decref(world);
    }
    return 0;
}
