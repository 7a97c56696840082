/* Frames: where they end, whatever pieces they come in; what is handed out, held back and lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "http/websocket.h"

struct row {
    const char *name;
    bool masked;
    const char *bytes;
    size_t n;
    const char *said;
};

#define FROM_SERVER(name, bytes, said)              \
    {                                               \
        name, false, bytes, sizeof(bytes) - 1, said \
    }
#define FROM_CLIENT(name, bytes, said)             \
    {                                              \
        name, true, bytes, sizeof(bytes) - 1, said \
    }

/* "N" bytes passed, up to the next place where a frame of ours might stand: "N|";
 * "[opcode payload]" a control frame; "held N" at the end; "lost" from there on. */
/* clang-format off */
static const struct row rows[] = {
    FROM_SERVER("a text", "\x81\x05hello", "7|"),
    FROM_SERVER("an empty one", "\x81\x00", "2|"),
    FROM_SERVER("two", "\x81\x01" "a" "\x82\x02" "bc", "3|4|"),
    FROM_SERVER("the pieces of one message", "\x01\x01" "a" "\x00\x01" "b" "\x80\x00", "3|3|2|"),
    FROM_SERVER("half of one", "\x81\x05hel", "5"),
    FROM_SERVER("half of a header", "\x81", "1"),
    FROM_SERVER("a longer one", "\x82\x7e\x00\x03" "abc" "\x81\x00", "7|2|"),
    FROM_SERVER("a long one", "\x82\x7f\x00\x00\x00\x00\x00\x00\x00\x02" "ab" "\x81\x00", "12|2|"),
    FROM_SERVER("a compressed one", "\xc1\x01" "a", "3|"),
    FROM_SERVER("one without an end", "\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff" "abc", "13"),
    FROM_SERVER("a ping", "\x89\x02" "hi", "[9 hi]"),
    FROM_SERVER("a ping without words", "\x89\x00", "[9 ]"),
    FROM_SERVER("a ping between the pieces of a message", "\x01\x01" "a" "\x89\x01" "p" "\x80\x01" "b", "3|[9 p]3|"),
    FROM_SERVER("pings in a row", "\x89\x01" "a" "\x8a\x01" "b" "\x88\x00", "[9 a][10 b][8 ]"),
    FROM_SERVER("half of a ping", "\x81\x00\x89\x04" "pi", "2|held 4"),
    FROM_SERVER("the first byte of a ping", "\x89", "held 1"),
    FROM_CLIENT("a masked text", "\x81\x82\x01\x02\x03\x04" "ab" "\x81\x80" "mask", "8|6|"),
    FROM_CLIENT("a masked longer one", "\x82\xfe\x00\x02" "mask" "ab", "10|"),
    FROM_CLIENT("a masked pong", "\x8a\x83\x01\x02\x03\x01" "`````", "[10 abc]lost"),
    FROM_CLIENT("a masked close", "\x88\x82\x00\x00\x00\x00\x03\xe9", "[8 \x03\xe9]"),
    FROM_CLIENT("an unmasked text of a client", "\x81\x01" "a", "lost"),
    FROM_CLIENT("an unmasked ping of a client", "\x89\x00zz", "lost"),
    FROM_SERVER("a masked text of a server", "\x81\x81" "maska", "lost"),
    FROM_SERVER("no such data frame", "\x81\x00\x83\x00", "2|lost"),
    FROM_SERVER("no such control frame", "\x81\x00\x8b\x00", "2|lost"),
    FROM_SERVER("a control frame in pieces", "\x09\x00", "lost"),
    FROM_SERVER("a control frame of an extension", "\xc9\x00", "lost"),
    FROM_SERVER("a control frame that is too long", "\x89\x7e\x00\x7e" "abc", "lost"),
    FROM_SERVER("a length beyond all", "\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00", "lost"),
    FROM_SERVER("something else", "SSH-2.0-x\r\n", "lost"),
};
/* clang-format on */

/* What was passed: the stream's bytes in their order, whoever had them meanwhile. */
struct reading {
    struct gw_ws ws;
    struct gw_buf passed, said;
    size_t run; /* bytes passed since something was said */
};

static void
say_run(struct reading *r, const char *behind)
{
    if (r->run > 0) {
        gw_buf_printf(&r->said, "%zu%s", r->run, behind);
    }
    r->run = 0;
}

static void
got_control(struct reading *r)
{
    unsigned char payload[GW_WS_PAYLOAD_MAX];

    gw_buf_add(&r->passed, (const char *)r->ws.bytes, r->ws.n);
    assert_true(gw_ws_opcode(&r->ws) == 0 || gw_ws_at_border(&r->ws));
    if (gw_ws_opcode(&r->ws) == 0) {
        return;
    }
    say_run(r, "");
    size_t n = gw_ws_payload(&r->ws, payload);
    gw_buf_printf(&r->said, "[%u ", gw_ws_opcode(&r->ws));
    gw_buf_add(&r->said, (const char *)payload, n);
    gw_buf_printf(&r->said, "]");
}

static void
feed(struct reading *r, const char *p, size_t n, bool one)
{
    while (n > 0) {
        size_t used = 0;
        enum gw_ws_got got = gw_ws_look(&r->ws, p, n, one, &used);

        assert_in_range(used, 1, n);
        if (got == GW_WS_PASS) {
            gw_buf_add(&r->passed, p, used);
            r->run += used;
        } else if (got == GW_WS_CONTROL) {
            got_control(r);
        }
        if (one && got == GW_WS_PASS && gw_ws_at_border(&r->ws)) {
            say_run(r, "|");
        }
        p += used;
        n -= used;
    }
}

static void
read_row(const struct row *row, size_t step)
{
    struct reading r = {0};
    char held[16] = "";

    gw_ws_init(&r.ws, row->masked);
    for (size_t at = 0; at < row->n; at += step) {
        feed(&r, row->bytes + at, step < row->n - at ? step : row->n - at, true);
    }
    if (gw_ws_held(&r.ws) > 0) {
        (void)snprintf(held, sizeof(held), "held %zu", gw_ws_held(&r.ws));
        gw_buf_add(&r.passed, (const char *)r.ws.bytes, gw_ws_held(&r.ws));
    }
    if (r.ws.lost) { /* how many bytes were looked at until then depends on the pieces */
        (void)snprintf(held, sizeof(held), "lost");
    } else {
        say_run(&r, "");
    }
    gw_buf_puts(&r.said, held);
    if (!gw_str_eq(gw_buf_text(&r.said), gw_str_of(row->said))) {
        print_error("%s, by %zu: \"%.*s\", not \"%s\"\n", row->name, step,
                    GW_STR_ARG(gw_buf_text(&r.said)), row->said);
        fail();
    }
    assert_int_equal(r.passed.n, row->n); /* nothing is lost or added */
    assert_memory_equal(r.passed.p, row->bytes, row->n);
    gw_buf_fini(&r.passed);
    gw_buf_fini(&r.said);
}

static void
frames_are_found_in_any_pieces(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (size_t step = 1; step <= rows[i].n; step++) {
            read_row(&rows[i], step);
        }
    }
}

static void
frames_in_one_read_are_one_run(void **state)
{
    static const char bytes[] = "\x81\x01"
                                "a"
                                "\x82\x02"
                                "bc"
                                "\x81\x03"
                                "d";
    struct gw_ws w;
    size_t used = 0;

    (void)state;
    gw_ws_init(&w, false);
    assert_int_equal(gw_ws_look(&w, bytes, sizeof(bytes) - 1, false, &used), GW_WS_PASS);
    assert_int_equal(used, sizeof(bytes) - 1);
    assert_false(gw_ws_at_border(&w));
    assert_int_equal(gw_ws_uniform(&w), 2);
    gw_ws_skip(&w, 2);
    assert_true(gw_ws_at_border(&w));
}

static void
a_control_frame_knows_whether_it_was_split(void **state)
{
    struct gw_ws w;
    size_t used = 0;

    (void)state;
    gw_ws_init(&w, false);
    assert_int_equal(gw_ws_look(&w, "\x89\x02hi", 4, false, &used), GW_WS_CONTROL);
    assert_false(w.split);
    assert_true(gw_ws_at_border(&w));
    assert_int_equal(gw_ws_look(&w, "\x89\x02h", 3, false, &used), GW_WS_HELD);
    assert_true(gw_ws_at_border(&w)); /* before it: it is not passed on yet */
    assert_int_equal(gw_ws_held(&w), 3);
    assert_int_equal(gw_ws_look(&w, "i\x81", 2, false, &used), GW_WS_CONTROL);
    assert_int_equal(used, 1);
    assert_true(w.split);
    assert_int_equal(w.n, 4);
}

static void
what_is_written_can_be_read(void **state)
{
    static const unsigned char mask[4] = {0x37, 0xfa, 0x21, 0x3d};

    (void)state;
    for (int masked = 0; masked < 2; masked++) {
        for (size_t n = 0; n <= GW_WS_PAYLOAD_MAX; n++) {
            unsigned char payload[GW_WS_PAYLOAD_MAX];
            unsigned char again[GW_WS_PAYLOAD_MAX];
            unsigned char out[GW_WS_CONTROL_MAX];
            struct gw_ws w;
            size_t used = 0;

            for (size_t i = 0; i < n; i++) {
                payload[i] = (unsigned char)(i * 7);
            }
            size_t size = gw_ws_control(out, GW_WS_PING, payload, n, masked != 0 ? mask : NULL);
            assert_int_equal(size, n + (masked != 0 ? 6 : 2));
            gw_ws_init(&w, masked != 0);
            assert_int_equal(gw_ws_look(&w, (char *)out, size, false, &used), GW_WS_CONTROL);
            assert_int_equal(used, size);
            assert_int_equal(gw_ws_opcode(&w), GW_WS_PING);
            assert_int_equal(gw_ws_payload(&w, again), n);
            assert_memory_equal(again, payload, n);
        }
    }
}

/* The example of RFC 6455, 5.7, and a close by hand. */
static void
frames_are_those_of_the_standard(void **state)
{
    static const unsigned char mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    unsigned char out[GW_WS_CONTROL_MAX];

    (void)state;
    assert_int_equal(gw_ws_control(out, GW_WS_PONG, "Hello", 5, mask), 11);
    assert_memory_equal(out, "\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11);
    assert_int_equal(gw_ws_close(out, GW_WS_GOING_AWAY, NULL), 4);
    assert_memory_equal(out, "\x88\x02\x03\xe9", 4);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_found_in_any_pieces),
        cmocka_unit_test(frames_in_one_read_are_one_run),
        cmocka_unit_test(a_control_frame_knows_whether_it_was_split),
        cmocka_unit_test(what_is_written_can_be_read),
        cmocka_unit_test(frames_are_those_of_the_standard),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
