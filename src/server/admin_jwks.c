/* admin_jwks.c - /-/jwks.json: the public keys of what the gateway signs (RFC 7517). */
#include "gateway/conf.h"
#include "modules/identity_settings.h"
#include "server/admin_call.h"

extern const struct gw_module gw_mod_identity;

/* Those of the request's own configuration, which it keeps. */
static const struct gw_identity_settings *
settings_of(const struct gw_conf *c)
{
    for (size_t i = 0; i < c->n_uses; i++) {
        if (c->uses[i].module == &gw_mod_identity) {
            return c->uses[i].conf;
        }
    }
    return NULL;
}

enum gw_verdict
gw_admin_jwks(struct gw_admin_call *call)
{
    struct gw_req *req = call->req;
    const struct gw_identity_settings *s = settings_of(req->snapshot);

    if (s == NULL) {
        return gw_admin_refuse(call, GW_ERR_NO_ROUTE, "this gateway signs nothing");
    }
    if (s->keys.signing != NULL) { /* else it may be there in a moment */
        gw_edits_set(req, &req->down, GW_STR("Cache-Control"),
                     gw_str_of(gw_arena_printf(req->arena, "public, max-age=%lld",
                                               s->jwks_max_age_ms / 1000)));
    }
    return gw_req_reply(req, 200, GW_STR("application/jwk-set+json"), gw_buf_text(&s->jwks));
}
