#include "modules/jwt_users.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "modules/jwt_verify.h"

#define USER           GW_STR("iam.kubesphere.io/User//")
#define ACCOUNT        GW_STR("kubesphere.io/ServiceAccount/")
#define ACCOUNT_PREFIX GW_STR("kubesphere:serviceaccount:")
#define KEY_BYTES      (GW_JWT_NAME_MAX + 64)

struct user {
    struct gw_piece piece; /* first */
    bool disabled;
};

static void
free_user(struct gw_piece *piece)
{
    free(piece);
}

static struct gw_piece *
compile(const struct gw_kind *kind, const json_t *json, const struct gw_yaml *source,
        struct gw_diag *diag)
{
    struct user *u = gw_mem_alloc(sizeof(*u));
    const char *state =
        json_string_value(json_object_get(json_object_get(json, "status"), "state"));

    (void)kind;
    (void)source;
    (void)diag;
    u->piece.free = free_user;
    atomic_init(&u->piece.refs, 1);
    u->disabled = state != NULL && strcmp(state, "Disabled") == 0;
    return &u->piece;
}

struct index {
    struct gw_world *world;
    struct gw_map *users; /* by key; a reference each */
};

static void *
open_index(struct gw_world *world)
{
    struct index *x = gw_mem_alloc(sizeof(*x));

    *x = (struct index){.world = world, .users = gw_map_new()};
    return x;
}

static void
close_index(void *index)
{
    struct index *x = index;

    gw_map_free(x->users, gw_piece_let_go);
    free(x);
}

/* Whoever is within already by the name of one that is out now is shown out. */
static void
put(void *index, const char *key, struct gw_piece *piece)
{
    struct index *x = index;
    struct gw_str name = gw_str_of(key);

    gw_piece_unref(piece == NULL ? gw_map_take(x->users, name)
                                 : gw_map_put(x->users, name, gw_piece_ref(piece)));
    if (piece == NULL || ((const struct user *)piece)->disabled) {
        gw_world_doubt(x->world);
    }
}

const struct gw_view gw_jwt_users_view = {
    .name = "jwt_users",
    .kinds = (const char *const[]){"iam.kubesphere.io/User", "kubesphere.io/ServiceAccount", NULL},
    .compile = compile,
    .open = open_index,
    .close = close_index,
    .put = put,
};

static struct gw_str
join(char out[KEY_BYTES], struct gw_str before, struct gw_str rest)
{
    memcpy(out, before.p, before.n);
    memcpy(out + before.n, rest.p, rest.n);
    return (struct gw_str){out, before.n + rest.n};
}

bool
gw_jwt_users_have(const struct gw_world *w, struct gw_str name)
{
    char text[KEY_BYTES];
    struct gw_str key;

    if (name.n > GW_JWT_NAME_MAX) {
        return false;
    }
    if (gw_str_eq(name, GW_STR("system:pre-registration"))) {
        return true;
    }
    if (gw_str_has_prefix(name, ACCOUNT_PREFIX)) {
        struct gw_str rest = gw_str_skip(name, ACCOUNT_PREFIX.n);
        size_t colon = gw_str_find(rest, ':');

        key = join(text, ACCOUNT, rest);
        if (colon < rest.n) {
            text[ACCOUNT.n + colon] = '/'; /* "NAMESPACE:NAME" */
        }
    } else {
        key = join(text, USER, name);
    }
    const struct index *x = gw_world_index(w, &gw_jwt_users_view);
    const struct user *u = gw_map_get(x->users, key);
    return u != NULL && !u->disabled;
}
