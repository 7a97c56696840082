#include "modules/basic_users.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/table.h"
#include "config/json.h"

#define KEY_PREFIX    GW_STR("iam.kubesphere.io/User//")
#define AUTHENTICATED GW_STR("system:authenticated")
#define USUAL_COST    10 /* of golang.org/x/crypto/bcrypt, which ks-core uses */

struct index {
    struct gw_world *world;
    struct gw_table *users; /* a reference each */
    size_t with_cost[32];   /* how many have a hash of that cost; [0]: none */
};

static void
free_user(struct gw_piece *piece)
{
    free(piece);
}

/* The i-th of spec.groups, or none when it is nobody's to have. */
static struct gw_str
group_at(const json_t *groups, size_t i)
{
    struct gw_str g = gw_json_text(json_array_get(groups, i));

    return gw_str_has_prefix(g, GW_STR("system:")) ? GW_STR_NONE : g;
}

/* Struct first, then texts. */
static struct gw_basic_user *
pack(struct gw_str name, const json_t *groups)
{
    size_t most = 1 + json_array_size(groups);
    size_t bytes = name.n;

    for (size_t i = 0; i + 1 < most; i++) {
        bytes += group_at(groups, i).n;
    }
    struct gw_basic_user *u = gw_mem_alloc(sizeof(*u) + most * sizeof(u->groups[0]) + bytes);
    char *texts = (char *)(u->groups + most);
    unsigned n = 0;

    u->subject.name = gw_str_pack(&texts, name);
    u->groups[n++] = AUTHENTICATED;
    for (size_t i = 0; i + 1 < most; i++) {
        struct gw_str g = group_at(groups, i);

        if (g.n > 0) {
            u->groups[n++] = gw_str_pack(&texts, g);
        }
    }
    u->subject.groups = u->groups;
    u->subject.n_groups = n;
    return u;
}

/* As ks-core's pkg/models/auth/password.go: whatever it doesn't know is not active. */
static enum gw_basic_state
state_of(struct gw_str state)
{
    if (gw_str_eq(state, GW_STR("Active"))) {
        return GW_BASIC_ACTIVE;
    }
    return gw_str_eq(state, GW_STR("AuthLimitExceeded")) ? GW_BASIC_LIMITED : GW_BASIC_INACTIVE;
}

static struct gw_piece *
compile(const struct gw_kind *kind, const json_t *json, const struct gw_yaml *source,
        struct gw_diag *diag)
{
    const json_t *spec = json_object_get(json, "spec");
    struct gw_str name = gw_json_text(json_object_get(json_object_get(json, "metadata"), "name"));
    struct gw_str hash = gw_json_text(json_object_get(spec, "password"));
    struct gw_basic_user *u = pack(name, json_object_get(spec, "groups"));

    (void)kind;
    (void)source;
    (void)diag;
    u->piece.free = free_user;
    atomic_init(&u->piece.refs, 1);
    u->state = state_of(gw_json_text(json_object_get(json_object_get(json, "status"), "state")));
    u->cost = gw_bcrypt_cost(hash);
    if (u->cost > 0 && hash.p != NULL) {
        memcpy(u->hash, hash.p, hash.n);
    }
    return &u->piece;
}

static struct gw_str
name_of(const void *user)
{
    return ((const struct gw_basic_user *)user)->subject.name;
}

static void *
open_index(struct gw_world *world)
{
    struct index *x = gw_mem_alloc(sizeof(*x));

    x->world = world;
    x->users = gw_table_new(name_of);
    gw_world_doubt(world); /* after a reset somebody may be missing */
    return x;
}

static void
close_index(void *index)
{
    struct index *x = index;

    gw_table_free(x->users, gw_piece_let_go);
    free(x);
}

bool
gw_basic_user_may_stay(const struct gw_basic_user *was, const struct gw_basic_user *now)
{
    return now != NULL && now->state != GW_BASIC_INACTIVE && strcmp(now->hash, was->hash) == 0;
}

/* Whoever is within already by a password that is none now is shown out. */
static void
put(void *index, const char *key, struct gw_piece *piece)
{
    struct index *x = index;
    struct gw_basic_user *old = NULL;

    if (piece == NULL) {
        old = gw_table_take(x->users, gw_str_skip(gw_str_of(key), KEY_PREFIX.n));
    } else {
        x->with_cost[((struct gw_basic_user *)piece)->cost]++;
        old = gw_table_put(x->users, gw_piece_ref(piece));
    }
    if (old != NULL) {
        x->with_cost[old->cost]--;
        if (!gw_basic_user_may_stay(old, (struct gw_basic_user *)piece)) {
            gw_world_doubt(x->world);
        }
        gw_piece_unref(&old->piece);
    }
}

const struct gw_view gw_basic_users_view = {
    .name = "basic_users",
    .kinds = (const char *const[]){"iam.kubesphere.io/User", NULL},
    .compile = compile,
    .open = open_index,
    .close = close_index,
    .put = put,
};

struct gw_basic_user *
gw_basic_users_find(const struct gw_world *w, struct gw_str name)
{
    const struct index *x = gw_world_index(w, &gw_basic_users_view);

    return gw_table_get(x->users, name);
}

unsigned
gw_basic_users_cost(const struct gw_world *w)
{
    const struct index *x = gw_world_index(w, &gw_basic_users_view);
    unsigned most = USUAL_COST;

    for (unsigned cost = 1; cost < 32; cost++) {
        most = x->with_cost[cost] > x->with_cost[most] ? cost : most;
    }
    return most;
}
