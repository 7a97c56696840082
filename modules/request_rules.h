/*
 * request_rules.h - what a method and a URL ask for, by KubeSphere's rules (kubesphere.md,
 * section 4), and by ours below /-/ and /extensions/.
 */
#ifndef GW_MODULES_REQUEST_RULES_H
#define GW_MODULES_REQUEST_RULES_H

#include "base/arena.h"
#include "gateway/req.h"

/* Fills *info from the method, the raw path (one that gw_path_check() accepts) and the raw
 * query.  Slices of it live in the arena and in the arguments.  NULL, or what is wrong with
 * the path, in the arena. */
const char *gw_request_rules_read(struct gw_arena *a, struct gw_str method, struct gw_str path,
                                  struct gw_str query, struct gw_request_info *info);

/* The scope of a request for a resource (rule 11): "Global", "Workspace", "Namespace", "Cluster".
 */
struct gw_str gw_request_rules_scope(const struct gw_request_info *info);

#endif
