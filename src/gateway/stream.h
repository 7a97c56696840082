/*
 * stream.h - an answer of the gateway's own that goes on after its head: a watch (ADR 20).
 *
 *     a step: gw_stream_reply()  ->  response steps  ->  send: the head
 *     from the loop: go()  ->  gw_stream_write()...  ->  gw_stream_end()
 *
 * Nothing is written to a client that has not taken what was written before: has_room says so,
 * and go() is called when it has.  What is to be told meanwhile is kept by the owner, who bounds
 * it.
 */
#ifndef GW_GATEWAY_STREAM_H
#define GW_GATEWAY_STREAM_H

#include "gateway/req.h"
#include "net/loop.h"

/* From the loop, never from within a step.  In each the owner may end the stream. */
struct gw_stream_events {
    void (*go)(void *arg);    /* the head is out; there is room again; gw_stream_later() */
    void (*drain)(void *arg); /* the server stops: end it */
    void (*forbid)(void *arg, enum gw_err why); /* whoever gets it may no longer: end it */
};

/* Lives in the request's arena.  A client that leaves ends the request: an owner that must know
 * defers a call to the arena's end. */
struct gw_stream {
    struct gw_req *req;
    const struct gw_stream_events *events;
    void *arg;
    struct gw_later later;
    bool chunked; /* HTTP/1.1; else the connection's end is the answer's */
    bool open;    /* the head is out, and the end is not */
};

/* Answers 200, and goes on.  Returns GW_REPLY; *out is the stream, which is not open yet. */
enum gw_verdict gw_stream_reply(struct gw_req *req, struct gw_str content_type,
                                const struct gw_stream_events *events, void *arg,
                                struct gw_stream **out);

/* Is it open, and has the client taken all? */
bool gw_stream_has_room(const struct gw_stream *s);

/* Sends the bytes, in a chunk of their own.  The stream is open. */
void gw_stream_write(struct gw_stream *s, struct gw_str bytes);

/* go() is called in the loop's next turn, behind what others have to do. */
void gw_stream_later(struct gw_stream *s);

/* The answer is over; `end` is the decision's, and err why, or OK.  The request, and the stream
 * with it, is gone when it returns. */
void gw_stream_end(struct gw_stream *s, const char *end, enum gw_err err);

/* For the send step: the head.  GW_WAIT; GW_NEXT for a HEAD request. */
enum gw_verdict gw_stream_send(struct gw_req *req);

#endif
