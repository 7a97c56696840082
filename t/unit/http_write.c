/* Heads and chunk frames as bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "t/lib/http_feed.h"

static void
assert_out(const struct gw_out *o, const char *text)
{
    if (!gw_str_eq((struct gw_str){o->p, o->n}, gw_str_of(text))) {
        fail_msg("wrote \"%.*s\", not \"%s\"", (int)o->n, o->p, text);
    }
}

static void
lines(void **state)
{
    struct gw_arena *a = gw_arena_new();
    struct gw_out o;

    (void)state;
    gw_out_init(&o, a, 0);
    gw_out_request_line(&o, GW_STR("GET"), GW_STR("/a?b"));
    gw_out_header(&o, GW_STR("Host"), GW_STR("x"));
    gw_out_header(&o, GW_STR("Empty"), GW_STR_NONE);
    gw_out_add(&o, "\r\n", 2);
    assert_out(&o, "GET /a?b HTTP/1.1\r\nHost: x\r\nEmpty: \r\n\r\n");

    gw_out_init(&o, a, 1000);
    gw_out_status_line(&o, 200, GW_STR_NONE);
    gw_out_status_line(&o, 404, GW_STR("Nothing here"));
    gw_out_status_line(&o, 599, GW_STR_NONE);
    assert_out(&o, "HTTP/1.1 200 OK\r\nHTTP/1.1 404 Nothing here\r\nHTTP/1.1 599 \r\n");

    gw_out_init(&o, a, 1);
    gw_out_u64(&o, 0);
    gw_out_str(&o, GW_STR(" "));
    gw_out_u64(&o, 1234567890);
    gw_out_str(&o, GW_STR_NONE);
    gw_out_u64(&o, UINT64_MAX);
    assert_out(&o, "0 123456789018446744073709551615");
    gw_arena_free(a);
}

/* What err.h answers with has a reason of its own. */
static void
every_error_has_a_reason(void **state)
{
    (void)state;
    for (int e = 0; e < gw_err_count(); e++) {
        int status = gw_err_status((enum gw_err)e);
        assert_true(status == 499 || gw_status_reason((unsigned)status).n > 0);
    }
}

static void
grows(void **state)
{
    struct gw_arena *a = gw_arena_new();
    struct gw_out o;

    (void)state;
    gw_out_init(&o, a, 3);
    for (int i = 0; i < 10000; i++) {
        gw_out_add(&o, "0123456789", (size_t)(i % 11));
    }
    assert_int_equal(o.n, 49995); /* 909 rounds of 55 */
    gw_arena_free(a);
}

static void
chunk_lines(void **state)
{
    static const size_t sizes[] = {0, 1, 9, 10, 15, 16, 255, 256, 65535, 65536, 1u << 20, SIZE_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        char line[20];
        char want[32];
        size_t n = gw_chunk_line(line, sizes[i]);

        assert_int_equal(n, snprintf(want, sizeof(want), "%zx\r\n", sizes[i]));
        assert_memory_equal(line, want, n);
    }
}

struct keep {
    const char *mask; /* '1': keep the header whose turn it is */
    unsigned at;
};

static bool
keep_masked(const struct gw_header *h, void *arg)
{
    struct keep *k = arg;

    assert_non_null(h);
    return k->mask[k->at++] == '1';
}

/* All choices of headers of a head whose lines are clean and not, written and compared. */
static void
headers_are_copied_or_written_anew(void **state)
{
    static const char *const want[] = {"A: 1\r\n", "B: 2\r\n", "C: 3\r\n",
                                       "D: \r\n",  "E: \r\n",  "F: 6\r\n"};
    enum {
        N = sizeof(want) / sizeof(want[0])
    };
    struct feed f = {
        .bytes = GW_STR("GET / HTTP/1.0\r\nA: 1\r\nB: 2\r\nC:3 \r\nD: \r\nE:\r\nF: 6\r\n\r\n"),
        .limits = {1000, 1000, 100}};

    (void)state;
    feed_run(&f);
    assert_int_equal(f.result, GW_PARSE_DONE);
    for (unsigned choice = 0; choice < 1u << N; choice++) {
        char mask[N + 1] = {0};
        struct gw_buf text = {0};
        struct gw_out o;

        for (unsigned i = 0; i < N; i++) {
            mask[i] = (choice >> i & 1) != 0 ? '1' : '0';
            gw_buf_puts(&text, mask[i] == '1' ? want[i] : "");
        }
        struct keep k = {mask, 0};
        gw_out_init(&o, f.arena, 8);
        gw_out_headers(&o, &f.parser.head.headers, keep_masked, &k);
        assert_out(&o, text.p);
        gw_buf_fini(&text);
        assert_int_equal(k.at, N);
    }
    struct gw_out all;
    gw_out_init(&all, f.arena, 8);
    gw_out_last_chunk(&all, &f.parser.head.headers);
    assert_out(&all, "0\r\nA: 1\r\nB: 2\r\nC: 3\r\nD: \r\nE: \r\nF: 6\r\n\r\n");
    gw_out_init(&all, f.arena, 8);
    gw_out_last_chunk(&all, NULL);
    assert_out(&all, "0\r\n\r\n");
    feed_fini(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),
        cmocka_unit_test(every_error_has_a_reason),
        cmocka_unit_test(grows),
        cmocka_unit_test(chunk_lines),
        cmocka_unit_test(headers_are_copied_or_written_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
