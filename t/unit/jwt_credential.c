/* jwt_credential.c - where a credential may stand, what must come with it, and what is left of the
 * request for the backend. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "gateway/module.h"
#include "http/parse.h"
#include "modules/jwt_cookies.h"
#include "modules/jwt_credential.h"
#include "modules/jwt_site.h"
#include "modules/jwt_upgrade.h"

#define N(list) (sizeof(list) / sizeof((list)[0]))

static const struct gw_parse_limits limits = {
    .head_bytes = 8192, .target_bytes = 4096, .headers = 64};

/* With a cookie, a site that is trusted, and the query. */
static struct gw_jwt_places all;
/* As it is without any setting. */
static struct gw_jwt_places none;
static struct gw_arena *lasting;

/* A request from its head without the Host and the empty line. */
static struct gw_req *
request_of(const char *text, enum gw_route_kind route)
{
    struct gw_arena *a = gw_arena_new();
    struct gw_req *req = gw_arena_alloc(a, sizeof(*req));
    struct gw_parser *p = gw_arena_alloc(a, sizeof(*p));
    char *head = gw_arena_printf(a, "%s\r\nHost: gate.example:8080\r\n\r\n", text);
    size_t used = 0;

    gw_parser_start(p, GW_PARSE_REQUEST, &limits);
    enum gw_parse got = gw_parser_head(p, a, head, strlen(head), &used);
    assert_true(got == GW_PARSE_DONE || got == GW_PARSE_HEAD);
    req->arena = a;
    req->head = &p->head;
    req->host = GW_STR("gate.example:8080");
    req->decision.route = route;
    assert_int_equal(gw_target_split(p->head.method, p->head.target, &req->target), GW_ERR_OK);
    return req;
}

/* What becomes of it, in one line: "from scheme token" or the error, and what is changed on the
 * way to the backend: "-name" for what is taken out, "+Name: value", "=target". */
static const char *
outcome(struct gw_req *req, const struct gw_jwt_places *p, bool good)
{
    struct gw_jwt_credential c;
    const char *why;
    struct gw_buf out = {0};
    enum gw_err err = gw_jwt_credential_find(req, p, GW_STR_NONE, &c, &why);

    if (err != GW_ERR_OK) {
        gw_buf_puts(&out, gw_err_name(err));
    } else if (c.scheme.p == NULL) {
        gw_buf_puts(&out, "none");
    } else {
        gw_buf_printf(&out, "%s %.*s %.*s", c.from, GW_STR_ARG(c.scheme), GW_STR_ARG(c.token));
    }
    gw_jwt_credential_settle(req, p, &c, good && err == GW_ERR_OK && c.scheme.p != NULL);
    for (unsigned i = 0; i < req->up.n_remove; i++) {
        gw_buf_printf(&out, " -%.*s", GW_STR_ARG(req->up.remove[i]));
    }
    for (unsigned i = 0; i < req->up.n_add; i++) {
        gw_buf_printf(&out, " +%.*s: %.*s", GW_STR_ARG(req->up.add[i].name),
                      GW_STR_ARG(req->up.add[i].value));
    }
    if (req->to.target.n > 0) {
        gw_buf_printf(&out, " =%.*s", GW_STR_ARG(req->to.target));
    }
    const char *text = gw_arena_strndup(req->arena, out.p, out.n);
    gw_buf_fini(&out);
    return text;
}

#define SAME   "\r\nSec-Fetch-Site: same-origin"
#define UPS    "\r\nConnection: Upgrade\r\nUpgrade: websocket"
#define WS     "GET /x HTTP/1.1" UPS
#define PROTO  "\r\nSec-WebSocket-Protocol: "
#define BEARER "base64url.bearer.authorization.k8s.io."
#define ABC    BEARER "YWJj"

static const struct {
    const char *head, *expected;
} without_settings[] = {
    {"GET /x HTTP/1.1", "none"},
    {"GET /x HTTP/1.1\r\nAuthorization: Bearer abc", "Authorization Bearer abc"},
    {"GET /x HTTP/1.1\r\nX-KubeSphere-Authorization: Bearer abc",
     "X-KubeSphere-Authorization Bearer abc"},
    {"GET /x HTTP/1.1\r\nAuthorization: Basic YTpi", "Authorization Basic YTpi"},
    {"GET /x HTTP/1.1\r\nAuthorization: a\r\nX-KubeSphere-Authorization: b", "two_credentials"},
    /* Nothing is looked at that was not asked for, and nothing is changed. */
    {"GET /x HTTP/1.1\r\nCookie: token=abc", "none"},
    {"POST /x HTTP/1.1\r\nCookie: token=abc", "none"},
    {"GET /x?access_token=abc HTTP/1.1" UPS, "none"},
    /* Kubernetes' way needs no setting. */
    {WS PROTO ABC ", chat", "Sec-WebSocket-Protocol Bearer abc -sec-websocket-protocol "
                            "+Sec-WebSocket-Protocol: chat +Authorization: Bearer abc"},
    {WS PROTO "a," ABC PROTO "b ,, c",
     "Sec-WebSocket-Protocol Bearer abc -sec-websocket-protocol +Sec-WebSocket-Protocol: a, b, c "
     "+Authorization: Bearer abc"},
    {WS PROTO "a, b", "none"},
    {WS PROTO ABC, "token_malformed -sec-websocket-protocol"},
    {WS PROTO ABC ",", "token_malformed -sec-websocket-protocol"},
    {WS PROTO ABC ", " ABC ", chat",
     "two_credentials -sec-websocket-protocol +Sec-WebSocket-Protocol: chat"},
    {WS PROTO BEARER "YWJj=, chat",
     "token_malformed -sec-websocket-protocol +Sec-WebSocket-Protocol: chat"},
    {WS PROTO BEARER "YWJ+, chat",
     "token_malformed -sec-websocket-protocol +Sec-WebSocket-Protocol: chat"},
    {WS PROTO BEARER "YWK, chat",
     "token_malformed -sec-websocket-protocol +Sec-WebSocket-Protocol: chat"},
    {WS PROTO BEARER ", chat", "Sec-WebSocket-Protocol Bearer  -sec-websocket-protocol "
                               "+Sec-WebSocket-Protocol: chat +Authorization: Bearer "},
    {WS PROTO "BASE64URL.bearer.authorization.k8s.io.YWJj, chat", "none"},
    /* No upgrade, or to something else: it is no credential, and nobody's business. */
    {"GET /x HTTP/1.1" PROTO ABC ", chat",
     "none -sec-websocket-protocol +Sec-WebSocket-Protocol: chat"},
    {"GET /x HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1" PROTO ABC ", chat",
     "none -sec-websocket-protocol +Sec-WebSocket-Protocol: chat"},
    {WS PROTO ABC ", chat\r\nAuthorization: Bearer abc",
     "Authorization Bearer abc -sec-websocket-protocol +Sec-WebSocket-Protocol: chat"},
    {WS PROTO ABC ", chat\r\nAuthorization: Bearer abd",
     "two_credentials -sec-websocket-protocol +Sec-WebSocket-Protocol: chat"},
    {WS PROTO ABC ", chat\r\nAuthorization: Basic abc",
     "two_credentials -sec-websocket-protocol +Sec-WebSocket-Protocol: chat"},
};

static const struct {
    const char *head, *expected;
} with_settings[] = {
    {"GET /x HTTP/1.1", "none"},
    /* The cookie of that very name; what else is in there goes on. */
    {"GET /x HTTP/1.1\r\nCookie: token=abc",
     "cookie Bearer abc -cookie +Authorization: Bearer abc"},
    {"GET /x HTTP/1.1\r\nCookie: lang=zh;  token=abc ; token.sig=x;refreshToken=r; "
     "refreshToken.sig=s;a=b=c",
     "cookie Bearer abc -cookie +Cookie: lang=zh; a=b=c +Authorization: Bearer abc"},
    {"GET /x HTTP/1.1\r\nCookie: a=1\r\nCookie: token=abc; b",
     "cookie Bearer abc -cookie +Cookie: a=1; b +Authorization: Bearer abc"},
    {"GET /x HTTP/1.1\r\nCookie: Token=abc; tokens=d; a=token=abc", "none"},
    {"GET /x HTTP/1.1\r\nCookie: token=; lang=zh", "none -cookie +Cookie: lang=zh"},
    {"GET /x HTTP/1.1\r\nCookie: token", "none -cookie"},
    {"GET /x HTTP/1.1\r\nCookie: refreshToken=r", "none -cookie"},
    {"GET /x HTTP/1.1\r\nCookie: token=abc; token=abc",
     "cookie Bearer abc -cookie +Authorization: Bearer abc"},
    {"GET /x HTTP/1.1\r\nCookie: token=abc; token=abd", "two_credentials -cookie"},
    {"GET /x HTTP/1.1\r\nCookie: token=abc\r\nCookie: token=abd", "two_credentials -cookie"},
    /* A header is somebody's intention, a cookie is only there. */
    {"GET /x HTTP/1.1\r\nCookie: token=abc\r\nAuthorization: Bearer abd",
     "Authorization Bearer abd -cookie"},
    {"POST /x HTTP/1.1\r\nCookie: token=abc\r\nX-KubeSphere-Authorization: Bearer abd",
     "X-KubeSphere-Authorization Bearer abd -cookie"},
    {"GET /x HTTP/1.1\r\nCookie: token=a; token=b\r\nAuthorization: Basic YTpi",
     "Authorization Basic YTpi -cookie"},
    /* The query, only of upgrades. */
    {"GET /x?access_token=abc HTTP/1.1", "none"},
    {"GET /x?access_token=abc HTTP/1.1" UPS,
     "access_token Bearer abc +Authorization: Bearer abc =/x"},
    {"GET /x?a=%41&access_token=abc&&b HTTP/1.1" UPS,
     "access_token Bearer abc +Authorization: Bearer abc =/x?a=%41&&b"},
    {"GET /x?acces%73_token=ab%63&c=? HTTP/1.1" UPS,
     "access_token Bearer abc +Authorization: Bearer abc =/x?c=?"},
    {"GET /x?access_token=abc&access_token=abc HTTP/1.1" UPS, "two_credentials =/x"},
    {"GET /x?access_token=%zz&q HTTP/1.1" UPS, "token_malformed =/x?q"},
    {"GET /x?xaccess_token=abc&access_tokens=abc&ACCESS_TOKEN=abc HTTP/1.1" UPS, "none"},
    {"GET /x? HTTP/1.1" UPS, "none"},
    {"GET /x?access_token=abc HTTP/1.1\r\nAuthorization: Bearer abc" UPS,
     "Authorization Bearer abc =/x"},
    {"GET /x?access_token=abc HTTP/1.1\r\nAuthorization: Bearer abd" UPS, "two_credentials =/x"},
    {"GET /x?access_token=abc HTTP/1.1" UPS PROTO ABC ", chat",
     "Sec-WebSocket-Protocol Bearer abc -sec-websocket-protocol +Sec-WebSocket-Protocol: chat "
     "+Authorization: Bearer abc =/x"},
    {"GET /x?access_token=abd HTTP/1.1" UPS PROTO ABC ", chat",
     "two_credentials -sec-websocket-protocol +Sec-WebSocket-Protocol: chat =/x"},
    {"GET /x?access_token=abc&b HTTP/1.1" UPS PROTO ABC, /* whatever else is wrong */
     "token_malformed -sec-websocket-protocol =/x?b"},
    /* A page that names a token means that one, whatever the browser adds: it has to be the same.
     */
    {"GET /x?access_token=abc HTTP/1.1\r\nCookie: token=abc" UPS,
     "access_token Bearer abc -cookie +Authorization: Bearer abc =/x"},
    {"GET /x?access_token=abc HTTP/1.1\r\nCookie: token=abd" UPS, "two_credentials -cookie =/x"},
    {"GET /x?access_token=abc HTTP/1.1\r\nCookie: token.sig=abd" UPS,
     "access_token Bearer abc -cookie +Authorization: Bearer abc =/x"},
    /* Methods that change something. */
    {"POST /x HTTP/1.1\r\nCookie: token=abc", "cross_site -cookie"},
    {"POST /x HTTP/1.1\r\nCookie: token=abc" SAME,
     "cookie Bearer abc -cookie +Authorization: Bearer abc"},
    {WS "\r\nCookie: token=abc", "cross_site -cookie"},
    {WS "\r\nCookie: token=abc\r\nOrigin: http://gate.example:8080",
     "cookie Bearer abc -cookie +Authorization: Bearer abc"},
};

static void
expect(const struct gw_jwt_places *p, const char *head, const char *expected)
{
    struct gw_req *req = request_of(head, GW_ROUTE_CORE);
    const char *got = outcome(req, p, true);

    if (strcmp(got, expected) != 0) {
        fail_msg("%s\n  is  %s\n  not %s", head, got, expected);
    }
    gw_arena_free(req->arena);
}

static void
test_places(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(without_settings); i++) {
        expect(&none, without_settings[i].head, without_settings[i].expected);
    }
    for (size_t i = 0; i < N(with_settings); i++) {
        expect(&all, with_settings[i].head, with_settings[i].expected);
    }
}

/* Extensions are told who asks in other words, and a token that is no good goes nowhere. */
static void
test_who_gets_it(void **state)
{
    static const struct {
        enum gw_route_kind route;
        bool keep, good;
        const char *expected;
    } cases[] = {
        {GW_ROUTE_CORE, false, true, "cookie Bearer abc -cookie +Authorization: Bearer abc"},
        {GW_ROUTE_CORE, false, false, "cookie Bearer abc -cookie"},
        {GW_ROUTE_EXTENSIONS, false, true, "cookie Bearer abc -cookie"},
        {GW_ROUTE_EXTENSIONS, true, true, "cookie Bearer abc -cookie +Authorization: Bearer abc"},
        {GW_ROUTE_ADMIN, false, true, "cookie Bearer abc -cookie"},
    };

    (void)state;
    for (size_t i = 0; i < N(cases); i++) {
        struct gw_req *req = request_of("GET /x HTTP/1.1\r\nCookie: token=abc", cases[i].route);

        req->keep_authorization = cases[i].keep;
        assert_string_equal(outcome(req, &all, cases[i].good), cases[i].expected);
        gw_arena_free(req->arena);
    }
}

/* One that is found to be none later (it is not in KubeSphere's token cache) goes nowhere. */
static void
test_it_is_withdrawn(void **state)
{
    struct gw_req *req = request_of("GET /x HTTP/1.1\r\nCookie: a=b; token=abc", GW_ROUTE_CORE);

    (void)state;
    assert_string_equal(outcome(req, &all, true),
                        "cookie Bearer abc -cookie +Cookie: a=b +Authorization: Bearer abc");
    gw_jwt_credential_withdraw(req);
    assert_int_equal(req->up.n_add, 1);
    assert_true(gw_str_eq(req->up.add[0].name, GW_STR("Cookie")));
    gw_arena_free(req->arena);
}

/* What another step has made of the target stays. */
static void
test_a_target_that_was_rewritten(void **state)
{
    struct gw_req *req =
        request_of("GET /extensions/e/x?a&access_token=abc HTTP/1.1" UPS, GW_ROUTE_EXTENSIONS);

    (void)state;
    req->to.target = GW_STR("/base/x?a&access_token=abc");
    assert_string_equal(outcome(req, &all, true), "access_token Bearer abc =/base/x?a");
    gw_arena_free(req->arena);

    req = request_of("GET http://gate.example:8080?access_token=abc HTTP/1.1" UPS, GW_ROUTE_CORE);
    assert_string_equal(outcome(req, &all, true),
                        "access_token Bearer abc +Authorization: Bearer abc =/");
    gw_arena_free(req->arena);
}

#define POST "POST /x HTTP/1.1\r\nCookie: token=abc; XSRF-TOKEN=f00"
#define FORM POST SAME "\r\nContent-Length: 0\r\nContent-Type: "

/* missing: a part of what is said; NULL: it may.  proxy: comes through a trusted one. */
static const struct {
    const char *head;
    bool proxy;
    const char *missing;
} sites[] = {
    {POST, false, "no Sec-Fetch-Site and no Origin"},
    {POST "\r\nSec-Fetch-Site: same-origin", false, NULL},
    {POST "\r\nSec-Fetch-Site: none", false, NULL},
    {POST "\r\nSec-Fetch-Site: same-site", false, "Sec-Fetch-Site is neither"},
    {POST "\r\nSec-Fetch-Site: cross-site", false, "Sec-Fetch-Site is neither"},
    {POST "\r\nSec-Fetch-Site: same-origin, none", false, "Sec-Fetch-Site is neither"},
    {POST "\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Site: same-origin", false, "more than one"},
    {POST "\r\nSec-Fetch-Site: ", false, "no Sec-Fetch-Site and no Origin"},
    {POST "\r\nOrigin: http://gate.example:8080", false, NULL},
    {POST "\r\nOrigin: HTTP://Gate.Example:8080", false, NULL},
    {POST "\r\nOrigin: https://gate.example:8080", false,
     "the Origin is not http://gate.example:8080"},
    {POST "\r\nOrigin: http://gate.example", false, "the Origin is not"},
    {POST "\r\nOrigin: http://gate.example:8081", false, "the Origin is not"},
    {POST "\r\nOrigin: http://gate.example:8080.evil.example", false, "the Origin is not"},
    {POST "\r\nOrigin: http://gate.example:8080@evil.example", false, "the Origin is not"},
    {POST "\r\nOrigin: http://gate.example:8080/", false, "the Origin is not"},
    {POST "\r\nOrigin: http://gate.example:8080 http://evil.example", false, "the Origin is not"},
    {POST "\r\nOrigin: null", false, "the Origin is not"},
    {POST "\r\nOrigin: gate.example:8080", false, "the Origin is not"},
    {POST "\r\nOrigin: http://evil.example\r\nOrigin: http://gate.example:8080", false,
     "more than one"},
    /* Where the browser says that it is not from here, the Host is no proof. */
    {POST "\r\nSec-Fetch-Site: cross-site\r\nOrigin: http://gate.example:8080", false,
     "Sec-Fetch-Site is neither"},
    /* A site that is listed. */
    {POST "\r\nSec-Fetch-Site: cross-site\r\nOrigin: https://console.example", false, NULL},
    {POST "\r\nOrigin: https://console.example:443", false, NULL},
    {POST "\r\nOrigin: http://console.example", false, "the Origin is not"},
    {POST "\r\nOrigin: http://[::1]:30880", false, NULL},
    /* What a proxy says of the outside counts only if it is trusted. */
    {POST "\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: out.example\r\nOrigin: "
          "https://out.example",
     true, NULL},
    {POST "\r\nX-Forwarded-Proto: https, http\r\nX-Forwarded-Host: out.example, in\r\nOrigin: "
          "https://out.example",
     true, NULL},
    {POST "\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: out.example\r\nOrigin: "
          "https://out.example",
     false, "the Origin is not http://gate.example:8080"},
    {POST "\r\nX-Forwarded-Proto: https\r\nOrigin: https://gate.example:8080", true, NULL},
    /* Forms. */
    {FORM "application/json", false, NULL},
    {FORM "application/merge-patch+json", false, NULL},
    {FORM "text/plain", false, "the cookie XSRF-TOKEN in the header X-XSRF-TOKEN"},
    {FORM "Text/Plain; charset=utf-8", false, "the cookie XSRF-TOKEN"},
    {FORM "application/x-www-form-urlencoded", false, "the cookie XSRF-TOKEN"},
    {FORM "multipart/form-data; boundary=x", false, "the cookie XSRF-TOKEN"},
    {FORM "application/json\r\nContent-Type: text/plain", false, "the cookie XSRF-TOKEN"},
    {FORM "multipart/form-data; boundary=x\r\nX-XSRF-TOKEN: f00", false, NULL},
    {FORM "multipart/form-data; boundary=x\r\nx-xsrf-token: f00", false, NULL},
    {FORM "text/plain\r\nX-XSRF-TOKEN: f0", false, "the cookie XSRF-TOKEN"},
    {FORM "text/plain\r\nX-XSRF-TOKEN: ", false, "the cookie XSRF-TOKEN"},
    {FORM "text/plain\r\nX-XSRF-TOKEN: f00\r\nCookie: XSRF-TOKEN=f01", false, NULL},
    {FORM "text/plain\r\nX-XSRF-TOKEN: f01\r\nCookie: XSRF-TOKEN=f01", false, NULL},
    {FORM "text/plain\r\nX-XSRF-TOKEN: f02\r\nCookie: XSRF-TOKEN=f01", false,
     "the cookie XSRF-TOKEN"},
    {"POST /x HTTP/1.1\r\nCookie: token=abc; XSRF-TOKEN=\r\nX-XSRF-TOKEN: " SAME
     "\r\nContent-Type: text/plain",
     false, "the cookie XSRF-TOKEN"},
    /* Methods. */
    {"GET /x HTTP/1.1", false, NULL},
    {"HEAD /x HTTP/1.1", false, NULL},
    {"OPTIONS /x HTTP/1.1", false, NULL},
    {"GET /x HTTP/1.1\r\nSec-Fetch-Site: cross-site", false, NULL},
    {"PUT /x HTTP/1.1", false, "no Sec-Fetch-Site"},
    {"PATCH /x HTTP/1.1", false, "no Sec-Fetch-Site"},
    {"DELETE /x HTTP/1.1", false, "no Sec-Fetch-Site"},
    {"PROPFIND /x HTTP/1.1", false, "no Sec-Fetch-Site"},
    {WS, false, "no Sec-Fetch-Site"},
    {"OPTIONS /x HTTP/1.1" UPS, false, "no Sec-Fetch-Site"},
    {WS "\r\nOrigin: http://evil.example", false, "the Origin is not"},
    {WS "\r\nOrigin: http://gate.example:8080", false, NULL},
};

static void
test_sites(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(sites); i++) {
        struct gw_req *req = request_of(sites[i].head, GW_ROUTE_CORE);

        req->peer_trusted = sites[i].proxy;
        const char *got = gw_jwt_site_missing(req, &all);
        if ((got == NULL) != (sites[i].missing == NULL) ||
            (got != NULL && strstr(got, sites[i].missing) == NULL)) {
            fail_msg("%s\n  is  %s\n  not %s", sites[i].head, got == NULL ? "fine" : got,
                     sites[i].missing == NULL ? "fine" : sites[i].missing);
        }
        gw_arena_free(req->arena);
    }
}

/* The cookie that a page has to repeat: once, for whoever came by a cookie. */
static void
test_greeting(void **state)
{
    static const struct {
        const char *head;
        bool secure, greeted;
    } cases[] = {
        {"GET /x HTTP/1.1\r\nCookie: token=abc", false, true},
        {"GET /x HTTP/1.1\r\nCookie: token=abc", true, true},
        {"GET /x HTTP/1.1\r\nCookie: token=abc; XSRF-TOKEN=1", false, false},
        {"GET /x HTTP/1.1\r\nCookie: a=b", false, false},
        {"GET /x HTTP/1.1\r\nCookie: token=abc\r\nAuthorization: Bearer abc", false, false},
        {WS "\r\nCookie: token=abc" SAME, false, false},
    };
    char last[64] = "";

    (void)state;
    for (size_t i = 0; i < N(cases); i++) {
        struct gw_req *req = request_of(cases[i].head, GW_ROUTE_CORE);

        req->client_tls = cases[i].secure;
        (void)outcome(req, &all, true);
        assert_int_equal(req->down.n_add, cases[i].greeted);
        if (cases[i].greeted) {
            struct gw_str set = req->down.add[0].value;
            char value[64] = "";
            char rest[64] = "";

            assert_int_equal(sscanf(set.p, "XSRF-TOKEN=%32[0-9a-f]; %63[^\n]", value, rest), 2);
            assert_int_equal(strlen(value), 32);
            assert_string_not_equal(value, last);
            assert_string_equal(rest, cases[i].secure ? "Path=/; SameSite=Strict; Secure"
                                                      : "Path=/; SameSite=Strict");
            (void)snprintf(last, sizeof(last), "%s", value);
        }
        gw_arena_free(req->arena);
    }
}

/* A mistake in the settings is told, with what would be right. */
static void
test_settings(void **state)
{
    static const char *const good[] = {"https://a.example", NULL};
    static const char *const bad[] = {
        "a.example", "https://a.example/", "ftp://a.example", "https://", "*",
        "null",      "https://a.example:x"};
    struct gw_diag diag = {0};
    struct gw_loader l = {.arena = lasting, .diag = &diag};
    struct gw_jwt_places p = {.cookie_origins = good};

    (void)state;
    assert_true(gw_jwt_places_open(&p, &l));
    assert_int_equal(p.n_origins, 1);
    assert_int_equal(p.n_hidden, 0);
    for (size_t i = 0; i < N(bad); i++) {
        p.cookie_origins = (const char *const[]){bad[i], NULL};
        assert_false(gw_jwt_places_open(&p, &l));
    }
    p = (struct gw_jwt_places){
        .cookie = "a b", .form_cookie = "XSRF-TOKEN", .form_header = "X-XSRF-TOKEN"};
    assert_false(gw_jwt_places_open(&p, &l));
    p.cookie = "token";
    assert_true(gw_jwt_places_open(&p, &l));
    assert_int_equal(p.n_hidden, 2);
    p.form_header = "X XSRF";
    assert_false(gw_jwt_places_open(&p, &l));
    p.form_header = "X-XSRF-TOKEN";
    p.cookie_private = (const char *const[]){"a;b", NULL};
    assert_false(gw_jwt_places_open(&p, &l));
    gw_diag_fini(&diag);
}

static int
set_up(void **state)
{
    static const char *const origins[] = {"https://console.example", "http://[::1]:30880", NULL};
    static const char *const private[] = {"refreshToken", "refreshToken.sig", NULL};
    struct gw_diag diag = {0};

    (void)state;
    lasting = gw_arena_new();
    struct gw_loader l = {.arena = lasting, .diag = &diag};
    all = (struct gw_jwt_places){.cookie = "token",
                                 .cookie_origins = origins,
                                 .cookie_private = private,
                                 .form_cookie = "XSRF-TOKEN",
                                 .form_header = "X-XSRF-TOKEN",
                                 .query_token = true};
    return gw_jwt_places_open(&all, &l) && gw_jwt_places_open(&none, &l) ? 0 : -1;
}

static int
tear_down(void **state)
{
    (void)state;
    gw_arena_free(lasting);
    gw_arena_trim();
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),          cmocka_unit_test(test_who_gets_it),
        cmocka_unit_test(test_it_is_withdrawn), cmocka_unit_test(test_a_target_that_was_rewritten),
        cmocka_unit_test(test_sites),           cmocka_unit_test(test_greeting),
        cmocka_unit_test(test_settings),
    };

    return cmocka_run_group_tests_name("jwt_credential", tests, set_up, tear_down);
}
