#include "modules/subscriptions.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "config/schema.h"

#define NAME_MAX_BYTES 253 /* of an object's name in Kubernetes */
#define PAIR_SIZE      (2 * NAME_MAX_BYTES + 1)

/* A Subscription, compiled. */
struct subscription {
    struct gw_piece piece; /* first */
    struct gw_str pair;    /* "extension/workspace" */
    char text[];
};

/* One worker's. */
struct index {
    struct gw_map *objects; /* key to struct subscription, a reference each */
    struct gw_map *pairs;   /* to a count: several objects may say the same */
};

struct rows {
    const char *workspace, *extension;
};

/* clang-format off */
static const struct gw_setting rows[] = {
    {.name = "workspace", .set = gw_set_text, .at = offsetof(struct rows, workspace),
     .flags = GW_REQUIRED, .example = "ws1", .help = "Which workspace has it."},
    {.name = "extension", .set = gw_set_text, .at = offsetof(struct rows, extension),
     .flags = GW_REQUIRED, .example = "devops", .help = "The name of an ExtensionService."},
    {0},
};
/* clang-format on */

/* What stands in a path as one segment. */
bool
gw_subscriptions_name_ok(struct gw_str name)
{
    return name.n > 0 && name.n <= NAME_MAX_BYTES && gw_str_find(name, '/') == name.n;
}

static struct gw_str
pair_of(char buffer[PAIR_SIZE], struct gw_str extension, struct gw_str workspace)
{
    memcpy(buffer, extension.p, extension.n);
    buffer[extension.n] = '/';
    memcpy(buffer + extension.n + 1, workspace.p, workspace.n);
    return (struct gw_str){buffer, extension.n + 1 + workspace.n};
}

/* ---- objects ------------------------------------------------------------------------------ */

static bool
check_name(const char *text, const char *name, struct gw_loader *l, const json_t *spec)
{
    if (gw_subscriptions_name_ok(gw_str_of(text))) {
        return true;
    }
    gw_schema_error(l, json_object_get(spec, name), gw_arena_printf(l->arena, "spec.%s", name),
                    "\"%s\" is not a name", text);
    return false;
}

static void
free_piece(struct gw_piece *piece)
{
    free(piece); /* it is the first member of what was allocated */
}

static struct gw_piece *
compile_spec(const json_t *json, struct gw_loader *l)
{
    const json_t *spec = json_object_get(json, "spec");
    struct rows r = {0};
    char buffer[PAIR_SIZE];

    if (spec == NULL) {
        gw_diag_error(l->diag, gw_yaml_place(l->source, json), "spec: is required");
        return NULL;
    }
    if (!gw_schema_load(l, &r, spec, rows, "spec", NULL)) {
        return NULL;
    }
    bool good = check_name(r.workspace, "workspace", l, spec);
    if (!check_name(r.extension, "extension", l, spec) || !good) {
        return NULL;
    }
    struct gw_str pair = pair_of(buffer, gw_str_of(r.extension), gw_str_of(r.workspace));
    struct subscription *s = gw_mem_alloc(sizeof(*s) + pair.n);
    char *at = s->text;
    atomic_init(&s->piece.refs, 1);
    s->piece.free = free_piece;
    s->pair = gw_str_pack(&at, pair);
    return &s->piece;
}

static struct gw_piece *
compile(const struct gw_kind *kind, const json_t *json, const struct gw_yaml *source,
        struct gw_diag *diag)
{
    struct gw_loader l = {.arena = gw_arena_new(), .source = source, .diag = diag};
    struct gw_piece *p = compile_spec(json, &l);

    (void)kind;
    gw_arena_free(l.arena);
    return p;
}

/* ---- the index ---------------------------------------------------------------------------- */

static void *
open_index(struct gw_world *world)
{
    struct index *x = gw_mem_alloc(sizeof(*x));

    (void)world;
    x->objects = gw_map_new();
    x->pairs = gw_map_new();
    return x;
}

static void
close_index(void *value)
{
    struct index *x = value;

    gw_map_free(x->pairs, free);
    gw_map_free(x->objects, gw_piece_let_go);
    free(x);
}

static void
take_out(struct index *x, struct gw_str key)
{
    struct subscription *s = gw_map_take(x->objects, key);
    unsigned *count = s == NULL ? NULL : gw_map_get(x->pairs, s->pair);

    if (count != NULL && --*count == 0) {
        free(gw_map_take(x->pairs, s->pair));
    }
    if (s != NULL) {
        gw_piece_unref(&s->piece);
    }
}

static void
put(void *index, const char *key, struct gw_piece *piece)
{
    struct index *x = index;

    take_out(x, gw_str_of(key));
    if (piece == NULL) {
        return;
    }
    struct subscription *s = (struct subscription *)gw_piece_ref(piece);
    (void)gw_map_put(x->objects, gw_str_of(key), s);
    unsigned *count = gw_map_get(x->pairs, s->pair);
    if (count == NULL) {
        count = gw_mem_alloc(sizeof(*count));
        (void)gw_map_put(x->pairs, s->pair, count);
    }
    ++*count;
}

bool
gw_subscriptions_have(const struct gw_world *world, struct gw_str extension,
                      struct gw_str workspace)
{
    const struct index *x = gw_world_index(world, &gw_subscriptions_view);
    char buffer[PAIR_SIZE];

    return gw_subscriptions_name_ok(extension) && gw_subscriptions_name_ok(workspace) &&
           gw_map_get(x->pairs, pair_of(buffer, extension, workspace)) != NULL;
}

const struct gw_view gw_subscriptions_view = {
    .name = "subscriptions",
    .kinds = (const char *const[]){"ksgate.io/Subscription", NULL},
    .compile = compile,
    .open = open_index,
    .close = close_index,
    .put = put,
};
