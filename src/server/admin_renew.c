#include "server/admin_renew.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"

enum gw_verdict
gw_admin_answer_lease(struct gw_admin_call *call, bool created, long long lease_ms,
                      uint64_t until_ms, uint64_t revision)
{
    struct gw_buf out = {0};

    gw_buf_printf(&out, "{\"lease\":{\"seconds\":%lld,\"expires\":\"", lease_ms / 1000);
    gw_clock_rfc3339(&out, until_ms);
    gw_buf_printf(&out, "\"},\"resourceVersion\":\"%" PRIu64 "\"}\n", revision);
    gw_arena_defer(call->req->arena, free, out.p);
    return gw_req_reply(call->req, created ? 201 : 200, GW_STR("application/json"),
                        gw_buf_text(&out));
}

/* ---- control thread -------------------------------------------------------------------------- */

static void
on_renewed(void *arg, const struct gw_store_answer *answer)
{
    struct gw_errand *e = arg;

    gw_errand_note(e, answer);
    gw_errand_return(e);
}

static void
renew_there(struct gw_errand *e)
{
    if (gw_errand_registry_known(e)) {
        gw_sync_renew(gw_control_sync(e->control), e->key, e->revision, e->lease_ms, on_renewed, e);
    } else {
        gw_errand_return(e);
    }
}

/* ---- worker ---------------------------------------------------------------------------------- */

static enum gw_verdict
answer_renewed(struct gw_errand *e, struct gw_admin_call *call)
{
    const struct gw_renewal *r = call->renewal;

    switch (e->result) {
    case GW_STORE_OK:
        return gw_admin_answer_lease(call, false, r->lease_ms, e->lease_until_ms, r->revision);
    case GW_STORE_UNAVAILABLE:
        return gw_errand_refuse(e, call);
    default:
        break;
    }
    enum gw_verdict v = r->otherwise(call);
    if (v == GW_WAIT) { /* by another errand; else this one's end is our caller's */
        gw_errand_free(e);
    }
    return v;
}

enum gw_verdict
gw_admin_renew(struct gw_admin_call *call, const struct gw_renewal *r)
{
    struct gw_errand *e = gw_errand_new(call, renew_there, answer_renewed);

    call->renewal = r;
    e->key = gw_mem_strdup(r->key);
    e->revision = r->revision;
    e->lease_ms = r->lease_ms;
    return gw_errand_send_soon(e);
}
