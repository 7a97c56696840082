/*
 * session.h - one client's connection, speaking HTTP/1.1.
 *
 * Reads heads, makes requests of them, lets them walk their plans, one at a time; takes care of
 * what comes before, between and after: deadlines, pipelining, bodies that nobody wanted, the
 * end.  What happens within a request is the business of the steps; they reach the client's
 * connection through the functions below.
 */
#ifndef GW_GATEWAY_SESSION_H
#define GW_GATEWAY_SESSION_H

#include <sys/socket.h>

#include "gateway/req.h"
#include "net/conn.h"

struct gw_session;

/* All sessions of one worker. */
struct gw_sessions {
    struct gw_world *world;
    struct gw_session *all, *last;        /* linked list, see shed.h */
    struct gw_session *look;              /* shed.c's: with whom the next search begins; or NULL */
    bool draining;                        /* no further request on any connection */
    void (*ended)(struct gw_sessions *s); /* a session's memory is gone; or NULL */
    void (*left)(struct gw_sessions *s);  /* a client's connection is closed; or NULL */
    size_t count;                         /* with those that are closed and not freed yet */
    size_t clients;                       /* connections; without the admin socket's */
    struct gw_timer leaving;              /* session_review.c's */
};

/* Takes an accepted descriptor.  trusted: it came over the admin socket. */
void gw_session_open(struct gw_sessions *all, int fd, const struct sockaddr_storage *peer,
                     bool trusted);

/* Stops keep-alive: idle connections are closed now, busy ones after their request. */
void gw_sessions_drain(struct gw_sessions *all);

/* Closes everything at once; requests are aborted and logged. */
void gw_sessions_close(struct gw_sessions *all);

/* What has come may be the end of requests that were let in before (gw_world_doubt()): tunnels are
 * closed, other requests after timeouts.revoked. */
void gw_sessions_review(struct gw_sessions *all);

/* Called by req.c when the last log step has run: frees the request, goes on or ends. */
void gw_session_request_over(struct gw_session *s, struct gw_req *req);

/* The client's byte stream, for steps that write to it. */
struct gw_conn *gw_session_conn(struct gw_session *s);

/* Who takes the request body.  Slices are valid during the call.  Returns false to be left
 * alone until gw_session_body_resume(). */
struct gw_body_sink {
    bool (*bytes)(void *arg, const struct iovec *iov, unsigned n, size_t bytes);
    void (*end)(void *arg, const struct gw_headers *trailers); /* all has come */
    void (*fail)(void *arg, enum gw_err err); /* broken, too large, too slow, or client gone */
    /* The connection that gets the bytes as they are: those of a big body may be spliced to it, and
     * bytes() hears of them afterwards, without slices.  May be left out, or say NULL. */
    struct gw_conn *(*straight)(void *arg);
    void *arg;
};

/* Starts (or goes on) delivering the body to the sink; may call it from within. */
void gw_session_body_start(struct gw_session *s, const struct gw_body_sink *sink);
void gw_session_body_resume(struct gw_session *s);
/* Delivers nothing until the next gw_session_body_start(): the sink is not ready any more. */
void gw_session_body_hold(struct gw_session *s);
/* The sink is not called any more; what still comes is thrown away. */
void gw_session_body_stop(struct gw_session *s);
bool gw_session_body_done(const struct gw_session *s); /* all of it has been read */

/* Called when the client's connection has written all that was kept. */
void gw_session_on_drained(struct gw_session *s, void (*drained)(void *arg), void *arg);

/* Who has the client's connection after a 101. */
struct gw_tunnel_events {
    void (*bytes)(void *arg, char *p, size_t n); /* that came right behind the request's head */
    void (*readable)(void *arg);
    void (*drain)(void *arg, uint64_t at_ms);   /* the server stops: to be closed about then */
    void (*forbid)(void *arg, enum gw_err why); /* to be closed now: it may be no longer */
};

/* Hands over what has come already, and the reading of all that comes. */
void gw_session_tunnel(struct gw_session *s, const struct gw_tunnel_events *events, void *arg);

/* The running request's answer goes on for as long as its owner likes (stream.h): the session tells
 * it what comes.  NULL: no longer. */
void gw_session_stream(struct gw_session *s, struct gw_stream *stream);
bool gw_session_drains(const struct gw_session *s); /* the server is about to stop */

/* May the client's connection be used for another request, as far as is known now?  Steps that
 * build the response head ask this for `Connection: close`. */
bool gw_session_keep_alive(const struct gw_session *s);
void gw_session_no_keep_alive(struct gw_session *s);
/* The answer is there before the body was: what is missing of it is not waited for, unless it is
 * little. */
void gw_session_answered_early(struct gw_session *s);

/* The answer can't be finished as it was begun: the connection is reset after the log steps, so
 * that the client can't take it for whole. */
void gw_session_cut(struct gw_session *s);

/* From now on the client keeps us waiting: for its body, or for room for its answer. */
void gw_session_touch(struct gw_session *s);

/* The client was told to send its body (100). */
void gw_session_continue(struct gw_session *s);

#endif
