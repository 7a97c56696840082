/*
 * subscriptions.h - which workspace has which extension: the Subscription objects.
 *
 *     {apiVersion: ksgate.io/v1, kind: Subscription, metadata: {name: ws1.devops},
 *      spec: {workspace: ws1, extension: devops}}
 */
#ifndef GW_MODULES_SUBSCRIPTIONS_H
#define GW_MODULES_SUBSCRIPTIONS_H

#include "gateway/world.h"

extern const struct gw_view gw_subscriptions_view;

bool gw_subscriptions_have(const struct gw_world *world, struct gw_str extension,
                           struct gw_str workspace);

/* Can an extension or a workspace have that name? */
bool gw_subscriptions_name_ok(struct gw_str name);

#endif
