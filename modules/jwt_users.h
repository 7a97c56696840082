/*
 * jwt_users.h - is whom a token names registered here, and not disabled?
 *
 * KubeSphere asks this of every token on its host cluster (pkg/apiserver/authentication/
 * authenticators/jwt; kubesphere.md 6.4).  Here it is a look into this worker's own memory.
 */
#ifndef GW_MODULES_JWT_USERS_H
#define GW_MODULES_JWT_USERS_H

#include "gateway/world.h"

extern const struct gw_view gw_jwt_users_view;

/* A User of that name whose status.state is not Disabled; a ServiceAccount for
 * "kubesphere:serviceaccount:NAMESPACE:NAME"; or system:pre-registration, who is about to become
 * a user. */
bool gw_jwt_users_have(const struct gw_world *w, struct gw_str name);

#endif
