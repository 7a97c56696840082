/* login_answer.c - what a provider may answer, and what an ID token has to say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/clock.h"
#include "modules/login_answer.h"
#include "modules/login_flights.h"
#include "modules/login_id.h"

#define N(list) (sizeof(list) / sizeof((list)[0]))
#define NOW     1700000000000ULL

/* ---- the token endpoint --------------------------------------------------------------------- */

static const struct {
    long status;
    const char *body;
    enum gw_login_outcome outcome;
    const char *error;
} answers[] = {
    {200, "{\"access_token\":\"a\",\"token_type\":\"Bearer\"}", GW_LOGIN_GOOD, ""},
    {200, "{\"access_token\":\"a\",\"token_type\":\"bearer\",\"expires_in\":60,\"id_token\":\"i\"}",
     GW_LOGIN_GOOD, ""},
    {200, "{\"access_token\":\"a\"}", GW_LOGIN_GOOD, ""},
    {200, "{\"access_token\":\"a\",\"token_type\":\"DPoP\"}", GW_LOGIN_ODD, ""},
    {200, "{\"access_token\":\"a\",\"access_token\":\"b\"}", GW_LOGIN_ODD, ""},
    {200, "{\"access_token\":\"\"}", GW_LOGIN_ODD, ""},
    {200, "{\"access_token\":1}", GW_LOGIN_ODD, ""},
    {200, "{\"access_token\":\"a\\r\\nX: y\"}", GW_LOGIN_ODD, ""},
    {200, "{\"access_token\":\"a\",\"refresh_token\":\"b c\"}", GW_LOGIN_ODD, ""},
    {200, "{\"access_token\":\"a\",\"id_token\":null}", GW_LOGIN_ODD, ""},
    {200, "{\"id_token\":\"i\"}", GW_LOGIN_ODD, ""},
    {200, "[]", GW_LOGIN_ODD, ""},
    {200, "", GW_LOGIN_ODD, ""},
    {200, "<html>", GW_LOGIN_ODD, ""},
    {302, "", GW_LOGIN_ODD, ""},
    {404, "not here", GW_LOGIN_ODD, ""},
    {400, "{\"error\":\"invalid_grant\",\"error_description\":\"used\"}", GW_LOGIN_DENIED,
     "invalid_grant"},
    {400, "{\"error\":\"invalid_request\"}", GW_LOGIN_AWAY, "invalid_request"},
    {401, "{\"error\":\"invalid_client\"}", GW_LOGIN_AWAY, "invalid_client"},
    {400, "{\"error\":\"<script>\"}", GW_LOGIN_AWAY, "?"},
    {400, "{\"error\":7}", GW_LOGIN_ODD, ""},
    {429, "slow down", GW_LOGIN_AWAY, ""},
    {500, "{\"error\":\"server_error\"}", GW_LOGIN_AWAY, "server_error"},
    {503, "", GW_LOGIN_AWAY, ""},
};

static void
test_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(answers); i++) {
        struct gw_login_answer *a =
            gw_login_answer_read(answers[i].status, gw_str_of(answers[i].body), NOW);

        if (a->outcome != answers[i].outcome || strcmp(a->error, answers[i].error) != 0) {
            fail_msg("%ld %s: %d, %s", answers[i].status, answers[i].body, (int)a->outcome,
                     a->error);
        }
        assert_int_equal(a->trouble == NULL, a->outcome == GW_LOGIN_GOOD);
        gw_login_answer_unref(a);
    }
}

/* The token itself knows best when it ends; then what is said of it; then five minutes. */
static void
test_ends(void **state)
{
    static const struct {
        const char *body;
        uint64_t access_ms;
    } cases[] = {
        {"{\"access_token\":\"opaque\"}", NOW + 300000},
        {"{\"access_token\":\"opaque\",\"expires_in\":60}", NOW + 60000},
        {"{\"access_token\":\"opaque\",\"expires_in\":-1}", NOW + 300000},
        {"{\"access_token\":\"opaque\",\"expires_in\":99999999999}", NOW + 300000},
        /* {"alg":"HS256"} {"iss":"x","exp":1700000123} */
        {"{\"access_token\":\"eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJ4IiwiZXhwIjoxNzAwMDAwMTIzfQ.AA\","
         "\"expires_in\":60}",
         1700000123000},
    };

    (void)state;
    for (size_t i = 0; i < N(cases); i++) {
        struct gw_login_answer *a = gw_login_answer_read(200, gw_str_of(cases[i].body), NOW);

        assert_int_equal(a->outcome, GW_LOGIN_GOOD);
        assert_true(a->access.expires_ms == cases[i].access_ms);
        assert_true(a->got_ms == NOW);
        gw_login_answer_unref(a);
    }
}

/* ---- the ID token --------------------------------------------------------------------------- */

static const struct {
    const char *header, *claims;
    const char *fault; /* a part of it; NULL: there is none */
} ids[] = {
#define GOOD "\"iss\":\"https://idp\",\"sub\":\"alice\",\"exp\":1700000060,\"nonce\":\"n0\""
    {"RS256", "{" GOOD ",\"aud\":\"us\"}", NULL},
    {"RS256", "{" GOOD ",\"aud\":[\"us\"]}", NULL},
    {"RS256", "{" GOOD ",\"aud\":\"us\",\"azp\":\"us\"}", NULL},
    {"RS256", "{" GOOD ",\"aud\":[\"us\",\"them\"],\"azp\":\"us\"}", NULL},
    {"RS256", "{" GOOD ",\"aud\":[\"us\",\"them\"]}", "azp"},
    {"RS256", "{" GOOD ",\"aud\":\"us\",\"azp\":\"them\"}", "azp"},
    {"RS256", "{" GOOD ",\"aud\":\"us\",\"azp\":7}", "azp"},
    {"RS256", "{" GOOD ",\"aud\":\"them\"}", "aud"},
    {"RS256", "{" GOOD ",\"aud\":[]}", "aud"},
    {"RS256", "{" GOOD ",\"aud\":[[\"us\"]]}", "aud"},
    {"RS256", "{" GOOD "}", "aud"},
    {"none", "{" GOOD ",\"aud\":\"us\"}", "not signed"},
    {"RS256", "{\"iss\":\"https://other\",\"sub\":\"alice\",\"exp\":1700000060,\"aud\":\"us\"}",
     "iss"},
    {"RS256", "{\"iss\":\"https://idp\",\"exp\":1700000060,\"aud\":\"us\",\"nonce\":\"n0\"}",
     "sub"},
    {"RS256", "{\"iss\":\"https://idp\",\"sub\":\"alice\",\"exp\":1699999000,\"aud\":\"us\"}",
     "expired"},
    {"RS256", "{\"iss\":\"https://idp\",\"sub\":\"alice\",\"aud\":\"us\"}", "exp"},
    {"RS256", "{\"iss\":\"https://idp\",\"sub\":\"alice\",\"exp\":1700000060,\"aud\":\"us\"}",
     "nonce"},
    {"RS256",
     "{\"iss\":\"https://"
     "idp\",\"sub\":\"alice\",\"exp\":1700000060,\"aud\":\"us\",\"nonce\":\"n1\"}",
     "nonce"},
    {"RS256",
     "{\"iss\":\"https://idp\",\"sub\":\"alice\",\"exp\":1700000060,\"aud\":\"us\",\"nonce\":[]}",
     "nonce"},
    {"RS256",
     "{\"iss\":\"https://idp\",\"sub\":\"bob\",\"exp\":1700000060,\"aud\":\"us\",\"nonce\":\"n0\"}",
     "another user"},
#undef GOOD
};

static struct gw_str
token_of(struct gw_arena *a, const char *alg, const char *claims)
{
    struct gw_buf out = {0};
    char *header = gw_arena_printf(a, "{\"alg\":\"%s\"}", alg);

    gw_base64url_add(&out, header, strlen(header));
    gw_buf_puts(&out, ".");
    gw_base64url_add(&out, claims, strlen(claims));
    gw_buf_puts(&out, ".AA");
    struct gw_str text = gw_arena_str(a, gw_buf_text(&out));
    gw_buf_fini(&out);
    return text;
}

static void
test_ids(void **state)
{
    const struct gw_login_expected e = {.issuer = GW_STR("https://idp"),
                                        .client_id = GW_STR("us"),
                                        .nonce = GW_STR("n0"),
                                        .subject = GW_STR("alice"),
                                        .now_ms = NOW};
    struct gw_arena *a = gw_arena_new();
    struct gw_str subject;

    (void)state;
    for (size_t i = 0; i < N(ids); i++) {
        const char *fault =
            gw_login_id_fault(a, token_of(a, ids[i].header, ids[i].claims), &e, &subject);

        if ((fault == NULL) != (ids[i].fault == NULL) ||
            (fault != NULL && strstr(fault, ids[i].fault) == NULL)) {
            fail_msg("%s: %s", ids[i].claims, fault == NULL ? "taken" : fault);
        }
        assert_true(fault != NULL || gw_str_eq(subject, GW_STR("alice")));
    }
    assert_non_null(gw_login_id_fault(a, GW_STR("opaque"), &e, &subject));
    gw_arena_free(a);
}

/* ---- the provider's document ---------------------------------------------------------------- */

static const struct {
    const char *document;
    bool good;
} documents[] = {
#define BOTH "\"authorization_endpoint\":\"https://idp/a\",\"token_endpoint\":\"https://idp/t\""
    {"{\"issuer\":\"https://idp\"," BOTH "}", true},
    {"{\"issuer\":\"https://idp\"," BOTH ",\"end_session_endpoint\":\"https://idp/e\"}", true},
    {"{\"issuer\":\"https://other\"," BOTH "}", false},
    {"{" BOTH "}", false},
    {"{\"issuer\":\"https://idp\",\"token_endpoint\":\"https://idp/t\"}", false},
    {"{\"issuer\":\"https://idp\"," BOTH ",\"revocation_endpoint\":\"http://idp/r\"}", false},
    {"{\"issuer\":\"https://idp\"," BOTH ",\"end_session_endpoint\":\"javascript:x\"}", false},
    {"{\"issuer\":\"https://idp\"," BOTH ",\"end_session_endpoint\":\"https://i/\\r\\nX: y\"}",
     false},
    {"{\"issuer\":\"https://idp\"," BOTH ",\"end_session_endpoint\":\"https://u:p@idp/\"}", false},
    {"{\"issuer\":\"https://idp\"," BOTH "} ,", false},
#undef BOTH
};

static void
test_documents(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(documents); i++) {
        struct gw_login_provider p = {.issuer = (char[]){"https://idp"},
                                      .document = (char[]){"https://idp/x"}};

        if ((gw_login_provider_read(&p, gw_str_of(documents[i].document)) == NULL) !=
            documents[i].good) {
            fail_msg("%s", documents[i].document);
        }
        assert_int_equal(p.found[GW_LOGIN_TOKEN] != NULL, documents[i].good);
        for (unsigned e = 0; e < GW_LOGIN_N_ENDPOINTS; e++) {
            free(p.found[e]);
        }
    }
}

/* RFC 6749, 2.3.1: escaped, put together, and then base64. */
static void
test_who_we_are(void **state)
{
    struct gw_login_provider p = {.client_id = (char[]){"a:b"}, .secret = (char[]){"c d&%"}};
    struct gw_buf form = {0};
    struct gw_buf header = {0};

    (void)state;
    gw_login_form_add(&form, "code", GW_STR("x/y+z~"));
    gw_login_provider_identify(&p, &form, &header);
    assert_string_equal(form.p, "code=x%2Fy%2Bz~");
    assert_string_equal(header.p, "Authorization: Basic YSUzQWI6YyUyMGQlMjYlMjU=");
    gw_buf_reset(&header);
    p.auth = GW_LOGIN_AUTH_POST;
    gw_login_provider_identify(&p, &form, &header);
    assert_string_equal(form.p, "code=x%2Fy%2Bz~&client_id=a%3Ab&client_secret=c%20d%26%25");
    assert_int_equal(header.n, 0);
    gw_buf_reset(&form);
    p.secret = NULL;
    p.auth = GW_LOGIN_AUTH_BASIC;
    gw_login_provider_identify(&p, &form, &header);
    assert_string_equal(form.p, "client_id=a%3Ab");
    assert_int_equal(header.n, 0);
    gw_buf_fini(&form);
    gw_buf_fini(&header);
}

/* ---- refreshes ------------------------------------------------------------------------------ */

static void
key_of(unsigned n, unsigned char key[GW_LOGIN_FLIGHT_KEY])
{
    memset(key, 0, GW_LOGIN_FLIGHT_KEY);
    memcpy(key, &n, sizeof(n));
}

static struct gw_login_flight *
get(struct gw_login_flights *f, unsigned n, uint64_t got_ms, uint64_t now_ms)
{
    unsigned char key[GW_LOGIN_FLIGHT_KEY];

    key_of(n, key);
    return gw_login_flights_get(f, key, got_ms, now_ms);
}

static struct gw_login_flight *
begin(struct gw_login_flights *f, unsigned n, uint64_t now_ms, size_t most)
{
    unsigned char key[GW_LOGIN_FLIGHT_KEY];

    key_of(n, key);
    return gw_login_flights_begin(f, key, now_ms, most);
}

static void
land(struct gw_login_flight *flight, uint64_t got_ms, uint64_t until_ms)
{
    struct gw_login_answer *a = gw_login_answer_new(GW_LOGIN_GOOD, NULL);

    a->got_ms = got_ms;
    gw_login_flight_land(flight, a, until_ms);
    gw_login_answer_unref(a);
}

static void
test_flights(void **state)
{
    struct gw_login_flights *f = gw_login_flights_new();

    (void)state;
    assert_null(get(f, 1, 100, 0));
    struct gw_login_flight *one = begin(f, 1, 0, 10);
    assert_ptr_equal(get(f, 1, 100, 0), one); /* under way: it counts for all */
    land(one, 200, 1000);
    assert_ptr_equal(get(f, 1, 100, 999), one);
    assert_null(get(f, 1, 200, 999));  /* who has got what came of it needs a new one */
    assert_null(get(f, 1, 100, 1000)); /* forgotten */
    struct gw_login_flight *again = begin(f, 1, 500, 10); /* the provider gives no new token */
    assert_ptr_equal(get(f, 1, 200, 500), again);
    land(again, 600, 1500);
    assert_ptr_equal(get(f, 1, 200, 1400), again);
    (void)begin(f, 2, 1450, 10); /* the first is gone, and its successor is not */
    assert_ptr_equal(get(f, 1, 200, 1450), again);
    gw_login_flights_free(f);
}

/* As many as may be; those that are under way stay. */
static void
test_flights_are_bounded(void **state)
{
    struct gw_login_flights *f = gw_login_flights_new();

    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        land(begin(f, i, 0, 10), 1, 1000);
    }
    assert_int_equal(gw_login_flights_count(f), 10);
    assert_null(get(f, 89, 0, 0));
    assert_non_null(get(f, 90, 0, 0));
    for (unsigned i = 200; i < 220; i++) {
        (void)begin(f, i, 0, 10);
    }
    assert_int_equal(gw_login_flights_count(f), 20);
    gw_login_flights_free(f);
}

/* A key that comes again takes memory again. */
static void
test_flights_of_one_key_are_bounded(void **state)
{
    struct gw_login_flights *f = gw_login_flights_new();

    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        land(begin(f, 1, 0, 10), 1, 1000);
    }
    assert_int_equal(gw_login_flights_count(f), 10);
    assert_non_null(get(f, 1, 0, 999));
    gw_login_flights_free(f);
}

/* Of later than what it is asked of, whatever it is: or nobody would find it. */
static void
test_failures_are_remembered(void **state)
{
    const struct gw_login_provider p = {.remember_ms = 600, .retry_ms = 50};
    const enum gw_login_outcome all[] = {GW_LOGIN_GOOD, GW_LOGIN_DENIED, GW_LOGIN_AWAY,
                                         GW_LOGIN_ODD};
    static const uint64_t until[] = {10600 + 9000, 10600, 10050, 10050};
    uint64_t before_ms = gw_clock_wall_ms() - 1;
    struct gw_login_flights *f = gw_login_flights_new();

    (void)state;
    for (unsigned i = 0; i < N(all); i++) {
        struct gw_login_answer *a = gw_login_answer_new(all[i], "words");
        uint64_t until_ms = gw_login_flight_until(&p, a, 9000, 10000);

        assert_int_equal(until_ms, until[i]);
        gw_login_flight_land(begin(f, i, 0, 10), a, until_ms);
        gw_login_answer_unref(a);
        assert_non_null(get(f, i, before_ms, until_ms - 1));
        assert_null(get(f, i, before_ms, until_ms));
    }
    gw_login_flights_free(f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_documents),
        cmocka_unit_test(test_who_we_are),
        cmocka_unit_test(test_flights),
        cmocka_unit_test(test_flights_are_bounded),
        cmocka_unit_test(test_flights_of_one_key_are_bounded),
        cmocka_unit_test(test_failures_are_remembered),
    };
    int failed = cmocka_run_group_tests_name("login_answer", tests, NULL, NULL);

    gw_arena_trim();
    return failed;
}
