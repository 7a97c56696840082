/* Any bytes as one direction of a WebSocket: however they are cut into pieces, each byte is passed
 * on once and in order, and frames of ours could stand at the same places. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "http/websocket.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct seen {
    unsigned char *passed;
    size_t n;
    unsigned char *border; /* for each place in the stream: may a frame of ours stand there? */
    bool lost;
};

static void
pass(struct seen *s, const void *p, size_t n)
{
    memcpy(s->passed + s->n, p, n);
    s->n += n;
}

static void
take_piece(struct gw_ws *w, struct seen *s, const uint8_t *p, size_t n)
{
    char *copy = malloc(n); /* of just that size: what is read beyond it is found */

    assert(copy != NULL);
    memcpy(copy, p, n);
    for (size_t at = 0; at < n;) {
        unsigned char payload[GW_WS_PAYLOAD_MAX];
        size_t used = 0;
        enum gw_ws_got got = gw_ws_look(w, copy + at, n - at, true, &used);

        assert(used > 0 && used <= n - at);
        if (got == GW_WS_PASS) {
            pass(s, copy + at, used);
        } else if (got == GW_WS_CONTROL) {
            pass(s, w->bytes, w->n);
            assert(w->split || w->lost || w->n == used);
            assert(gw_ws_opcode(w) == 0 || gw_ws_payload(w, payload) <= GW_WS_PAYLOAD_MAX);
        } else {
            assert(gw_ws_held(w) >= used);
        }
        at += used;
        s->border[s->n] = gw_ws_at_border(w);
    }
    free(copy);
}

static void
run(const uint8_t *data, size_t n, bool masked, size_t first, size_t step, struct seen *s)
{
    struct gw_ws w;

    gw_ws_init(&w, masked);
    s->border[0] = gw_ws_at_border(&w);
    for (size_t at = 0; at < n;) {
        size_t piece = at == 0 ? first : step;

        piece = piece < n - at ? piece : n - at;
        take_piece(&w, s, data + at, piece);
        at += piece;
    }
    pass(s, w.bytes, gw_ws_held(&w));
    s->lost = w.lost;
    assert(s->n == n && memcmp(s->passed, data, n) == 0);
}

static struct seen
seen_new(size_t n)
{
    struct seen s = {.passed = malloc(n), .border = calloc(n + 1, 1)};

    assert(s.passed != NULL && s.border != NULL);
    return s;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 4) {
        return 0;
    }
    bool masked = (data[0] & 1) != 0;
    size_t first = (size_t)data[1] + 1;
    size_t step = (size_t)data[2] + 1;
    data += 3;
    n -= 3;
    struct seen whole = seen_new(n);
    struct seen pieces = seen_new(n);

    run(data, n, masked, n, n, &whole);
    run(data, n, masked, first, step, &pieces);
    assert(whole.lost == pieces.lost);
    assert(memcmp(whole.border, pieces.border, n + 1) == 0);
    free(whole.passed);
    free(whole.border);
    free(pieces.passed);
    free(pieces.border);
    return 0;
}
