/* Requests: what is read from them, and each refusal of the parser; every case whole, byte by
 * byte, and cut in two at each place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "t/lib/http_feed.h"

#define HOST      "Host: a.example\r\n"
#define GET       "GET / HTTP/1.1\r\n" HOST
#define POST      "POST / HTTP/1.1\r\n" HOST
#define CHUNKED   POST "Transfer-Encoding: chunked\r\n\r\n"
#define SAID_HOST "[Host]=[a.example] "

static const struct gw_parse_limits limits = {
    .head_bytes = 1000, .target_bytes = 100, .headers = 8};

struct row {
    const char *name;
    struct gw_str bytes;
    const char *said; /* an error: its name and the detail's beginning */
};

#define ROW(name, bytes, said)                 \
    {                                          \
        name, {bytes, sizeof(bytes) - 1}, said \
    }

/* clang-format off */
static const struct row accepted[] = {
    ROW("a plain request", GET "\r\n", "DONE GET / 1.1 none/0 " SAID_HOST "left 0"),
    ROW("one empty line before it", "\r\n" GET "\r\n", "DONE GET / 1.1 none/0 " SAID_HOST "left 0"),
    ROW("a pipelined second stays", GET "\r\n" GET, "DONE GET / 1.1 none/0 " SAID_HOST "left 33"),
    ROW("bytes after Connection: close stay too", GET "Connection: close\r\n\r\nGET",
        "DONE GET / 1.1 none/0 close " SAID_HOST "[Connection]=[close] left 3"),
    ROW("an unfinished head", GET, "MORE "),
    ROW("HEAD", "HEAD /x?y=1 HTTP/1.1\r\n" HOST "\r\n", "DONE HEAD /x?y=1 1.1 none/0 head " SAID_HOST "left 0"),
    ROW("HTTP/1.0 closes", "GET / HTTP/1.0\r\n\r\n", "DONE GET / 1.0 none/0 close left 0"),
    ROW("HTTP/1.0 with keep-alive", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
        "DONE GET / 1.0 none/0 [Connection]=[Keep-Alive] left 0"),
    ROW("close is stronger than keep-alive", "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n",
        "DONE GET / 1.0 none/0 close [Connection]=[keep-alive, close] left 0"),
    ROW("close in a second header", GET "Connection: x\r\nConnection: y ,\tCLOSE\r\n\r\n",
        "DONE GET / 1.1 none/0 close " SAID_HOST "[Connection]=[x] [Connection]=[y ,\tCLOSE] left 0"),
    ROW("white space around values", GET "A:b\r\nC:  d\r\nE: f \r\nG:\r\nH: \r\nI: \t j k\t\r\n\r\n",
        "DONE GET / 1.1 none/0 " SAID_HOST "~[A]=[b] ~[C]=[d] ~[E]=[f] ~[G]=[] [H]=[] ~[I]=[j k] left 0"),
    ROW("obs-text in a value", GET "A: \x80\xff\r\n\r\n", "DONE GET / 1.1 none/0 " SAID_HOST "[A]=[\x80\xff] left 0"),
    ROW("a body with a length", POST "Content-Length: 5\r\n\r\nhelloGET",
        "DONE POST / 1.1 length/5 " SAID_HOST "[Content-Length]=[5] body [hello] left 3"),
    ROW("a cut body", POST "Content-Length: 5\r\n\r\nhel",
        "MORE POST / 1.1 length/5 " SAID_HOST "[Content-Length]=[5] body [hel] "),
    ROW("a length of nothing", POST "Content-Length: 0\r\n\r\n",
        "DONE POST / 1.1 none/0 " SAID_HOST "[Content-Length]=[0] left 0"),
    ROW("the largest length", POST "Content-Length: 9223372036854775807\r\n\r\n",
        "MORE POST / 1.1 length/9223372036854775807 " SAID_HOST "[Content-Length]=[9223372036854775807] "),
    ROW("GET with a body", GET "Content-Length: 2\r\n\r\nab",
        "DONE GET / 1.1 length/2 " SAID_HOST "[Content-Length]=[2] body [ab] left 0"),
    ROW("chunks", CHUNKED "5\r\nhello\r\n00a;x=\"y z\";w\r\n 123456789\r\n0\r\n\r\nGET",
        "DONE POST / 1.1 chunked/0 " SAID_HOST "[Transfer-Encoding]=[chunked] body [hello 123456789] left 3"),
    ROW("Chunked in capitals", POST "Transfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n",
        "DONE POST / 1.1 chunked/0 " SAID_HOST "[Transfer-Encoding]=[CHUNKED] left 0"),
    ROW("trailers: the harmless stay", CHUNKED "1\r\na\r\n0\r\nHost: b\r\nGrpc-Status:  0\r\nX-Remote-User: root\r\n"
        "authorization: Bearer x\r\nX_Forwarded.For: y\r\nETag: \"z\"\r\nTE: trailers\r\n\r\n",
        "DONE POST / 1.1 chunked/0 " SAID_HOST "[Transfer-Encoding]=[chunked] body [a] trailers ~[Grpc-Status]=[0] [ETag]=[\"z\"] left 0"),
    ROW("Expect", POST "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n",
        "MORE POST / 1.1 length/1 expect " SAID_HOST "[Expect]=[100-Continue] [Content-Length]=[1] "),
    ROW("Expect means nothing in HTTP/1.0", "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n",
        "MORE POST / 1.0 length/1 close [Expect]=[100-continue] [Content-Length]=[1] "),
    ROW("an upgrade; what follows is another protocol's", GET "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x05",
        "DONE GET / 1.1 none/0 upgrade " SAID_HOST "[Connection]=[keep-alive, Upgrade] [Upgrade]=[websocket] left 2"),
    ROW("an upgrade with a body is none", POST "Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 1\r\n\r\nab",
        "DONE POST / 1.1 length/1 " SAID_HOST "[Connection]=[upgrade] [Upgrade]=[h2c] [Content-Length]=[1] body [a] left 1"),
    ROW("nor one with chunks", POST "Connection: upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\nGET",
        "DONE POST / 1.1 chunked/0 " SAID_HOST "[Connection]=[upgrade] [Upgrade]=[h2c] [Transfer-Encoding]=[chunked] body [a] left 3"),
    ROW("an Upgrade that Connection does not name", GET "Upgrade: websocket\r\n\r\n",
        "DONE GET / 1.1 none/0 " SAID_HOST "[Upgrade]=[websocket] left 0"),
    ROW("the absolute form", "GET http://A.example/p HTTP/1.1\r\n" HOST "\r\n",
        "DONE GET http://A.example/p 1.1 none/0 " SAID_HOST "left 0"),
    ROW("OPTIONS *", "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "DONE OPTIONS * 1.1 none/0 " SAID_HOST "left 0"),
    ROW("IPv6 host", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "DONE GET / 1.1 none/0 [Host]=[[::1]:80] left 0"),
    ROW("odd but visible bytes in the target", "GET /a|b{c}^`\"<>\\?[x]=\\ HTTP/1.1\r\n" HOST "\r\n",
        "DONE GET /a|b{c}^`\"<>\\?[x]=\\ 1.1 none/0 " SAID_HOST "left 0"),
};

static const struct row refused[] = {
    /* the request line */
    ROW("HTTP/0.9", "GET /\r\n", "bad_request: the request line has no HTTP version"),
    ROW("HTTP/0.9 with a space", "GET / \r\n", "bad_request: \"HTTP/1.1\" or"),
    ROW("no target", "GET\r\n\r\n", "bad_request: the request line has no target"),
    ROW("two spaces after the method", "GET  / HTTP/1.1\r\n" HOST "\r\n", "bad_request: two spaces follow the method"),
    ROW("two spaces after the target", "GET /  HTTP/1.1\r\n" HOST "\r\n", "bad_request: two spaces follow the request target"),
    ROW("a space after the version", "GET / HTTP/1.1 \r\n" HOST "\r\n", "bad_request: the HTTP version is malformed"),
    ROW("a tab after the method", "GET\t/ HTTP/1.1\r\n" HOST "\r\n", "bad_request: a tab"),
    ROW("a tab after the target", "GET /\tHTTP/1.1\r\n" HOST "\r\n", "bad_request: a tab"),
    ROW("a tab in the version", "GET / \tHTTP/1.1\r\n" HOST "\r\n", "bad_request: a tab"),
    ROW("a space before the method", " GET / HTTP/1.1\r\n" HOST "\r\n", "bad_request: the request does not begin with a method"),
    ROW("two empty lines before it", "\r\n\r\n" GET "\r\n", "bad_request: the request does not begin with a method"),
    ROW("an empty line of LF", "\n" GET "\r\n", "bad_request: the request does not begin with a method"),
    ROW("CR alone before it", "\rG", "bad_request: the request begins with a CR alone"),
    ROW("RTSP", "OPTIONS * RTSP/1.0\r\n\r\n", "bad_request: the protocol is not HTTP"),
    ROW("ICE", "SOURCE /x ICE/1.0\r\n\r\n", "bad_request: the protocol is not HTTP"),
    ROW("lower-case http", "GET / http/1.1\r\n" HOST "\r\n", "bad_request: \"HTTP/1.1\" or"),
    ROW("HTTP/1.2", "GET / HTTP/1.2\r\n" HOST "\r\n", "bad_version: "),
    ROW("HTTP/0.9 by name", "GET / HTTP/0.9\r\n\r\n", "bad_version: "),
    ROW("HTTP/2.0 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "bad_version: "),
    ROW("HTTP/11.1", "GET / HTTP/11.1\r\n" HOST "\r\n", "bad_request: the HTTP version is malformed"),
    ROW("HTTP/1.10", "GET / HTTP/1.10\r\n" HOST "\r\n", "bad_request: the HTTP version is malformed"),
    ROW("HTTP/1,1", "GET / HTTP/1,1\r\n" HOST "\r\n", "bad_request: the HTTP version is malformed"),
    ROW("LF alone after the request line", "GET / HTTP/1.1\n" HOST "\r\n", "bad_request: the first line ends with LF alone"),
    ROW("CR alone after the request line", "GET / HTTP/1.1\r" HOST "\r\n", "bad_request: the HTTP version is malformed"),
    ROW("TLS", "\x16\x03\x01", "bad_request: TLS was spoken"),
    ROW("NUL first", "\0", "bad_request: the request does not begin with a method"),
    ROW("a method with a slash", "GE/T / HTTP/1.1\r\n" HOST "\r\n", "bad_request: the method is not a name"),
    ROW("an unknown method", "QUERY / HTTP/1.1\r\n" HOST "\r\n", "not_implemented: the method is not one"),
    ROW("a method in lower case", "get / HTTP/1.1\r\n" HOST "\r\n", "not_implemented: the method is not one"),
    ROW("PRI", "PRI * HTTP/1.1\r\n" HOST "\r\n", "not_implemented: "),
    ROW("SOURCE", "SOURCE /x HTTP/1.1\r\n" HOST "\r\n", "not_implemented: "),
    ROW("DESCRIBE", "DESCRIBE /x HTTP/1.1\r\n" HOST "\r\n", "not_implemented: "),
    ROW("CONNECT", "CONNECT a.example:443 HTTP/1.1\r\n" HOST "\r\n", "not_implemented: "),
    ROW("33 letters", "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1\r\n\r\n", "not_implemented: the method is longer than 32"),
    /* the target */
    ROW("a fragment", "GET /a#b HTTP/1.1\r\n" HOST "\r\n", "bad_target: the request target has a fragment"),
    ROW("8-bit", "GET /\xc3\xa4 HTTP/1.1\r\n" HOST "\r\n", "bad_target: the request target has an 8-bit byte"),
    ROW("a control byte", "GET /\x01 HTTP/1.1\r\n" HOST "\r\n", "bad_target: the request target has a control byte"),
    ROW("DEL", "GET /\x7f HTTP/1.1\r\n" HOST "\r\n", "bad_target: the request target has a control byte"),
    ROW("NUL in the target", "GET /\0 HTTP/1.1\r\n" HOST "\r\n", "bad_target: the request target has a control byte"),
    ROW("no slash", "GET a HTTP/1.1\r\n" HOST "\r\n", "bad_"),
    ROW("* of GET", "GET * HTTP/1.1\r\n" HOST "\r\n", "bad_target: the request target is neither"),
    ROW("another scheme", "GET ftp://a.example/ HTTP/1.1\r\n" HOST "\r\n", "bad_target: the request target is neither"),
    ROW("another host in the target", "GET http://b.example/ HTTP/1.1\r\n" HOST "\r\n", "bad_host: Host and the request target"),
    ROW("a user in the target", "GET http://u@a.example/ HTTP/1.1\r\n" HOST "\r\n", "bad_target: "),
    /* lines */
    ROW("a folded header", GET "A: b\r\n c\r\n\r\n", "bad_header: header \"A\" is folded"),
    ROW("a folded empty header", GET "A:\r\n\tc\r\n\r\n", "bad_header: header \"A\" is folded"),
    ROW("a first line that is folded", "GET / HTTP/1.1\r\n A: b\r\n\r\n", "bad_request: Unexpected space after start line"),
    ROW("a space before the colon", GET "A : b\r\n\r\n", "bad_header: header \"A\" has a byte"),
    ROW("no colon", GET "A\r\n\r\n", "bad_header: header \"A\" has a byte"),
    ROW("no name", GET ": b\r\n\r\n", "bad_header: a header line has no name"),
    ROW("a secret with a bad byte", GET "Authorization: Bearer s3cret\x01\r\n\r\n", "bad_header: header \"Authorization\" has a byte"),
    ROW("a name with a slash", GET "A/b: c\r\n\r\n", "bad_header: header \"A\" has a byte"),
    ROW("a name with 8 bits", GET "\xc3\xa4: c\r\n\r\n", "bad_header: header \"\" has a byte"),
    ROW("NUL in a value", GET "A: b\0c\r\n\r\n", "bad_header: header \"A\" has a byte"),
    ROW("NUL in a name", GET "A\0: b\r\n\r\n", "bad_header: header \"A\" has a byte"),
    ROW("a CR alone in a value", GET "A: b\rc\r\n\r\n", "bad_header: header \"A\" has a CR"),
    ROW("two CR", GET "A: b\r\r\n\r\n", "bad_header: header \"A\" has a CR"),
    ROW("LF alone after a header", GET "A: b\nC: d\r\n\r\n", "bad_header: header \"A\" has a byte"),
    ROW("LF alone at the end", GET "A: b\r\n\n", "bad_header: the headers do not end with CR LF"),
    ROW("LF alone after no header", "GET / HTTP/1.0\r\n\n", "bad_header: the headers do not end with CR LF"),
    ROW("nine headers", "GET / HTTP/1.0\r\n1: \r\n2: \r\n3: \r\n4: \r\n5: \r\n6: \r\n7: \r\n8: \r\n9: \r\n\r\n",
        "too_many_headers: there are 9 headers, more than 8; the largest, \"1\", has 3 bytes"),
    /* framing */
    ROW("both", POST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", "bad_framing: "),
    ROW("both, the other way round", POST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", "bad_framing: "),
    ROW("two lengths", POST "Content-Length: 3\r\nContent-Length: 4\r\n\r\n", "bad_framing: header \"Content-Length\" stands twice"),
    ROW("two equal lengths", POST "Content-Length: 3\r\nContent-Length: 3\r\n\r\n", "bad_framing: header \"Content-Length\" stands twice"),
    ROW("a list of lengths", POST "Content-Length: 3, 3\r\n\r\n", "bad_framing: header \"Content-Length\" is not one decimal"),
    ROW("a sign", POST "Content-Length: +3\r\n\r\n", "bad_framing: header \"Content-Length\" is not one decimal"),
    ROW("minus", POST "Content-Length: -3\r\n\r\n", "bad_framing: header \"Content-Length\" is not one decimal"),
    ROW("hexadecimal", POST "Content-Length: 0x3\r\n\r\n", "bad_framing: header \"Content-Length\" is not one decimal"),
    ROW("an empty length", POST "Content-Length:\r\n\r\n", "bad_framing: header \"Content-Length\" is not one decimal"),
    ROW("a space in a length", POST "Content-Length: 1 2\r\n\r\n", "bad_framing: header \"Content-Length\" is not one decimal"),
    ROW("a tab behind a length", POST "Content-Length: 3\t\r\n\r\n", "bad_framing: "),
    ROW("a space and a tab behind a length", POST "Content-Length: 3 \t \r\n\r\n", "bad_framing: "),
    ROW("a negative length to a signed reader", POST "Content-Length: 9223372036854775808\r\n\r\n", "bad_framing: Content-Length is larger than 2^63 - 1"),
    ROW("overflow", POST "Content-Length: 18446744073709551616\r\n\r\n", "bad_framing: header \"Content-Length\" is not one decimal"),
    ROW("identity, chunked", POST "Transfer-Encoding: identity, chunked\r\n\r\n", "bad_framing: Transfer-Encoding is not exactly"),
    ROW("chunked, identity", POST "Transfer-Encoding: chunked, identity\r\n\r\n", "bad_framing: "),
    ROW("chunked twice", POST "Transfer-Encoding: chunked, chunked\r\n\r\n", "bad_framing: "),
    ROW("chunked in two headers", POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", "bad_framing: "),
    ROW("identity", POST "Transfer-Encoding: identity\r\n\r\n", "bad_framing: Transfer-Encoding is not exactly"),
    ROW("an empty coding", POST "Transfer-Encoding:\r\n\r\n", "bad_framing: Transfer-Encoding is not exactly"),
    ROW("a comma after it", POST "Transfer-Encoding: chunked,\r\n\r\n", "bad_framing: "),
    ROW("a parameter", POST "Transfer-Encoding: chunked;q=1\r\n\r\n", "bad_framing: Transfer-Encoding is not exactly"),
    ROW("a vertical tab", POST "Transfer-Encoding: chunked\v\r\n\r\n", "bad_"),
    ROW("gzip", POST "Transfer-Encoding: gzip\r\n\r\n", "not_implemented: Transfer-Encoding names"),
    ROW("gzip, chunked", POST "Transfer-Encoding: gzip, chunked\r\n\r\n", "not_implemented: Transfer-Encoding names"),
    ROW("xchunked", POST "Transfer-Encoding: xchunked\r\n\r\n", "not_implemented: Transfer-Encoding names"),
    ROW("chunked in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "bad_framing: Transfer-Encoding with HTTP/1.0"),
    /* Host, Expect */
    ROW("no Host", "GET / HTTP/1.1\r\n\r\n", "bad_host: HTTP/1.1 without a Host"),
    ROW("two Hosts", GET HOST "\r\n", "bad_host: two Host headers"),
    ROW("two Hosts in HTTP/1.0", "GET / HTTP/1.0\r\n" HOST HOST "\r\n", "bad_host: two Host headers"),
    ROW("an empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", "bad_host: the Host header is not"),
    ROW("a path as Host", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "bad_host: the Host header is not"),
    ROW("a user in Host", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", "bad_host: the Host header is not"),
    ROW("two in one Host", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", "bad_host: the Host header is not"),
    ROW("an expectation that can't be met", GET "Expect: 100-continue\r\nExpect: tea\r\n\r\n", "bad_expectation: Expect is not"),
    ROW("in any order", GET "Expect: tea\r\nExpect: 100-continue\r\n\r\n", "bad_expectation: Expect is not"),
    /* chunks */
    ROW("data longer than its chunk (accepted without LLHTTP_STRICT_MODE)", CHUNKED "5\r\nhelloXX0\r\n\r\n", "bad_framing: Expected CRLF after chunk"),
    ROW("data followed by LF", CHUNKED "1\r\na\n0\r\n\r\n", "bad_framing: "),
    ROW("a size line that ends with LF", CHUNKED "1\na\r\n0\r\n\r\n", "bad_framing: "),
    ROW("a size line that ends with CR", CHUNKED "1\ra\r\n0\r\n\r\n", "bad_framing: "),
    ROW("a space before the size", CHUNKED " 1\r\na\r\n0\r\n\r\n", "bad_framing: "),
    ROW("a space after the size", CHUNKED "1 \r\na\r\n0\r\n\r\n", "bad_framing: "),
    ROW("a size with 0x", CHUNKED "0x1\r\na\r\n0\r\n\r\n", "bad_framing: "),
    ROW("a size with a sign", CHUNKED "+1\r\na\r\n0\r\n\r\n", "bad_framing: "),
    ROW("no size", CHUNKED "\r\na\r\n0\r\n\r\n", "bad_framing: "),
    ROW("an overflowing size", CHUNKED "10000000000000000\r\na\r\n0\r\n\r\n", "bad_framing: "),
    ROW("LF in an extension", CHUNKED "1;a=\nb\r\na\r\n0\r\n\r\n", "bad_framing: "),
    ROW("LF in a quoted extension", CHUNKED "1;a=\"\n\"\r\na\r\n0\r\n\r\n", "bad_framing: "),
    ROW("CR in an extension", CHUNKED "1;a=\rb\r\na\r\n0\r\n\r\n", "bad_framing: "),
    ROW("LF alone after the last chunk", CHUNKED "0\r\n\n", "bad_header: the headers do not end with CR LF"),
    ROW("LF alone after a trailer", CHUNKED "0\r\nA: b\n\r\n", "bad_header: header \"A\""),
    ROW("a folded trailer", CHUNKED "0\r\nA: b\r\n c\r\n\r\n", "bad_header: header \"A\" is folded"),
    ROW("a coding in a trailer", CHUNKED "0\r\nTransfer-Encoding: gzip, chunked, x\r\n\r\n", "bad_framing: header \"Transfer-Encoding\""),
    ROW("nine trailers", CHUNKED "0\r\n1: \r\n2: \r\n3: \r\n4: \r\n5: \r\n6: \r\n7: \r\n8: \r\n9: \r\n\r\n", "too_many_headers: there are 9 headers, more than 8; "),
};
/* clang-format on */

static void
check(const struct row *r, size_t first, size_t step, bool error)
{
    struct feed f = {.bytes = r->bytes, .first = first, .step = step, .limits = limits};

    feed_run(&f);
    const char *said = f.said.p;
    bool fits =
        error ? strncmp(said, "ERROR ", 6) == 0 && strncmp(said + 6, r->said, strlen(r->said)) == 0
              : strcmp(said, r->said) == 0;
    if (!fits) {
        print_error("%s (pieces of %zu, then %zu)\n  said: %s\n  want: %s%s\n", r->name, first,
                    step, said, error ? "ERROR " : "", r->said);
    }
    feed_fini(&f);
    assert_true(fits);
}

static void
check_all(const struct row *rows, size_t n, bool error)
{
    for (size_t i = 0; i < n; i++) {
        check(&rows[i], 0, 0, error);
        check(&rows[i], 1, 1, error);
        for (size_t cut = 1; cut < rows[i].bytes.n; cut++) {
            check(&rows[i], cut, 0, error);
        }
    }
    print_message("# %zu cases\n", n);
}

static void
accepts(void **state)
{
    (void)state;
    check_all(accepted, sizeof(accepted) / sizeof(accepted[0]), false);
}

static void
refuses(void **state)
{
    (void)state;
    check_all(refused, sizeof(refused) / sizeof(refused[0]), true);
}

/* Values may be secrets; they must not come out in words that go to logs and answers. */
static void
tells_no_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct feed f = {.bytes = refused[i].bytes, .limits = limits};
        feed_run(&f);
        assert_null(strstr(f.said.p, "s3cret"));
        assert_null(strstr(f.said.p, "a.example"));
        feed_fini(&f);
    }
}

static void
an_early_end_is_an_error(void **state)
{
    static const struct row rows[] = {
        ROW("nothing", "", "ERROR client_gone: the connection ended within the head"),
        ROW("a head", GET, "ERROR client_gone: the connection ended within the head"),
        ROW("a body", POST "Content-Length: 2\r\n\r\na",
            "ERROR client_gone: the connection ended within the body"),
        ROW("chunks", CHUNKED "0\r\n", "ERROR client_gone: the connection ended within the body"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct feed f = {.bytes = rows[i].bytes, .end = true, .limits = limits};
        feed_run(&f);
        assert_string_equal(f.said.p, rows[i].said);
        feed_fini(&f);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts),
        cmocka_unit_test(refuses),
        cmocka_unit_test(tells_no_values),
        cmocka_unit_test(an_early_end_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
