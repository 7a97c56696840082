/* login_seal.c - what a browser keeps for us comes back as it was, or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "modules/login_ended.h"
#include "modules/login_random.h"
#include "modules/login_seal.h"
#include "modules/login_session.h"

#define N(list) (sizeof(list) / sizeof((list)[0]))
#define NAME    GW_STR("__Host-ksgate-session")

static const char first[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
static const char second[] = "//////////////////////////////////////////8=\n";
static const unsigned char tag[GW_LOGIN_TAG] = {1, 2, 3, 4, 5, 6, 7, 8};
static struct gw_arena *arena;

static struct gw_login_keys
keys_of(const char *text)
{
    struct gw_login_keys keys;
    const char *why = NULL;
    unsigned line;

    assert_true(gw_login_keys_read(&keys, gw_str_of(text), &why, &line));
    return keys;
}

static bool
opens(const struct gw_login_keys *keys, struct gw_str name, struct gw_str text)
{
    struct gw_str bytes;

    return gw_login_open(arena, keys, GW_LOGIN_SESSION, name, text, &bytes);
}

/* ---- the seal ------------------------------------------------------------------------------ */

static void
test_there_and_back(void **state)
{
    const struct gw_login_keys keys = keys_of(first);
    char bytes[600];

    (void)state;
    for (size_t n = 0; n < sizeof(bytes); n += 1 + n / 16) {
        struct gw_str out;

        for (size_t i = 0; i < n; i++) {
            bytes[i] = (char)(i * 31 + n);
        }
        struct gw_str text =
            gw_login_seal(arena, &keys, GW_LOGIN_SESSION, NAME, (struct gw_str){bytes, n});
        assert_int_equal(text.n, gw_login_sealed_length(n));
        assert_true(gw_login_open(arena, &keys, GW_LOGIN_SESSION, NAME, text, &out));
        assert_true(gw_str_eq(out, (struct gw_str){bytes, n}));
        struct gw_str again =
            gw_login_seal(arena, &keys, GW_LOGIN_SESSION, NAME, (struct gw_str){bytes, n});
        assert_false(gw_str_eq(text, again)); /* each has a nonce of its own */
    }
}

static void
test_every_change_is_seen(void **state)
{
    const struct gw_login_keys keys = keys_of(first);
    struct gw_str text =
        gw_login_seal(arena, &keys, GW_LOGIN_SESSION, NAME, GW_STR("who it is, and for how long"));

    (void)state;
    assert_true(opens(&keys, NAME, text));
    for (size_t i = 0; i < text.n; i++) {
        char *other = gw_arena_strndup(arena, text.p, text.n);

        other[i] = (char)(other[i] == 'A' ? 'B' : 'A');
        assert_false(opens(&keys, NAME, (struct gw_str){other, text.n}));
        assert_false(opens(&keys, NAME, (struct gw_str){text.p, i})); /* cut off */
    }
    assert_false(
        opens(&keys, NAME, gw_str_of(gw_arena_printf(arena, "%.*sAAAA", GW_STR_ARG(text)))));
}

/* One cookie's text says nothing in another. */
static void
test_its_place_and_purpose(void **state)
{
    const struct gw_login_keys keys = keys_of(first);
    struct gw_str text = gw_login_seal(arena, &keys, GW_LOGIN_SESSION, NAME, GW_STR("x"));
    struct gw_str bytes;

    (void)state;
    assert_false(opens(&keys, GW_STR("ksgate-session"), text));
    assert_false(gw_login_open(arena, &keys, GW_LOGIN_BEGUN, NAME, text, &bytes));
}

static void
test_rotation(void **state)
{
    const struct gw_login_keys old = keys_of(first);
    const struct gw_login_keys both = keys_of(gw_arena_printf(arena, "%s%s", second, first));
    const struct gw_login_keys new = keys_of(second);
    struct gw_str before = gw_login_seal(arena, &old, GW_LOGIN_SESSION, NAME, GW_STR("x"));
    struct gw_str after = gw_login_seal(arena, &both, GW_LOGIN_SESSION, NAME, GW_STR("x"));

    (void)state;
    assert_true(opens(&both, NAME, before));
    assert_true(opens(&both, NAME, after));
    assert_true(opens(&new, NAME, after));
    assert_false(opens(&old, NAME, after));
    assert_false(opens(&new, NAME, before));
}

/* A loop of what somebody might send. */
static void
test_rubbish(void **state)
{
    const struct gw_login_keys keys = keys_of(first);
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ %";
    unsigned seed = 1;

    (void)state;
    for (unsigned round = 0; round < 20000; round++) {
        struct gw_login_session s;
        char text[120];
        size_t n = round % sizeof(text);

        for (size_t i = 0; i < n; i++) {
            seed = seed * 1103515245U + 12345U;
            text[i] = digits[(seed >> 16) % (i % 7 == 0 ? 70 : 64)];
        }
        assert_false(opens(&keys, NAME, (struct gw_str){text, n}));
        memcpy(text, tag, n < sizeof(tag) ? n : sizeof(tag));
        (void)gw_login_session_unpack(arena, (struct gw_str){text, n}, tag, &s); /* and no crash */
        if (round % 1000 == 0) {
            gw_arena_free(arena);
            arena = gw_arena_new();
        }
    }
}

/* ---- the file of keys ----------------------------------------------------------------------- */

static void
test_files(void **state)
{
    static const struct {
        const char *text;
        size_t keys;   /* 0: it is refused, */
        unsigned line; /* because of this line */
    } cases[] = {
        {"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", 1, 0},
        {"# the new one\n\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n"
         "//////////////////////////////////////////8=\n",
         2, 0},
        {"", 0, 0},
        {"# none\n", 0, 0},
        {"AAAA\n", 0, 1},
        {"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\nsecret\n", 0, 2},
        {"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n", 0, 1}, /* 33 bytes */
        {"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=\n", 0, 1}, /* not as a writer leaves it */
    };

    (void)state;
    for (size_t i = 0; i < N(cases); i++) {
        struct gw_login_keys keys;
        const char *why = NULL;
        unsigned line = 99;

        bool good = gw_login_keys_read(&keys, gw_str_of(cases[i].text), &why, &line);
        assert_int_equal(good, cases[i].keys > 0);
        assert_int_equal(line, cases[i].line);
        if (good) {
            assert_int_equal(keys.n, cases[i].keys);
        } else {
            assert_non_null(why);
        }
    }
}

static void
test_own_key(void **state)
{
    struct gw_login_keys a;
    struct gw_login_keys b;

    (void)state;
    assert_true(gw_login_keys_own(&a) && gw_login_keys_own(&b));
    assert_memory_equal(&a, &b, sizeof(a)); /* a reload logs nobody out */
}

/* ---- a session ------------------------------------------------------------------------------ */

static void
test_sessions(void **state)
{
    static const char *const tokens[] = {
        "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJ4In0.c2lnbmF0dXJl", /* a quarter less */
        "opaque",
        "a.b.c",
        "a..b",
        "..",
        "eyJ9.e30=.AA",
        "eyJ9.e30.AB", /* as they are */
        "",
    };
    static const unsigned char other[GW_LOGIN_TAG] = {1};

    (void)state;
    for (size_t i = 0; i + 1 < N(tokens); i++) {
        const struct gw_login_session in = {.id = UINT64_MAX - 1,
                                            .begun_ms = 1,
                                            .got_ms = UINT64_MAX,
                                            .expires_ms = 1700000000000,
                                            .token = gw_str_of(tokens[i]),
                                            .refresh = gw_str_of(tokens[i + 1]),
                                            .user = GW_STR("bob"),
                                            .subject = GW_STR("alice")};
        struct gw_login_session out;
        struct gw_str bytes = gw_login_session_pack(arena, &in, tag);

        assert_true(gw_login_session_unpack(arena, bytes, tag, &out));
        assert_true(gw_str_eq(in.token, out.token) && gw_str_eq(in.refresh, out.refresh));
        assert_true(gw_str_eq(out.subject, in.subject) && out.id_token.n == 0);
        assert_true(gw_str_eq(out.user, in.user) && out.id == in.id);
        assert_true(out.begun_ms == 1 && out.got_ms == UINT64_MAX &&
                    out.expires_ms == 1700000000000);
        assert_false(gw_login_session_unpack(arena, bytes, other, &out));
        for (size_t n = 0; n < bytes.n; n++) {
            assert_false(gw_login_session_unpack(arena, (struct gw_str){bytes.p, n}, tag, &out));
        }
        assert_true(i > 0 || bytes.n < strlen(tokens[0]) + 65);
    }
}

/* ---- PKCE ----------------------------------------------------------------------------------- */

/* RFC 7636, appendix B. */
static void
test_challenge(void **state)
{
    struct gw_str challenge =
        gw_login_challenge(arena, GW_STR("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));

    (void)state;
    assert_true(gw_str_eq(challenge, GW_STR("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")));
    assert_int_equal(gw_login_random(arena).n, 43);
    assert_false(gw_login_same(gw_login_random(arena), gw_login_random(arena)));
    assert_true(gw_login_same(challenge, gw_arena_str(arena, challenge)));
    assert_false(gw_login_same(GW_STR_NONE, GW_STR_NONE));
}

/* ---- sessions that somebody has left -------------------------------------------------------- */

static void
test_ended(void **state)
{
    const uint64_t step = 1ULL << 48; /* numbers that stand in the same places */
    uint64_t id = 0;

    (void)state;
    assert_true(gw_login_random_id(&id) && id != 0);
    assert_false(gw_login_ended_has(GW_LOGIN_SESSIONS, 0));
    for (uint64_t i = 1; i <= 32; i++) {
        assert_false(gw_login_ended_has(GW_LOGIN_SESSIONS, 7 + i * step));
        gw_login_ended_add(GW_LOGIN_SESSIONS, 7 + i * step, 1000 + i, 0);
        gw_login_ended_add(GW_LOGIN_SESSIONS, 7 + i * step, 1000 + i, 0); /* once is enough */
    }
    for (uint64_t i = 1; i <= 32; i++) {
        assert_true(gw_login_ended_has(GW_LOGIN_SESSIONS, 7 + i * step));
    }
    assert_false(gw_login_ended_has(GW_LOGIN_SESSIONS, 8));
    gw_login_ended_add(GW_LOGIN_SESSIONS, 7, 5000, 1500); /* in the place of what is over soonest */
    assert_true(gw_login_ended_has(GW_LOGIN_SESSIONS, 7));
    assert_false(gw_login_ended_has(GW_LOGIN_SESSIONS, 7 + step));
    assert_true(gw_login_ended_has(GW_LOGIN_SESSIONS, 7 + 2 * step));
}

static int
set_up(void **state)
{
    (void)state;
    arena = gw_arena_new();
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    gw_arena_free(arena);
    gw_arena_trim();
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_every_change_is_seen),
        cmocka_unit_test(test_its_place_and_purpose),
        cmocka_unit_test(test_rotation),
        cmocka_unit_test(test_rubbish),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_own_key),
        cmocka_unit_test(test_sessions),
        cmocka_unit_test(test_challenge),
        cmocka_unit_test(test_ended),
    };

    return cmocka_run_group_tests_name("login_seal", tests, set_up, tear_down);
}
