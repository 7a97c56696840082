/*
 * relax.h - paths that can be read in two ways, where the configuration or an extension's owner
 * has said that the backend reads them in one.
 *
 * core.allow_paths is for ks-core and the console, spec.path.allow for an extension.  The part of
 * a path by which it is routed stays strict, and so does all that ks-core's own API reads: it
 * decodes a path before it splits it, and would find another resource in it than policy did.
 */
#ifndef GW_GATEWAY_RELAX_H
#define GW_GATEWAY_RELAX_H

#include "gateway/conf.h"
#include "gateway/req.h"

/* For a path that gw_path_check() has refused with *why: GW_ERR_OK when it is allowed where it
 * leads, or may be: then req->target.odd says what it takes, and the find step of its route has
 * to call gw_relax_allow(). */
enum gw_err gw_relax_path(struct gw_req *req, const struct gw_conf *c, const char **why);

#endif
