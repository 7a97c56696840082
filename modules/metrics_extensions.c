/* metrics_extensions.c - the extensions that have counts of their own: those that are registered.
 */
#include "base/map.h"
#include "modules/ext_index.h"
#include "modules/ext_sides.h"
#include "modules/metrics_counts.h"

#define SWEEP_MS 5000

/* -- a place in the list ------------------------------------------------------------------------
 *
 * Read by other threads while it changes hands: by the version, as a seqlock.  Each store of the
 * owner's releases what it stored before, so that who has seen one of them sees the version, too.
 */

static void
give_place(struct gw_metrics_extension *x, struct gw_str name)
{
    for (size_t i = 0; i < name.n; i++) {
        atomic_store_explicit(&x->name.shared[i], name.p[i], memory_order_release);
    }
    atomic_store_explicit(&x->name.shared[name.n], '\0', memory_order_release);
    for (unsigned k = 0; k < GW_METRICS_OF_EXTENSION; k++) {
        atomic_store_explicit(&x->counts[k], 0, memory_order_release);
    }
    atomic_store_explicit(&x->version, x->version + 1, memory_order_release); /* even */
}

static struct gw_str
name_of(const struct gw_metrics_extension *x)
{
    return gw_str_of(x->name.own);
}

bool
gw_metrics_extension_read(const struct gw_metrics_extension *x, char name[GW_METRICS_NAME],
                          unsigned long long counts[GW_METRICS_OF_EXTENSION])
{
    unsigned version = atomic_load_explicit(&x->version, memory_order_acquire);
    size_t n = 0;

    do {
        name[n] = atomic_load_explicit(&x->name.shared[n], memory_order_acquire);
    } while (name[n] != '\0' && ++n < GW_METRICS_NAME - 1);
    name[n] = '\0';
    for (unsigned k = 0; k < GW_METRICS_OF_EXTENSION; k++) {
        counts[k] = atomic_load_explicit(&x->counts[k], memory_order_acquire);
    }
    return version % 2 == 0 && version == atomic_load_explicit(&x->version, memory_order_relaxed);
}

/* -- the table that finds them ------------------------------------------------------------------
 */

#define NEXT(at) (((at) + 1) & (GW_METRICS_PLACES - 1))

static unsigned short
tag_of(uint64_t hash)
{
    return (unsigned short)(hash >> 48);
}

/* Where the name is, or would be. */
static size_t
find(const struct gw_metrics_counts *c, struct gw_str name, uint64_t hash)
{
    size_t at = (size_t)hash & (GW_METRICS_PLACES - 1);

    while (c->places[at].index != 0 &&
           (c->places[at].tag != tag_of(hash) ||
            !gw_str_eq(name, name_of(&c->extensions[c->places[at].index - 1])))) {
        at = NEXT(at);
    }
    return at;
}

/* Those behind it that would no longer be found move up. */
static void
take_out(struct gw_metrics_counts *c, size_t hole)
{
    for (size_t at = NEXT(hole); c->places[at].index != 0; at = NEXT(at)) {
        size_t home = (size_t)gw_hash(name_of(&c->extensions[c->places[at].index - 1]));

        if (((at - home) & (GW_METRICS_PLACES - 1)) >= ((at - hole) & (GW_METRICS_PLACES - 1))) {
            c->places[hole] = c->places[at];
            hole = at;
        }
    }
    c->places[hole] = (struct gw_metrics_place){0};
}

/* -- who comes and goes -------------------------------------------------------------------------
 */

/* "extension", or "extension\nversion": of a version that its spec tells apart. */
static bool
is_registered(const struct gw_metrics_counts *c, struct gw_str name)
{
    struct gw_str version = name;
    struct gw_str extension = gw_str_cut(&version, '\n');
    const struct gw_ext_route *r = gw_ext_index_find(c->world, extension);

    return r != NULL &&
           (extension.n == name.n || (r->split != NULL && gw_ext_sides_have(r->split, name)));
}

static void
forget(struct gw_metrics_counts *c, unsigned i)
{
    struct gw_metrics_extension *x = &c->extensions[i];

    take_out(c, find(c, name_of(x), gw_hash(name_of(x))));
    atomic_store_explicit(&x->version, x->version + 1, memory_order_release); /* odd */
    x->next_free = c->free;
    c->free = (unsigned short)(i + 1);
    c->n_live--;
}

/* All workers at the same time: a sum of which one has gone would look like a counter that was
 * reset. */
static void
set_sweep(struct gw_metrics_counts *c)
{
    uint64_t now = gw_world_now_ms(c->world);

    gw_wheel_set(gw_world_wheel(c->world), &c->sweep, now - now % SWEEP_MS + SWEEP_MS);
}

static void
sweep(struct gw_timer *timer)
{
    struct gw_metrics_counts *c =
        (struct gw_metrics_counts *)((char *)timer - offsetof(struct gw_metrics_counts, sweep));
    unsigned n = atomic_load_explicit(&c->n_extensions, memory_order_relaxed);

    for (unsigned i = 0; i < n; i++) {
        if (c->extensions[i].version % 2 == 0 && !is_registered(c, name_of(&c->extensions[i]))) {
            forget(c, i);
        }
    }
    if (c->n_live > 0) {
        set_sweep(c);
    }
}

static bool
is_full(const struct gw_metrics_counts *c)
{
    return c->n_live == GW_METRICS_EXTENSIONS;
}

static struct gw_metrics_extension *
new_place(struct gw_metrics_counts *c)
{
    unsigned n = atomic_load_explicit(&c->n_extensions, memory_order_relaxed);

    if (c->free != 0) {
        struct gw_metrics_extension *x = &c->extensions[c->free - 1];

        c->free = x->next_free;
        return x;
    }
    c->extensions[n].version = 1;
    atomic_store_explicit(&c->n_extensions, n + 1, memory_order_release);
    return &c->extensions[n];
}

struct gw_metrics_extension *
gw_metrics_extension(struct gw_metrics_counts *c, struct gw_str name)
{
    uint64_t hash = gw_hash(name);
    size_t at = find(c, name, hash);

    if (c->places[at].index != 0) {
        return &c->extensions[c->places[at].index - 1];
    }
    /* With very many extensions that is each request's way: the index is not asked for nothing. */
    if (is_full(c) || name.n >= GW_METRICS_NAME || !is_registered(c, name)) {
        return &c->extensions[GW_METRICS_EXTENSIONS];
    }
    struct gw_metrics_extension *x = new_place(c);
    give_place(x, name);
    c->places[at] = (struct gw_metrics_place){.index = (unsigned short)(x - c->extensions + 1),
                                              .tag = tag_of(hash)};
    c->n_live++;
    if (!gw_wheel_is_set(&c->sweep)) {
        c->sweep.fire = sweep;
        set_sweep(c);
    }
    return x;
}
