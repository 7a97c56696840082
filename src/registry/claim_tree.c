#include "registry/claim_tree.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

/* The text of a node is that of the way to it, its own label last. */
struct gw_claim_node {
    struct gw_claim_node *parent;
    struct gw_claim_node **children; /* by their first byte */
    struct gw_claim_group **groups;  /* of the claims that end here, by order() */
    unsigned n_groups;
    unsigned n_children;
    unsigned n_label;
    char label[];
};

static struct gw_claim_node *
new_node(struct gw_str label)
{
    struct gw_claim_node *node = gw_mem_alloc(sizeof(*node) + label.n);

    node->n_label = (unsigned)label.n;
    if (label.n > 0) {
        memcpy(node->label, label.p, label.n);
    }
    return node;
}

static struct gw_str
label_of(const struct gw_claim_node *node)
{
    return (struct gw_str){node->label, node->n_label};
}

/* Where the child that begins with this byte is, or would be. */
static unsigned
place_of(const struct gw_claim_node *node, char first)
{
    unsigned low = 0;
    unsigned high = node->n_children;

    while (low < high) {
        unsigned mid = (low + high) / 2;

        if ((unsigned char)node->children[mid]->label[0] < (unsigned char)first) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

static struct gw_claim_node *
child_of(const struct gw_claim_node *node, struct gw_str text)
{
    unsigned at = text.n == 0 ? node->n_children : place_of(node, text.p[0]);

    return at < node->n_children && node->children[at]->label[0] == text.p[0] ? node->children[at]
                                                                              : NULL;
}

static void
add_child(struct gw_claim_node *node, struct gw_claim_node *child)
{
    unsigned at = place_of(node, child->label[0]);

    node->children =
        gw_mem_resize(node->children, (node->n_children + 1) * sizeof(struct gw_claim_node *));
    for (unsigned i = node->n_children++; i > at; i--) {
        node->children[i] = node->children[i - 1];
    }
    node->children[at] = child;
    child->parent = node;
}

static size_t
common(struct gw_str a, struct gw_str b)
{
    size_t n = 0;

    while (n < a.n && n < b.n && a.p[n] == b.p[n]) {
        n++;
    }
    return n;
}

/* A node in the middle of the child's label, which it takes the child's place with. */
static struct gw_claim_node *
split(struct gw_claim_node *child, size_t at)
{
    struct gw_claim_node *parent = child->parent;
    struct gw_claim_node *middle = new_node((struct gw_str){child->label, at});

    parent->children[place_of(parent, child->label[0])] = middle;
    middle->parent = parent;
    child->n_label -= (unsigned)at;
    memmove(child->label, child->label + at, child->n_label);
    add_child(middle, child);
    return middle;
}

/* The node of this text, made when there is none. */
static struct gw_claim_node *
node_for(struct gw_claim_node *node, struct gw_str rest)
{
    while (rest.n > 0) {
        struct gw_claim_node *child = child_of(node, rest);

        if (child == NULL) {
            child = new_node(rest);
            add_child(node, child);
            return child;
        }
        size_t n = common(label_of(child), rest);
        node = n < child->n_label ? split(child, n) : child;
        rest = gw_str_skip(rest, n);
    }
    return node;
}

/* ---- groups --------------------------------------------------------------------------------- */

static const struct gw_claim *
claim_of(const struct gw_claim_group *g)
{
    return (g->live != NULL ? g->live : g->held)->claim;
}

/* By their methods, then prefixes behind whole texts. */
static int
order(const struct gw_claim *a, const struct gw_claim *b)
{
    int by_method = gw_str_cmp(a->method, b->method);

    return by_method != 0 ? by_method : (int)a->prefix - (int)b->prefix;
}

/* Where the group of claims like this one is, or would be. */
static unsigned
group_place(const struct gw_claim_node *node, const struct gw_claim *like)
{
    unsigned low = 0;
    unsigned high = node->n_groups;

    while (low < high) {
        unsigned mid = (low + high) / 2;

        if (order(claim_of(node->groups[mid]), like) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

static struct gw_claim_group *
group_for(struct gw_claim_node *node, const struct gw_claim *claim)
{
    unsigned at = group_place(node, claim);

    if (at < node->n_groups && order(claim_of(node->groups[at]), claim) == 0) {
        return node->groups[at];
    }
    if ((node->n_groups & (node->n_groups - 1)) == 0) { /* room for 1, 2, 4, 8, ... */
        size_t room = node->n_groups == 0 ? 1 : (size_t)node->n_groups * 2;

        node->groups = gw_mem_resize(node->groups, room * sizeof(struct gw_claim_group *));
    }
    struct gw_claim_group *g = gw_mem_alloc(sizeof(*g));
    g->node = node;
    memmove(node->groups + at + 1, node->groups + at,
            (node->n_groups - at) * sizeof(struct gw_claim_group *));
    node->groups[at] = g;
    node->n_groups++;
    return g;
}

/* The last claim like this one is just going: its group is still found by it. */
static void
drop_group(struct gw_claim_node *node, const struct gw_claim *claim)
{
    unsigned at = group_place(node, claim);

    free(node->groups[at]);
    node->n_groups--;
    memmove(node->groups + at, node->groups + at + 1,
            (node->n_groups - at) * sizeof(struct gw_claim_group *));
}

static void
free_node(struct gw_claim_node *node)
{
    for (unsigned i = 0; i < node->n_groups; i++) {
        free(node->groups[i]);
    }
    free(node->groups);
    free(node->children);
    free(node);
}

static void
link_in(struct gw_claim_mark *m, bool live)
{
    struct gw_claim_mark **list = live ? &m->group->live : &m->group->held;

    m->next = *list;
    m->prev = list;
    if (m->next != NULL) {
        m->next->prev = &m->next;
    }
    *list = m;
}

static void
unlink_from(struct gw_claim_mark *m)
{
    *m->prev = m->next;
    if (m->next != NULL) {
        m->next->prev = m->prev;
    }
}

void
gw_claim_tree_add(struct gw_claim_tree *t, struct gw_claim_mark *m, bool live)
{
    struct gw_claim_node **root = &t->roots[m->claim->space];

    if (*root == NULL) {
        *root = new_node(GW_STR_NONE);
    }
    m->group = group_for(node_for(*root, m->claim->text), m->claim);
    link_in(m, live);
}

void
gw_claim_tree_move(struct gw_claim_mark *m, bool live)
{
    unlink_from(m);
    link_in(m, live);
}

/* Nodes of which nothing is left.  One with a single child stays as long as that: there are no more
 * of these than the child's text has bytes. */
static void
prune(struct gw_claim_node *node)
{
    while (node->parent != NULL && node->n_children == 0 && node->n_groups == 0) {
        struct gw_claim_node *parent = node->parent;

        parent->n_children--;
        for (unsigned i = place_of(parent, node->label[0]); i < parent->n_children; i++) {
            parent->children[i] = parent->children[i + 1];
        }
        free_node(node);
        node = parent;
    }
}

static bool
is_alone(const struct gw_claim_mark *m)
{
    const struct gw_claim_group *g = m->group;

    return m->next == NULL && (g->live == m ? g->held == NULL : g->held == m && g->live == NULL);
}

void
gw_claim_tree_remove(struct gw_claim_tree *t, struct gw_claim_mark *m)
{
    struct gw_claim_node *node = m->group->node;

    (void)t;
    if (is_alone(m)) {
        drop_group(node, m->claim);
        prune(node);
    } else {
        unlink_from(m);
    }
    m->group = NULL;
}

/* The next one in a walk over all that is below `top`, parents first; NULL: that was the last. */
static struct gw_claim_node *
next_below(const struct gw_claim_node *top, struct gw_claim_node *node)
{
    if (node->n_children > 0) {
        return node->children[0];
    }
    while (node != top) {
        struct gw_claim_node *parent = node->parent;
        unsigned at = place_of(parent, node->label[0]) + 1;

        if (at < parent->n_children) {
            return parent->children[at];
        }
        node = parent;
    }
    return NULL;
}

void
gw_claim_tree_fini(struct gw_claim_tree *t)
{
    for (size_t i = 0; i < GW_CLAIM_N_SPACES; i++) {
        struct gw_claim_node *node = t->roots[i];

        while (node != NULL) { /* a leaf at a time, from the end */
            while (node->n_children > 0) {
                node = node->children[--node->n_children];
            }
            struct gw_claim_node *parent = node->parent;
            free_node(node);
            node = parent;
        }
        t->roots[i] = NULL;
    }
}

/* ---- what meets ----------------------------------------------------------------------------- */

struct meeting {
    const struct gw_claim *claim;
    gw_claim_met_fn *met;
    void *arg;
};

static bool
is_any(struct gw_str method)
{
    return gw_str_eq(method, GW_STR("*"));
}

static void
tell_of_method(const struct meeting *q, const struct gw_claim_node *node, struct gw_str method)
{
    const struct gw_claim first = {.method = method};

    for (unsigned i = group_place(node, &first); i < node->n_groups; i++) {
        const struct gw_claim *claim = claim_of(node->groups[i]);

        if (!gw_str_eq(claim->method, method)) {
            return;
        }
        if (gw_claim_meets(q->claim, claim)) {
            q->met(q->arg, node->groups[i]);
        }
    }
}

static void
tell(const struct meeting *q, const struct gw_claim_node *node)
{
    if (!is_any(q->claim->method)) {
        tell_of_method(q, node, GW_STR("*"));
        tell_of_method(q, node, q->claim->method);
        return;
    }
    for (unsigned i = 0; i < node->n_groups; i++) {
        if (gw_claim_meets(q->claim, claim_of(node->groups[i]))) {
            q->met(q->arg, node->groups[i]);
        }
    }
}

void
gw_claim_tree_meet(const struct gw_claim_tree *t, const struct gw_claim *claim,
                   gw_claim_met_fn *met, void *arg)
{
    const struct meeting q = {claim, met, arg};
    struct gw_claim_node *node = t->roots[claim->space];
    struct gw_str rest = claim->text;

    /* those on the way: prefixes of ours, and ours itself */
    while (node != NULL && rest.n >= node->n_label && gw_str_has_prefix(rest, label_of(node))) {
        rest = gw_str_skip(rest, node->n_label);
        tell(&q, node);
        if (rest.n == 0) {
            break;
        }
        node = child_of(node, rest);
    }
    if (node == NULL || !claim->prefix || !gw_str_has_prefix(label_of(node), rest)) {
        return;
    }
    /* those below: what we are a prefix of.  The node itself was told when our text ended there. */
    const struct gw_claim_node *top = node;
    bool told = rest.n == 0;
    for (; node != NULL; node = next_below(top, node)) {
        if (!(told && node == top)) {
            tell(&q, node);
        }
    }
}
