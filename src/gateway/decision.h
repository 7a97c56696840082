/*
 * decision.h - what the gateway did with a request, and why (decision 4).
 *
 * One fixed-size record inside the request.  Steps fill it in as they go; access log, audit,
 * metrics and explain only read it.  Texts are slices of the request's arena, of static text,
 * or of counted objects that live as long as the request.
 */
#ifndef GW_GATEWAY_DECISION_H
#define GW_GATEWAY_DECISION_H

#include "base/str.h"

enum gw_allowed {
    GW_UNDECIDED,
    GW_ALLOWED,
    GW_DENIED
};

struct gw_decision {
    /* routing */
    unsigned route;            /* enum gw_route_kind; GW_N_ROUTES: refused before one was found */
    struct gw_str extension;   /* or none */
    struct gw_str series;      /* the name under which it is counted: the extension's, or one for
                                  its version (split.h) */
    struct gw_str wanted;      /* the series of the version that was to get it, if another one had
                                  to take over; or none */
    struct gw_str version;     /* of the extension that was chosen, or none */
    const char *version_by;    /* "match", "weight", "rest", "fallback"; NULL: it has no versions */
    struct gw_str version_why; /* for people; of a dry request alone */
    /* identity */
    const char *authentication; /* "anonymous", "jwt", "jwt-cached", "admin-socket", or why not */
    const char *credential;     /* where it stood: "Authorization", "cookie" ...; NULL: none */
    struct gw_str issuer, key_id;
    /* permission */
    enum gw_allowed allowed;
    struct gw_str reason; /* `RBAC: allowed by ...`, or why not / the nearest miss */
    const char *policy;   /* "path", "rbac", "public", "allow_all" ... */
    struct gw_str binding_kind, binding, role_kind, role;
    struct gw_str role_template; /* that the role takes in, when its rule it was; or none */
    int rule;                    /* index in the rules; -1: policy clauses; -2: none */
    /* What the candidate of the module shadow makes of it, if that is something else; and why. */
    enum gw_allowed candidate;
    struct gw_str candidate_reason;
    /* forwarding */
    struct gw_str endpoint; /* the URL that answered, or was tried last */
    unsigned tries;
    bool reused; /* on a pooled connection */
    bool tunnel;
    /* outcome */
    unsigned status; /* sent to the client; 0: nothing was */
    unsigned upstream_status;
    uint64_t bytes_in, bytes_out; /* body bytes from and to the client */
    uint64_t start_us;            /* gw_clock_mono_us() at the first byte of the head */
    uint64_t wall_ms;
    uint64_t head_us, decided_us, connected_us, first_byte_us,
        end_us;      /* since start; 0: not reached */
    const char *end; /* "done", "client_gone", "upstream_cut", "timeout" ... */
};

#endif
