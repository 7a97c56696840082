/*
 * req.h - one request, from its head to its access-log line.
 *
 * A request walks its route's plan, one step after the other.  A step says with its verdict
 * what comes next.  There is no other way through the gateway.  A dry request (`explain`) walks
 * the same plan up to the point where bytes would be sent.
 */
#ifndef GW_GATEWAY_REQ_H
#define GW_GATEWAY_REQ_H

#include <netinet/in.h>

#include "base/arena.h"
#include "base/err.h"
#include "gateway/decision.h"
#include "http/parse.h"
#include "http/url.h"

struct gw_plan;
struct gw_world;
struct gw_session;
struct gw_exchange;
struct gw_endpoint;
struct gw_stream;
struct gw_split;

enum gw_verdict {
    GW_NEXT,  /* go on with the next step */
    GW_WAIT,  /* I keep the request and will call gw_req_resume() once */
    GW_REPLY, /* the reply is ready: go to the response steps */
    GW_FAIL,  /* req->err says why: make the reply, then as GW_REPLY */
};

/* Set by a step before it returns GW_WAIT; run if the client leaves meanwhile. */
struct gw_pending {
    void (*cancel)(void *arg);
    void *arg;
};

/* What is asked for, by KubeSphere's rules (kubesphere.md, section 4).  Slices live as long as
 * the request; "" is {NULL or "", 0}. */
struct gw_request_info {
    struct gw_str verb, api_prefix, api_group, api_version;
    struct gw_str cluster, workspace, ns, resource, subresource, name, scope;
    struct gw_str path; /* percent-decoded, without the /clusters/{c} prefix */
    unsigned n_parts;   /* the path's last n_parts segments are resource, name, subresource, ... */
    bool is_resource, is_kubernetes;
};

/* Who asks. */
struct gw_subject {
    struct gw_str name, uid;
    const struct gw_str *groups;
    unsigned n_groups;
    const struct gw_subject_extra {
        struct gw_str key, value;
    } * extra;
    unsigned n_extra;
    bool anonymous;
    bool trusted; /* came over the admin socket: its file mode has decided */
};

/* Changes to a message's headers, in the arena.  remove: names (any case); a name ending in '*'
 * removes by prefix.  add: appended after removal.  set = remove + add. */
struct gw_edits {
    struct gw_str *remove;
    struct gw_edit {
        struct gw_str name, value;
    } * add;
    unsigned n_remove, n_add, size_remove, size_add;
};

/* How one of several endpoints is chosen; immutable (balance.h). */
struct gw_balancer {
    enum gw_policy {
        GW_POLICY_P2C, /* the less loaded of two drawn */
        GW_POLICY_ROUND_ROBIN,
        GW_POLICY_LEAST_CONN,
        GW_POLICY_HASH, /* the same key, the same endpoint */
    } policy;
    enum gw_hash_by {
        GW_HASH_HEADER,
        GW_HASH_COOKIE,
        GW_HASH_IP,
    } hash_by;
    struct gw_str hash_name; /* of the header or cookie */
    unsigned slow_start_ms;  /* how long the share of one that has just come up grows; 0: not */
    unsigned panic_percent;  /* when fewer are up, all are used; 0: only when none is */
};

/* Where a request goes, filled by the find steps and used by forward. */
struct gw_destination {
    struct gw_endpoint *const *endpoints; /* borrowed until the request leaves its worker's loop
                                             turn; forward takes a reference */
    const unsigned *weights;              /* one each; NULL: all alike */
    unsigned n_endpoints;
    const struct gw_balancer *balancer; /* NULL: p2c */
    long long *turns;                   /* round_robin's memory, one each; the worker's */
    struct gw_str target;               /* path and query to send; none: as received */
    struct gw_str forwarded_prefix;     /* X-Forwarded-Prefix; none: not sent */
    struct gw_str base;                 /* what the backend's paths have in its place, or none */
    bool map_back;      /* Location, Set-Cookie Path, Refresh get the prefix again */
    bool preserve_host; /* send the client's Host instead of the backend's */
    long long connect_ms, first_byte_ms, idle_ms, tunnel_idle_ms; /* 0: the config's */
    unsigned max_connections;               /* per endpoint and worker; 0: the config's */
    unsigned max_pending;                   /* of requests that wait for one */
    long long pending_ms;                   /* for how long; 0: the config's */
    const struct gw_outlier_rules *outlier; /* when failures make endpoints be left alone; NULL:
                                               never */
    unsigned retry_percent;                 /* so many of the active requests may be second tries */
    unsigned tries;                         /* further tries of what may be repeated */
    unsigned side; /* of the split, that it goes to; its draw was with this key: */
    uint64_t split_key;
    const struct gw_split *split; /* versions: one is to be chosen, or was, and these are those that
                                     it may go to instead (split.h); NULL: none */
};

/* An answer of the gateway's own. */
struct gw_own_reply {
    unsigned status;
    struct gw_str content_type;
    struct gw_str body;       /* in the arena or static */
    struct gw_stream *stream; /* in place of a body: it goes on after the head (stream.h) */
};

struct gw_req {
    struct gw_arena *arena;     /* owns the request and all that it holds */
    struct gw_session *session; /* borrowed: the client's connection outlives us; NULL when dry */
    struct gw_world *world;     /* borrowed: the worker's (or the offline) world */
    const struct gw_plan *plan; /* borrowed from the config snapshot that `snapshot` keeps */
    void *snapshot;             /* released at the end */
    size_t step;                /* where we are in the plan */
    enum gw_err err;            /* OK, or why we failed */
    const char *detail;         /* more words for people, or NULL; arena; no secrets */
    struct gw_str cause;        /* why it was denied, for a caller who may know; or none; arena */
    struct gw_pending pending;  /* how to stop what we wait for */
    bool waiting;
    bool dry; /* explain: decide, send nothing, change nothing */

    const struct gw_head *head; /* as received; arena */
    struct gw_target_parts target;
    struct gw_str host;      /* from Host or the absolute form, lower case not forced */
    struct gw_str peer_ip;   /* text; who has connected to us */
    struct gw_str client_ip; /* text; the peer's, or what a trusted proxy said */
    struct gw_str request_id;
    bool client_tls;
    bool peer_trusted; /* the peer is one of trusted_proxies */
    bool odd_allowed;  /* what target.odd says has been allowed (relax.h) */

    struct gw_request_info info;
    struct gw_subject subject;
    enum gw_err credential_err; /* the credential was no good: only what is open to all is left */
    const char *credential_detail; /* more words about that, or NULL; arena; no secrets */
    struct gw_decision decision;
    struct gw_destination to;
    struct gw_edits up, down; /* to the backend's request; to the client's response */
    enum gw_access {
        GW_ACCESS_AUTHORIZED, /* a subject that RBAC allows */
        GW_ACCESS_AUTHENTICATED,
        GW_ACCESS_PUBLIC,
    } access;
    enum gw_identity {
        GW_IDENTITY_NONE,
        GW_IDENTITY_HEADERS,   /* X-Remote-* */
        GW_IDENTITY_ASSERTION, /* a token that the gateway signs */
    } identity;                /* how the backend is told who asks */
    bool keep_authorization;   /* the credential is passed on to the backend */

    struct gw_own_reply reply;      /* when we answer ourselves */
    unsigned retry_after_s;         /* told with a 503; 0: a second */
    const struct gw_head *response; /* the head that goes to the client; arena */
    const struct gw_req *asker;     /* of a dry one: the request that asks about it, or NULL */
    struct gw_exchange *exchange;   /* forward's own; NULL when not forwarded */
    void *slot[16];                 /* one pointer per module (modules/slots.h), for its own use */
};

/* "none", "headers", "assertion"; NULL-terminated. */
extern const char *const gw_identity_words[];

/* Walks the plan until the request is done (and freed) or has to wait. */
void gw_req_run(struct gw_req *req);

/* For a request that is refused before any step: err is set; it is answered and logged. */
void gw_req_refuse(struct gw_req *req);

/* Ends a wait.  Never call it from inside the step that is about to wait. */
void gw_req_resume(struct gw_req *req, enum gw_verdict v);

/* The client has gone: stops what is pending, runs the log steps, frees. */
void gw_req_abort(struct gw_req *req);

/* Sets err and detail (printf into the arena) and returns GW_FAIL. */
enum gw_verdict gw_req_fail(struct gw_req *req, enum gw_err err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Makes an own reply: body is borrowed (arena or static).  Returns GW_REPLY. */
enum gw_verdict gw_req_reply(struct gw_req *req, unsigned status, struct gw_str content_type,
                             struct gw_str body);

/* For the find step of a route that may allow odd paths (relax.h): it allows these GW_PATH_*.
 * False when the path takes more: req->err says so. */
bool gw_relax_allow(struct gw_req *req, unsigned allowed);

void gw_edits_remove(struct gw_req *req, struct gw_edits *e, struct gw_str name);
void gw_edits_add(struct gw_req *req, struct gw_edits *e, struct gw_str name, struct gw_str value);
bool gw_edits_removes(const struct gw_edits *e, struct gw_str name);
void gw_edits_set(struct gw_req *req, struct gw_edits *e, struct gw_str name, struct gw_str value);

#endif
