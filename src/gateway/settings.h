/*
 * settings.h - the settings of the gateway itself; modules bring their own sections.
 */
#ifndef GW_GATEWAY_SETTINGS_H
#define GW_GATEWAY_SETTINGS_H

#include "config/schema.h"
#include "gateway/health.h"
#include "gateway/outlier.h"
#include "http/parse.h"
#include "registry/sync.h"

struct gw_listener_settings {
    const char *address; /* "0.0.0.0:8080", "[::]:8080" */
};

/* Who answers POST /GW_REVIEW_PATH. */
enum gw_reviews {
    GW_REVIEWS_GATEWAY,
    GW_REVIEWS_CORE,
};
#define GW_REVIEW_PATH "kapis/iam.kubesphere.io/v1beta1/subjectaccessreviews"

enum gw_websocket_close {
    GW_WEBSOCKET_GOING_AWAY,
    GW_WEBSOCKET_SERVICE_RESTART,
};

struct gw_settings {
    struct gw_list listeners; /* of struct gw_listener_settings */
    const char *workers_text; /* "auto" or a number */
    const char *user;         /* to run as when started as root */
    struct {
        const char *url;
        const char *console;      /* NULL: 404 */
        const char *const *paths; /* first segments that belong to the core */
        int access_reviews;       /* enum gw_reviews */
        bool preserve_host;
        int allow_paths; /* GW_PATH_*, as bits */
        struct gw_health_check check;
        struct gw_outlier_rules outlier;
    } core;
    struct gw_registry_settings registry;
    const char *const *trusted_proxies; /* addresses and CIDR blocks */
    struct gw_limits {
        long long head, target, headers, body, object; /* bytes, a count, -1: unlimited */
        long long connections;                         /* of the whole server */
        long long connections_per_client;              /* 0: no limit */
        long long min_rate;                            /* bytes per second; 0: none */
        long long pool;                /* idle connections kept per backend and worker */
        long long backend_connections; /* per backend; 0: no limit */
        long long backend_pending;     /* requests that wait for one, per backend */
        long long watch_backlog;       /* bytes of changes that a watch may be behind */
    } limits;
    struct gw_timeouts {
        long long head, idle, body_idle, half_closed; /* ms; the client's side */
        long long linger, revoked;
        long long connect, pending, first_byte, backend_idle, pool_idle, tunnel_idle,
            tunnel_half_closed;          /* the backend's */
        long long drain;                 /* how long a stopping server waits for requests */
        long long watch, watch_bookmark; /* of what is registered */
    } timeouts;
    struct {
        long long ping;       /* ms between pings of the gateway's own; 0: none */
        long long unanswered; /* so many without a sign of life close the tunnel */
        int close;            /* enum gw_websocket_close: when the server stops */
    } websocket;
    struct {
        const char *const *servers;
        long long min_ttl, max_ttl; /* ms */
    } dns;
    struct {
        const char *socket; /* path, or NULL */
        const char *mode;   /* "0600" */
    } admin;
    /* made from the above at load */
    unsigned n_workers;
    struct gw_parse_limits parse;
    struct gw_str *core_segments; /* core.paths with their lengths; arena */
    size_t n_core_segments;
    struct gw_cidr {
        unsigned char address[16]; /* IPv4 as ::ffff:a.b.c.d */
        unsigned bits;
    } * trusted; /* arena */
    size_t n_trusted;
};

extern const struct gw_setting gw_settings_rows[];

/* Fills in what is made from the rows, and checks what rows can't: addresses, URLs. */
bool gw_settings_finish(struct gw_settings *s, struct gw_loader *l, const json_t *root);

/* A part of it: warns of what is legal, and that somebody may regret. */
void gw_settings_warn(const struct gw_settings *s, struct gw_loader *l, const json_t *root);

/* address: 16 bytes as in gw_cidr. */
bool gw_settings_trusts(const struct gw_settings *s, const unsigned char address[16]);

#endif
