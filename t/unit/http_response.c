/* Responses: what is read from them, how long they are, and what is refused; every case whole,
 * byte by byte, and cut in two at each place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "t/lib/http_feed.h"

#define OK "HTTP/1.1 200 OK\r\n"

static const struct gw_parse_limits limits = {.head_bytes = 500, .target_bytes = 100, .headers = 8};

struct row {
    const char *name;
    struct gw_str bytes;
    const char *said; /* all of it, or an error's beginning */
    const char *asked;
};

#define ROW(name, bytes, said)                        \
    {                                                 \
        name, {bytes, sizeof(bytes) - 1}, said, "GET" \
    }
#define TO_HEAD(name, bytes, said)                     \
    {                                                  \
        name, {bytes, sizeof(bytes) - 1}, said, "HEAD" \
    }

/* clang-format off */
static const struct row open_end[] = {
    ROW("a length", OK "Content-Length: 2\r\n\r\nabc", "DONE 200 (OK) 1.1 length/2 [Content-Length]=[2] body [ab] left 1"),
    ROW("nothing", OK "Content-Length: 0\r\n\r\nabc", "DONE 200 (OK) 1.1 none/0 [Content-Length]=[0] left 3"),
    ROW("chunks and trailers", OK "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nGrpc-Status: 0\r\nSet-Cookie: x\r\n\r\n",
        "DONE 200 (OK) 1.1 chunked/0 [Transfer-Encoding]=[chunked] body [ab] trailers [Grpc-Status]=[0] left 0"),
    ROW("to the end of the connection", OK "\r\nab", "MORE 200 (OK) 1.1 to-close/0 close body [ab] "),
    ROW("Connection: close", OK "Connection: close\r\nContent-Length: 0\r\n\r\n",
        "DONE 200 (OK) 1.1 none/0 close [Connection]=[close] [Content-Length]=[0] left 0"),
    ROW("HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", "DONE 200 (OK) 1.0 none/0 close [Content-Length]=[0] left 0"),
    ROW("HTTP/1.0 keep-alive", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
        "DONE 200 (OK) 1.0 none/0 [Connection]=[keep-alive] [Content-Length]=[0] left 0"),
    ROW("HTTP/1.0 keep-alive without a length can't be kept", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n",
        "MORE 200 (OK) 1.0 to-close/0 close [Connection]=[keep-alive] "),
    ROW("no reason, but its space", "HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n", "DONE 404 () 1.1 none/0 [Content-Length]=[0] left 0"),
    ROW("no reason, no space", "HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n", "DONE 404 () 1.1 none/0 [Content-Length]=[0] left 0"),
    ROW("a reason in UTF-8", "HTTP/1.1 599 n\xc3\xb6 \t!\r\nContent-Length: 0\r\n\r\n", "DONE 599 (n\xc3\xb6 \t!) 1.1 none/0 [Content-Length]=[0] left 0"),
    ROW("100", "HTTP/1.1 100 Continue\r\n\r\nHTTP", "DONE 100 (Continue) 1.1 none/0 left 4"),
    ROW("103", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP", "DONE 103 (Early Hints) 1.1 none/0 [Link]=[x] left 4"),
    ROW("101", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81",
        "DONE 101 (Switching Protocols) 1.1 none/0 upgrade [Upgrade]=[websocket] [Connection]=[Upgrade] left 1"),
    ROW("an upgrade that is only offered", OK "Upgrade: h2c\r\nConnection: upgrade\r\nContent-Length: 1\r\n\r\nab",
        "DONE 200 (OK) 1.1 length/1 [Upgrade]=[h2c] [Connection]=[upgrade] [Content-Length]=[1] body [a] left 1"),
    ROW("204", "HTTP/1.1 204 No Content\r\n\r\n", "DONE 204 (No Content) 1.1 none/0 left 0"),
    ROW("204 with a length is not trusted again", "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nab",
        "DONE 204 (No Content) 1.1 none/0 close [Content-Length]=[2] left 2"),
    ROW("204 with chunks neither", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "DONE 204 (No Content) 1.1 none/0 close [Transfer-Encoding]=[chunked] left 5"),
    ROW("304 with the length of another", "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n",
        "DONE 304 (Not Modified) 1.1 none/0 [Content-Length]=[2] left 0"),
    TO_HEAD("HEAD with a length", OK "Content-Length: 2\r\n\r\n", "DONE 200 (OK) 1.1 none/0 [Content-Length]=[2] left 0"),
    TO_HEAD("HEAD with chunks", OK "Transfer-Encoding: chunked\r\n\r\n", "DONE 200 (OK) 1.1 none/0 [Transfer-Encoding]=[chunked] left 0"),
    TO_HEAD("HEAD without either", OK "\r\nHTTP", "DONE 200 (OK) 1.1 none/0 left 4"),
};

static const struct row ended[] = {
    ROW("to the end of the connection", OK "\r\nab", "DONE 200 (OK) 1.1 to-close/0 close body [ab] left 0"),
    ROW("nothing to the end of the connection", OK "\r\n", "DONE 200 (OK) 1.1 to-close/0 close left 0"),
    ROW("a cut body", OK "Content-Length: 2\r\n\r\na", "ERROR response_cut: the connection ended within the body"),
    ROW("cut chunks", OK "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n", "ERROR response_cut: the connection ended within the body"),
    ROW("a cut head", OK, "ERROR upstream_closed: the connection ended before"),
    ROW("no answer", "", "ERROR upstream_closed: the connection ended before"),
};

static const struct row refused[] = {
    ROW("not HTTP", "SSH-2.0-x\r\n", "ERROR upstream_invalid: the answer does not begin with"),
    ROW("an empty line first", "\r\n" OK "\r\n", "ERROR upstream_invalid: the answer does not begin with"),
    ROW("HTTP/2.0", "HTTP/2.0 200 OK\r\n\r\n", "ERROR upstream_invalid: the status line is not one of HTTP/1.0"),
    ROW("HTTP/0.9", "HTTP/0.9 200 OK\r\n\r\n", "ERROR upstream_invalid: the status line is not one of HTTP/1.0"),
    ROW("no status", "HTTP/1.1\r\n\r\n", "ERROR upstream_invalid: the status line"),
    ROW("two digits", "HTTP/1.1 20 OK\r\n\r\n", "ERROR upstream_invalid: the status is not three digits"),
    ROW("four digits", "HTTP/1.1 2000 OK\r\n\r\n", "ERROR upstream_invalid: the status is not three digits"),
    ROW("letters", "HTTP/1.1 2x0 OK\r\n\r\n", "ERROR upstream_invalid: the status is not three digits"),
    ROW("a tab", "HTTP/1.1\t200 OK\r\n\r\n", "ERROR upstream_invalid: the status is not three digits"),
    ROW("two spaces", "HTTP/1.1  200 OK\r\n\r\n", "ERROR upstream_invalid: the status is not three digits"),
    ROW("099", "HTTP/1.1 099 OK\r\n\r\n", "ERROR upstream_invalid: the status is not one of 100 to 599"),
    ROW("600", "HTTP/1.1 600 OK\r\n\r\n", "ERROR upstream_invalid: the status is not one of 100 to 599"),
    ROW("a CR in the reason", "HTTP/1.1 200 O\rK\r\n\r\n", "ERROR upstream_invalid: the reason phrase has a control byte"),
    ROW("LF alone", "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n", "ERROR upstream_invalid: the status line ends with LF alone"),
    ROW("a folded header", OK "A: b\r\n c\r\n\r\n", "ERROR upstream_invalid: header \"A\" is folded"),
    ROW("LF at the end", OK "Content-Length: 0\r\n\n", "ERROR upstream_invalid: the headers do not end with CR LF"),
    ROW("both", OK "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", "ERROR upstream_invalid: "),
    ROW("both, the other way round", OK "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", "ERROR upstream_invalid: "),
    ROW("two lengths", OK "Content-Length: 3\r\nContent-Length: 4\r\n\r\n", "ERROR upstream_invalid: header \"Content-Length\" stands twice"),
    ROW("gzip", OK "Transfer-Encoding: gzip\r\n\r\n", "ERROR upstream_invalid: Transfer-Encoding names"),
    ROW("gzip, chunked", OK "Transfer-Encoding: gzip, chunked\r\n\r\n", "ERROR upstream_invalid: Transfer-Encoding names"),
    ROW("identity", OK "Transfer-Encoding: identity\r\n\r\n", "ERROR upstream_invalid: Transfer-Encoding is not exactly"),
    ROW("chunks in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "ERROR upstream_invalid: Transfer-Encoding with HTTP/1.0"),
    ROW("data longer than its chunk (accepted without LLHTTP_STRICT_MODE)", OK "Transfer-Encoding: chunked\r\n\r\n1\r\nabc0\r\n\r\n",
        "ERROR upstream_invalid: Expected CRLF after chunk"),
    ROW("nine headers", OK "1: \r\n2: \r\n3: \r\n4: \r\n5: \r\n6: \r\n7: \r\n8: \r\n9: \r\n\r\n", "ERROR upstream_too_large: there are 9 headers, more than 8; "),
};
/* clang-format on */

static void
check(const struct row *r, size_t first, size_t step, bool end)
{
    struct feed f = {.kind = GW_PARSE_RESPONSE,
                     .asked = gw_str_of(r->asked),
                     .bytes = r->bytes,
                     .first = first,
                     .step = step,
                     .end = end,
                     .limits = limits};

    feed_run(&f);
    struct gw_str said = gw_buf_text(&f.said);
    struct gw_str want = gw_str_of(r->said);
    bool fits = gw_str_has_prefix(want, GW_STR("ERROR")) ? gw_str_has_prefix(said, want)
                                                         : gw_str_eq(said, want);
    if (!fits) {
        print_error("%s (pieces of %zu, then %zu)\n  said: %s\n  want: %s\n", r->name, first, step,
                    f.said.p, r->said);
    }
    feed_fini(&f);
    assert_true(fits);
}

static void
check_all(const struct row *rows, size_t n, bool end)
{
    for (size_t i = 0; i < n; i++) {
        check(&rows[i], 0, 0, end);
        check(&rows[i], 1, 1, end);
        for (size_t cut = 1; cut < rows[i].bytes.n; cut++) {
            check(&rows[i], cut, 0, end);
        }
    }
    print_message("# %zu cases\n", n);
}

static void
reads_answers(void **state)
{
    (void)state;
    check_all(open_end, sizeof(open_end) / sizeof(open_end[0]), false);
}

static void
takes_the_end_for_what_it_is(void **state)
{
    (void)state;
    check_all(ended, sizeof(ended) / sizeof(ended[0]), true);
}

static void
refuses(void **state)
{
    (void)state;
    check_all(refused, sizeof(refused) / sizeof(refused[0]), false);
}

static void
keeps_the_limits(void **state)
{
    char head[2 * 500] = OK "A: ";

    (void)state;
    memset(head + strlen(head), 'x', sizeof(head) - strlen(head));
    struct feed f = {.kind = GW_PARSE_RESPONSE, .bytes = {head, sizeof(head)}, .limits = limits};
    feed_run(&f);
    assert_string_equal(f.said.p,
                        "ERROR upstream_too_large: the head is larger than 500 bytes; its "
                        "largest header \"A\" has at least 483");
    feed_fini(&f);
}

/* Many chunks in one call: more slices than there is room for, all bytes in their order. */
static void
makes_few_slices(void **state)
{
    static const size_t sizes[] = {1, 511, 512, 513, 3000};

    (void)state;
    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        struct gw_buf in = {0};
        struct gw_buf want = {0};
        gw_buf_puts(&in, OK "Transfer-Encoding: chunked\r\n\r\n");
        for (int i = 0; i < 50; i++) {
            size_t at = want.n;
            for (size_t k = 0; k < sizes[s]; k++) {
                gw_buf_add(&want, &"abcdefghijklmnopqrstuvwxyz"[(k + (size_t)i) % 26], 1);
            }
            gw_buf_printf(&in, "%zx\r\n", sizes[s]);
            gw_buf_add(&in, want.p + at, sizes[s]);
            gw_buf_puts(&in, "\r\n");
        }
        gw_buf_puts(&in, "0\r\n\r\n");
        struct feed f = {.kind = GW_PARSE_RESPONSE, .bytes = gw_buf_text(&in), .limits = limits};
        feed_run(&f);
        assert_int_equal(f.result, GW_PARSE_DONE);
        assert_int_equal(f.parser.n_body, sizes[s] <= 512 ? 1 : GW_PARSE_IOV);
        assert_true(gw_str_eq(gw_buf_text(&f.body), gw_buf_text(&want)));
        feed_fini(&f);
        gw_buf_fini(&in);
        gw_buf_fini(&want);
    }
}

static void
lets_others_carry_the_body(void **state)
{
    struct feed f = {.kind = GW_PARSE_RESPONSE,
                     .bytes = GW_STR(OK "Content-Length: 9\r\n\r\nab"),
                     .limits = limits};
    size_t used = 99;

    (void)state;
    feed_run(&f);
    assert_int_equal(f.parser.body_left, 7);
    gw_parser_skip(&f.parser, 6);
    assert_int_equal(f.parser.body_bytes, 0);
    assert_int_equal(gw_parser_body(&f.parser, (char[]){"xyz"}, 3, &used), GW_PARSE_DONE);
    assert_int_equal(used, 1);
    feed_fini(&f);
}

#define LIT(text)                \
    {                            \
        (text), sizeof(text) - 1 \
    }

static void
says_what_needs_no_reading(void **state)
{
    static const struct {
        struct gw_str head;
        size_t uniform;
    } cases[] = {
        {LIT(OK "Content-Length: 65536\r\n\r\n"), 0},
        {LIT(OK "Content-Length: 65537\r\n\r\n"), 65536}, /* the last byte is read */
        {LIT(OK "Content-Length: 5000000000\r\n\r\n"), 4999999999},
        {LIT(OK "Transfer-Encoding: chunked\r\n\r\nfffff\r\n"), 0},
        {LIT(OK "Content-Length: 65537\r\n"), 0}, /* still the head */
        {LIT(OK "Content-Length: 0\r\n\r\n"), 0},
        {LIT(OK "\r\n"), SIZE_MAX},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct feed f = {.kind = GW_PARSE_RESPONSE, .bytes = cases[i].head, .limits = limits};

        feed_run(&f);
        assert_int_equal(gw_parser_uniform(&f.parser), cases[i].uniform);
        feed_fini(&f);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_answers),
        cmocka_unit_test(takes_the_end_for_what_it_is),
        cmocka_unit_test(refuses),
        cmocka_unit_test(keeps_the_limits),
        cmocka_unit_test(makes_few_slices),
        cmocka_unit_test(lets_others_carry_the_body),
        cmocka_unit_test(says_what_needs_no_reading),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
