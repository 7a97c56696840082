/*
 * basic_users.h - the registered users, as far as a password needs them.
 *
 * User of iam.kubesphere.io: spec.password (bcrypt, made by ks-core), spec.groups, status.state.
 * Groups: system:authenticated and the user's own, as ks-core gives them to Basic (kubesphere.md,
 * 5.3); one that begins with "system:" is not the user's to have and is left out.
 */
#ifndef GW_MODULES_BASIC_USERS_H
#define GW_MODULES_BASIC_USERS_H

#include "gateway/req.h"
#include "gateway/world.h"
#include "modules/basic_hash.h"

struct gw_basic_user {
    struct gw_piece piece; /* first */
    enum gw_basic_state {
        GW_BASIC_ACTIVE,
        GW_BASIC_INACTIVE, /* Disabled, another word, or none: ks-core lets in only Active */
        GW_BASIC_LIMITED,  /* AuthLimitExceeded: ks-core has seen too many wrong ones */
    } state;
    unsigned cost; /* of the hash; 0: there is none */
    char hash[GW_BCRYPT_CHARS + 1];
    struct gw_subject subject; /* as long as the piece */
    struct gw_str groups[];
};

extern const struct gw_view gw_basic_users_view;

/* Borrowed, until the registry changes; NULL: nobody of that name. */
struct gw_basic_user *gw_basic_users_find(const struct gw_world *w, struct gw_str name);

/* May who was let in as this user stay, as the user is now (NULL: gone)?  Not when the account is
 * inactive by now or has another password. */
bool gw_basic_user_may_stay(const struct gw_basic_user *was, const struct gw_basic_user *now);

/* The cost that most hashes have; a usual one when there are none. */
unsigned gw_basic_users_cost(const struct gw_world *w);

#endif
