#include "http/websocket.h"

#include <assert.h>
#include <string.h>

#define FIN      0x80U
#define RESERVED 0x70U /* extensions mark data frames by them */
#define OPCODE   0x0fU
#define CONTROL  0x08U
#define MASK     0x80U
#define LENGTH   0x7fU

void
gw_ws_init(struct gw_ws *w, bool masked)
{
    memset(w, 0, sizeof(*w));
    w->masked = masked;
}

static size_t
header_size(const struct gw_ws *w)
{
    unsigned length = w->bytes[1] & LENGTH;
    size_t more = length == 127 ? 8 : length == 126 ? 2 : 0;

    return 2 + more + (w->masked ? 4 : 0);
}

static bool
is_control(const struct gw_ws *w)
{
    return (w->bytes[0] & CONTROL) != 0;
}

/* Of what can be known after so many bytes: is it no frame? */
static bool
is_wrong(const struct gw_ws *w)
{
    unsigned opcode = w->bytes[0] & OPCODE;

    if (w->n == 1) {
        return (opcode > 2 && opcode < GW_WS_CLOSE) || opcode > GW_WS_PONG ||
               (is_control(w) && (w->bytes[0] & (FIN | RESERVED)) != FIN);
    }
    if (w->n == 2) {
        return ((w->bytes[1] & MASK) != 0) != w->masked ||
               (is_control(w) && (w->bytes[1] & LENGTH) > GW_WS_PAYLOAD_MAX);
    }
    return w->n == 3 && !is_control(w) && (w->bytes[1] & LENGTH) == 127 &&
           (w->bytes[2] & 0x80U) != 0;
}

static uint64_t
payload_size(const struct gw_ws *w)
{
    unsigned length = w->bytes[1] & LENGTH;
    unsigned more = length == 127 ? 8 : length == 126 ? 2 : 0;
    uint64_t n = more == 0 ? length : 0;

    for (unsigned i = 0; i < more; i++) {
        n = n << 8 | w->bytes[2 + i];
    }
    return n;
}

/* One more byte of a data frame's header. */
static void
take_header(struct gw_ws *w, unsigned char c)
{
    w->bytes[w->n++] = c;
    if (is_wrong(w)) {
        w->lost = true;
        w->n = 0; /* passed on already */
    } else if (w->n >= 2 && w->n == header_size(w)) {
        w->left = payload_size(w);
        w->n = 0;
    }
}

/* As far as is known: first of all the length. */
static size_t
control_size(const struct gw_ws *w)
{
    return w->n < 2 ? 2 : header_size(w) + (w->bytes[1] & LENGTH);
}

/* Bytes of a control frame, of which some may be there already. */
static enum gw_ws_got
take_control(struct gw_ws *w, const char *p, size_t n, size_t *used)
{
    size_t at = 0;

    w->split = w->n > 0;
    while (at < n && w->n < control_size(w) && !w->lost) {
        w->bytes[w->n++] = (unsigned char)p[at++];
        w->lost = is_wrong(w);
    }
    *used = at;
    w->out = w->lost || (w->n >= 2 && w->n == control_size(w));
    return w->out ? GW_WS_CONTROL : GW_WS_HELD;
}

enum gw_ws_got
gw_ws_look(struct gw_ws *w, const char *p, size_t n, bool one, size_t *used)
{
    size_t at = 0;

    assert(n > 0);
    if (w->out) {
        w->out = false;
        w->n = 0;
    }
    while (at < n) {
        if (w->lost) {
            at = n;
        } else if (w->left > 0) {
            size_t here = w->left < n - at ? (size_t)w->left : n - at;

            w->left -= here;
            at += here;
        } else if (w->n > 0 ? is_control(w) : ((unsigned char)p[at] & CONTROL) != 0) {
            if (at > 0) {
                break; /* what is before it goes first */
            }
            return take_control(w, p, n, used);
        } else {
            take_header(w, (unsigned char)p[at++]);
        }
        if (one && w->left == 0 && w->n == 0) {
            break;
        }
    }
    *used = at;
    return GW_WS_PASS;
}

size_t
gw_ws_held(const struct gw_ws *w)
{
    return w->n > 0 && !w->out && is_control(w) ? w->n : 0;
}

bool
gw_ws_at_border(const struct gw_ws *w)
{
    return !w->lost && w->left == 0 && (w->n == 0 || is_control(w)); /* one that is held waits */
}

void
gw_ws_skip(struct gw_ws *w, size_t n)
{
    assert(n <= w->left);
    w->left -= n;
}

unsigned
gw_ws_opcode(const struct gw_ws *w)
{
    assert(w->out);
    return w->lost ? 0 : w->bytes[0] & OPCODE;
}

size_t
gw_ws_payload(const struct gw_ws *w, unsigned char payload[GW_WS_PAYLOAD_MAX])
{
    size_t at = header_size(w);
    size_t n = w->bytes[1] & LENGTH;

    assert(w->out && !w->lost);
    for (size_t i = 0; i < n; i++) {
        payload[i] = w->bytes[at + i] ^ (w->masked ? w->bytes[2 + i % 4] : 0);
    }
    return n;
}

size_t
gw_ws_control(unsigned char out[GW_WS_CONTROL_MAX], enum gw_ws_opcode opcode, const void *payload,
              size_t n, const unsigned char *mask)
{
    const unsigned char *from = payload;
    size_t at = 0;

    assert(n <= GW_WS_PAYLOAD_MAX);
    out[at++] = (unsigned char)(FIN | opcode);
    out[at++] = (unsigned char)((mask == NULL ? 0 : MASK) | n);
    for (size_t i = 0; mask != NULL && i < 4; i++) {
        out[at++] = mask[i];
    }
    for (size_t i = 0; i < n; i++) {
        out[at++] = from[i] ^ (mask == NULL ? 0 : mask[i % 4]);
    }
    return at;
}

size_t
gw_ws_close(unsigned char out[GW_WS_CONTROL_MAX], enum gw_ws_status status,
            const unsigned char *mask)
{
    const unsigned char payload[2] = {(unsigned char)(status >> 8), (unsigned char)(status & 0xff)};

    return gw_ws_control(out, GW_WS_CLOSE, payload, sizeof(payload), mask);
}
