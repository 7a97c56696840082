/* session_private.h - a session's inside, shared by session.c, session_body.c and intake.c. */
#ifndef GW_GATEWAY_SESSION_PRIVATE_H
#define GW_GATEWAY_SESSION_PRIVATE_H

#include "gateway/session.h"

#define GW_LINGER_MS    2000
#define GW_LINGER_BYTES ((size_t)1024 * 1024)

enum gw_session_state {
    GW_SESSION_IDLE,   /* between requests */
    GW_SESSION_HEAD,   /* a head has begun */
    GW_SESSION_BUSY,   /* a request runs */
    GW_SESSION_LINGER, /* all is answered; what the client still sends is thrown away */
    GW_SESSION_ENDED,  /* closed, about to be freed */
};

struct gw_session {
    struct gw_conn conn; /* first: callbacks get it */
    struct gw_sessions *all;
    struct gw_session *next, **prev;
    struct gw_timer timer;
    enum gw_session_state state;
    bool trusted;     /* came over the admin socket */
    bool keep_alive;  /* for the running request, as far as is known */
    bool half_closed; /* the client will send no more */
    bool cut;         /* reset at the end */
    bool sink_on, body_paused, body_done, delivering;
    bool tunneling;
    unsigned char address[16]; /* the peer's, IPv4 mapped */
    unsigned requests;
    uint64_t start_us, touched_ms;
    struct gw_arena *arena;   /* of the message; the request's once it runs */
    struct gw_parser *parser; /* in the arena */
    struct gw_conf *conf;     /* the message's; given back with the request */
    struct gw_req *req;
    char *stash; /* bytes that nobody could use yet; heap */
    size_t stash_at, stash_n, stash_size;
    char *rest; /* the same, still in the scratch buffer of this callback */
    size_t rest_n, lingered;
    struct gw_body_sink sink;
    void (*drained)(void *arg);
    void *drained_arg;
    void (*tunnel_readable)(void *arg);
    void *tunnel_arg;
};

static inline struct gw_session *
gw_session_of_timer(struct gw_timer *t)
{
    return (struct gw_session *)((char *)t - offsetof(struct gw_session, timer));
}

/* Keeps bytes that nobody can use yet. */
void gw_session_put_aside(struct gw_session *s, const char *p, size_t n);

/* The client may have sent some of the body that the sink waits for. */
void gw_session_read_body(struct gw_session *s);

#endif
