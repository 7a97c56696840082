/* edits.c - changes to a message's headers, collected while the plan is walked. */
#include "gateway/req.h"

void
gw_edits_remove(struct gw_req *req, struct gw_edits *e, struct gw_str name)
{
    if (e->n_remove == e->size_remove) {
        e->size_remove = e->size_remove == 0 ? 8 : e->size_remove * 2;
        e->remove = gw_arena_more(req->arena, e->remove, e->n_remove * sizeof(*e->remove),
                                  e->size_remove * sizeof(*e->remove));
    }
    e->remove[e->n_remove++] = name;
}

void
gw_edits_add(struct gw_req *req, struct gw_edits *e, struct gw_str name, struct gw_str value)
{
    if (e->n_add == e->size_add) {
        e->size_add = e->size_add == 0 ? 8 : e->size_add * 2;
        e->add = gw_arena_more(req->arena, e->add, e->n_add * sizeof(*e->add),
                               e->size_add * sizeof(*e->add));
    }
    e->add[e->n_add++] = (struct gw_edit){.name = name, .value = value};
}

void
gw_edits_set(struct gw_req *req, struct gw_edits *e, struct gw_str name, struct gw_str value)
{
    gw_edits_remove(req, e, name);
    gw_edits_add(req, e, name, value);
}

/* A rule "x-remote-*" removes by prefix. */
static bool
rule_hits(struct gw_str rule, struct gw_str name)
{
    if (rule.n > 0 && rule.p[rule.n - 1] == '*') {
        return gw_str_has_prefix_nocase(name, (struct gw_str){rule.p, rule.n - 1});
    }
    return gw_str_eq_nocase(rule, name);
}

bool
gw_edits_removes(const struct gw_edits *e, struct gw_str name)
{
    for (unsigned i = 0; i < e->n_remove; i++) {
        if (rule_hits(e->remove[i], name)) {
            return true;
        }
    }
    return false;
}
