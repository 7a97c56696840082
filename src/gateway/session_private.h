/* session_private.h - a session's inside, shared by session.c and its neighbours (_body, _head,
 * _rest, _review, _stream, _time, _tunnel), sessions.c and intake.c. */
#ifndef GW_GATEWAY_SESSION_PRIVATE_H
#define GW_GATEWAY_SESSION_PRIVATE_H

#include "gateway/conf.h"
#include "gateway/session.h"
#include "gateway/worlds.h"

/* Read and thrown away of a client that goes on sending after its last answer; more is left to
 * the sockets until timeouts.linger is over. */
#define GW_LINGER_BYTES 1048576u
/* The rest of a body that nobody wants: to read that much is cheaper than a new connection. */
#define GW_REST_BYTES 65536u

/* Of the worker's counters, gw_world_stats(). */
#define GW_SESSION_COUNT(s, field, n) \
    atomic_fetch_add_explicit(&gw_world_stats((s)->all->world)->field, (n), memory_order_relaxed)

enum gw_session_state {
    GW_SESSION_IDLE,   /* between requests */
    GW_SESSION_HEAD,   /* a head has begun */
    GW_SESSION_BUSY,   /* a request runs */
    GW_SESSION_REST,   /* all is answered; the rest of the body is read, then comes the next */
    GW_SESSION_LINGER, /* all is answered; what the client still sends is thrown away */
    GW_SESSION_ENDED,  /* closed, about to be freed */
};

/* What a session needs while a message is on its way; it lives in the message's arena, so that an
 * idle connection is small. */
struct gw_message {
    struct gw_arena *arena; /* the request's once it runs */
    struct gw_conf *conf;   /* given back with the request */
    struct gw_req *req;     /* NULL: the head is not there yet */
    uint64_t start_us;
    uint64_t leave_ms;        /* when it may be no longer; of */
    enum gw_err leave_err;    /* why; OK: it may */
    struct gw_body_sink sink; /* valid while sink_on */
    struct gw_stream *stream; /* an answer that goes on; or NULL */
    void (*drained)(void *arg);
    void *drained_arg;
    struct gw_parser parser;
};

struct gw_session {
    struct gw_conn conn;        /* first: callbacks get it; and behind it what each of them asks: */
    struct gw_message *message; /* NULL between requests */
    enum gw_session_state state;
    bool trusted;     /* came over the admin socket */
    bool keep_alive;  /* for the running request, as far as is known */
    bool half_closed; /* the client will send no more */
    bool cut;         /* reset at the end */
    bool sink_on, body_paused, body_done, delivering;
    bool tunneling;
    bool counted;    /* among the guests of its address */
    bool over;       /* one connection too many of its address: its request is refused */
    bool awaits_100; /* the client sends its body when it is told to go on */
    const struct gw_tunnel_events *tunnel; /* when tunneling */
    void *tunnel_arg;
    struct gw_sessions *all;
    struct gw_session *next, **prev;
    struct gw_timer timer;
    unsigned char address[16]; /* the peer's, IPv4 mapped */
    unsigned requests;
    uint32_t debt_ms, pending; /* pace.h: what it owes; of its answer, when last looked at */
    uint32_t lingered;         /* bytes thrown away; in GW_SESSION_REST: still to be */
    uint64_t touched_ms;
    char *stash;                            /* bytes that nobody could use yet; heap */
    uint32_t stash_at, stash_n, stash_size; /* heads and what came with them: small */
    uint32_t rest_n;
    char *rest; /* the same, still in the scratch buffer of this callback */
};

static inline struct gw_session *
gw_session_of_timer(struct gw_timer *t)
{
    return (struct gw_session *)((char *)t - offsetof(struct gw_session, timer));
}

static inline struct gw_req *
gw_session_req(const struct gw_session *s)
{
    return s->message == NULL ? NULL : s->message->req;
}

/* Those in force now, and not when its request began. */
static inline const struct gw_timeouts *
gw_session_timeouts(const struct gw_session *s)
{
    return &gw_world_conf(s->all->world)->settings.timeouts;
}

/* The message is over, or is given up: its memory goes, the request's included. */
void gw_session_forget(struct gw_session *s);

/* Of a worker's sessions. */
struct gw_slab *gw_session_slab(const struct gw_sessions *all);

/* A new one, whose owner is known: waits for its first request. */
void gw_session_start(struct gw_session *s, int fd);
/* Something may have come, although no event has said so. */
void gw_session_try_read(struct gw_session *s);
/* Ends it, whatever it is at: its client is not told. */
void gw_session_shut_out(struct gw_session *s);

/* Closes it now; its memory is freed by the wheel: callers up the stack may still look at it. */
void gw_session_end(struct gw_session *s, bool reset);

/* session_head.c.  Something of the next head may be there. */
void gw_session_read_head(struct gw_session *s);
/* Nobody is left to answer: it ends. */
void gw_session_give_up_head(struct gw_session *s);
/* The message's head is there, or wrong, or late: from here on the request has the word. */
void gw_session_begin(struct gw_session *s, bool ok);
void gw_session_head_is_late(struct gw_session *s, enum gw_err err);

/* The client has gone or is given up while its request runs. */
void gw_session_abandon(struct gw_session *s, enum gw_err err, const char *why, bool reset);

void gw_session_deadline(struct gw_session *s, long long in_ms);
void gw_session_on_timer(struct gw_timer *t);

/* The request is over: waits for the next one, or goes on with it. */
void gw_session_next(struct gw_session *s);

/* session_rest.c.  The connection ends, but not before the client had time to find its answer. */
void gw_session_linger(struct gw_session *s);
void gw_session_read_lingering(struct gw_session *s);
/* So many bytes are still the last request's. */
void gw_session_skip_rest(struct gw_session *s, uint32_t bytes);
void gw_session_read_rest(struct gw_session *s);

/* session_review.c.  It has become a tunnel: no longer than until the loop's next turn, when what
 * it was let in by is no longer so. */
void gw_session_leave_now(struct gw_session *s);

/* session_tunnel.c.  Each tunnel is told when to close. */
void gw_session_drain_tunnels(struct gw_sessions *all);

/* session_stream.c.  Each stream is told to end. */
void gw_session_drain_streams(struct gw_sessions *all);

/* Keeps bytes that nobody can use yet. */
void gw_session_put_aside(struct gw_session *s, const char *p, size_t n);

/* The request's body has not all come, but what is missing is little, and on its way. */
bool gw_session_rest_is_small(const struct gw_session *s);

/* The client may have sent some of the body that the sink waits for. */
void gw_session_read_body(struct gw_session *s);

#endif
