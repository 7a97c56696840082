/*
 * websocket.h - where frames begin and end in one direction of a WebSocket (RFC 6455, 5.2).
 *
 * The bytes of a tunnel are passed on as they are: messages are neither read nor checked.  This
 * knows the places where a frame of our own may stand between two of theirs, and hands out each
 * control frame whole, so that an answer to a frame of ours can be left out.  A direction that
 * turns out not to be WebSocket is `lost`: from then on all its bytes are just passed on.
 */
#ifndef GW_HTTP_WEBSOCKET_H
#define GW_HTTP_WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GW_WS_PAYLOAD_MAX 125                         /* of a control frame */
#define GW_WS_CONTROL_MAX (2 + 4 + GW_WS_PAYLOAD_MAX) /* a whole one */

enum gw_ws_opcode {
    GW_WS_CLOSE = 8,
    GW_WS_PING = 9,
    GW_WS_PONG = 10,
};

enum gw_ws_status {
    GW_WS_GOING_AWAY = 1001,
    GW_WS_POLICY_VIOLATION = 1008,
    GW_WS_SERVICE_RESTART = 1012, /* the registry's, of IANA */
};

struct gw_ws {
    uint64_t left;   /* of the running data frame's payload */
    bool masked;     /* this direction is the client's */
    bool lost;       /* no WebSocket after all */
    bool split;      /* the control frame in bytes[] did not come in one piece */
    bool out;        /* it was handed out */
    unsigned char n; /* bytes of a header, or of a control frame, that are in bytes[] */
    unsigned char bytes[GW_WS_CONTROL_MAX];
};

enum gw_ws_got {
    GW_WS_PASS,    /* they are to be passed on */
    GW_WS_CONTROL, /* they complete a control frame, which is in bytes[0 .. n) */
    GW_WS_HELD,    /* they begin one, and are kept in bytes[]: not to be passed on yet */
};

void gw_ws_init(struct gw_ws *w, bool masked);

/* Looks at the next bytes, n > 0 of them; *used: to how many of them the answer belongs.
 * one: goes no further than the end of a frame. */
enum gw_ws_got gw_ws_look(struct gw_ws *w, const char *p, size_t n, bool one, size_t *used);

/* How many bytes are held: when the direction ends within a control frame, they go on as they
 * are. */
size_t gw_ws_held(const struct gw_ws *w);

/* May a frame of ours stand here? */
bool gw_ws_at_border(const struct gw_ws *w);

/* How many of the next bytes are payload for certain. */
static inline uint64_t
gw_ws_uniform(const struct gw_ws *w)
{
    return w->left;
}

void gw_ws_skip(struct gw_ws *w, size_t n); /* they were passed on unseen */

/* Of the control frame that was just handed out; 0: by it the direction was lost. */
unsigned gw_ws_opcode(const struct gw_ws *w);
size_t gw_ws_payload(const struct gw_ws *w, unsigned char payload[GW_WS_PAYLOAD_MAX]);

/* Writes a control frame, masked by the four bytes of `mask` unless it is NULL; its length. */
size_t gw_ws_control(unsigned char out[GW_WS_CONTROL_MAX], enum gw_ws_opcode opcode,
                     const void *payload, size_t n, const unsigned char *mask);

/* The same with a status and no words. */
size_t gw_ws_close(unsigned char out[GW_WS_CONTROL_MAX], enum gw_ws_status status,
                   const unsigned char *mask);

#endif
