/*
 * rbac_register.h - the right to register backends of an extension.
 *
 * It is the verb `register` of extensionservices.ksgate.io NAME.  The way to do it is a PUT or
 * DELETE of .../extensionservices/NAME/endpoints/ID, whose own verbs are `update` and `delete` of
 * the subresource `endpoints`: whoever has these may, too.
 */
#ifndef GW_MODULES_RBAC_REGISTER_H
#define GW_MODULES_RBAC_REGISTER_H

#include "gateway/req.h"

/* Is that asked?  Then *out is the same request with the verb `register`; borrows from info. */
bool gw_rbac_register_verb(const struct gw_request_info *info, struct gw_request_info *out);

#endif
