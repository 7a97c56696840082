/* Requests of any size and of any byte: what is bounded, and what may stand where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "t/lib/http_feed.h"

#define HOST    "Host: a.example\r\n"
#define GET     "GET / HTTP/1.1\r\n" HOST
#define CHUNKED "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"

static const struct gw_parse_limits limits = {
    .head_bytes = 1000, .target_bytes = 100, .headers = 8};

/* Feeds the bytes in three ways, expects the same each time, and returns the text of it. */
static const char *
said_of(struct gw_str bytes)
{
    static char text[8000];
    const size_t steps[] = {0, 1, 7};

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct feed f = {.bytes = bytes, .first = steps[i], .step = steps[i], .limits = limits};
        feed_run(&f);
        if (i > 0) {
            assert_string_equal(f.said.p, text);
        }
        (void)snprintf(text, sizeof(text), "%s", f.said.p);
        feed_fini(&f);
    }
    return text;
}

/* A request around n times the letter: what comes before it, and after. */
static const char *
said_of_long(const char *before, size_t n, const char *after)
{
    struct gw_buf b = {0};

    gw_buf_puts(&b, before);
    for (size_t i = 0; i < n; i++) {
        gw_buf_puts(&b, "a");
    }
    gw_buf_puts(&b, after);
    const char *said = said_of(gw_buf_text(&b));
    gw_buf_fini(&b);
    return said;
}

static void
keeps_the_limits(void **state)
{
    const size_t around = sizeof(GET "A: \r\n\r\n") - 1;

    (void)state;
    assert_memory_equal(said_of_long(GET "A: ", limits.head_bytes - around, "\r\n\r\n"), "DONE ",
                        5);
    assert_string_equal(said_of_long(GET "A: ", limits.head_bytes - around + 1, "\r\n\r\n"),
                        "ERROR head_too_large: the head is larger than 1000 bytes; its largest "
                        "header \"A\" has 964");
    assert_string_equal(
        said_of_long(GET "Big: ", 900, "\r\nX: y\r\nC: 1234567890123456789012345678901"), "MORE ");
    assert_memory_equal(said_of_long("GET /", limits.target_bytes - 1, " HTTP/1.0\r\n\r\n"),
                        "DONE ", 5);
    assert_string_equal(said_of_long("GET /", limits.target_bytes, " HTTP/1.0\r\n\r\n"),
                        "ERROR target_too_long: the request target has 101 bytes, more than 100");
    assert_string_equal(said_of_long("GET /", 2000, " HTTP/1.0\r\n\r\n"),
                        "ERROR target_too_long: the request target has more than 100 bytes");
    assert_string_equal(said_of_long("", 2000, ""), "ERROR head_too_large: the first line alone is "
                                                    "larger than 1000 bytes");
    assert_memory_equal(said_of_long(CHUNKED "0\r\nA: ", 1000 - 7, "\r\n\r\n"), "DONE ", 5);
    assert_string_equal(said_of_long(CHUNKED "0\r\nA: ", 1000 - 6, "\r\n\r\n"),
                        "ERROR head_too_large: the trailer section is larger than 1000 bytes; its "
                        "largest header \"A\" has 997");
    assert_memory_equal(said_of_long(CHUNKED "0;", 4000, "\r\n\r\n"), "DONE ", 5);
    assert_string_equal(said_of_long(CHUNKED "0;", 4096, "\r\n\r\n"),
                        "ERROR bad_framing: a chunk's line is longer than 4096 bytes");
}

/* `times` chunks of one byte, with n letters of extension each. */
static const char *
said_of_chunks(int times, int n)
{
    struct gw_buf b = {0};

    gw_buf_puts(&b, CHUNKED);
    for (int i = 0; i < times; i++) {
        gw_buf_printf(&b, "1;%0*d\r\nx\r\n", n, 0);
    }
    gw_buf_puts(&b, "0\r\n\r\n");
    const char *said = said_of(gw_buf_text(&b));
    gw_buf_fini(&b);
    return said;
}

static void
bears_small_chunks_but_no_flood_of_extensions(void **state)
{
    (void)state;
    assert_memory_equal(said_of_chunks(5000, 1), "DONE ", 5);
    assert_memory_equal(said_of_chunks(15, 1000), "DONE ", 5);
    assert_string_equal(said_of_chunks(30, 1000),
                        "ERROR bad_framing: far more chunk framing than data");
}

/* Each byte in a name and in a value, also of the headers that llhttp has states of its own for. */
static void
knows_each_byte(void **state)
{
    static const char *const names[] = {"A", "Connection", "Upgrade", "Proxy-Connection", "Te"};

    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
            char text[100];
            int n = snprintf(text, sizeof(text), GET "%s: close%cx\r\n\r\n", names[i], (char)c);
            bool fine = said_of((struct gw_str){text, (size_t)n})[0] == 'D';
            assert_int_equal(fine, c == '\t' || (c >= ' ' && c != 0x7f));
        }
        char text[100];
        int n = snprintf(text, sizeof(text), GET "X%cy: z\r\n\r\n", (char)c);
        bool fine = said_of((struct gw_str){text, (size_t)n})[0] == 'D';
        bool token = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
                     (c != 0 && strchr("!#$%&'*+-.^_`|~", (int)c) != NULL);
        assert_int_equal(fine, token || c == ':');
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_the_limits),
        cmocka_unit_test(bears_small_chunks_but_no_flood_of_extensions),
        cmocka_unit_test(knows_each_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
