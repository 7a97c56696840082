/* jwt_revoked.c - Revocation objects, and the set that they make. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "modules/jwt_cache.h"
#include "modules/jwt_revocation.h"
#include "modules/jwt_revoked.h"

#define N(list) (sizeof(list) / sizeof((list)[0]))

#define EIGHT   1796025600000ULL /* 2026-11-30T08:00:00Z */
#define HEX     "9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08" /* of "test" */
#define B64     "n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg"

/* -- objects ------------------------------------------------------------------------------------
 */

static struct gw_revocation *
compile(const char *spec, struct gw_diag *diag)
{
    json_t *json = json_object();
    json_error_t error;
    json_t *value = json_loads(spec, JSON_DECODE_ANY, &error);

    if (value == NULL) {
        fail_msg("%s: %s", spec, error.text);
    }
    if (!json_is_null(value)) {
        json_object_set(json, "spec", value);
    }
    struct gw_piece *p = gw_jwt_revocation_compile(NULL, json, NULL, diag);
    json_decref(value);
    json_decref(json);
    return (struct gw_revocation *)p;
}

static const struct {
    const char *spec, *text; /* text NULL: it is good */
} objects[] = {
    {"{\"jti\": \"1\", \"issuer\": \"http://iss\"}", NULL},
    {"{\"tokenHash\": \"" HEX "\"}", NULL},
    {"{\"tokenHash\": \"" B64 "\", \"expires\": \"2100-01-01T00:00:00Z\"}", NULL},
    {"{\"user\": \"alice\", \"before\": \"2026-11-30T09:00:00+01:00\", \"reason\": \"lost\"}",
     NULL},
    {"null", "spec: is required"},
    {"{}", "spec: exactly one of jti, tokenHash and user says what is revoked"},
    {"{\"user\": \"\", \"before\": \"2026-11-30T08:00:00Z\"}", "spec: exactly one of"},
    {"{\"user\": \"a\", \"before\": \"2026-11-30T08:00:00Z\", \"tokenHash\": \"" B64 "\"}",
     "spec: exactly one of"},
    {"{\"jti\": \"1\"}", "spec.issuer: is needed with jti"},
    {"{\"tokenHash\": \"" B64 "\", \"issuer\": \"x\"}", "spec.issuer: goes with jti only"},
    {"{\"user\": \"alice\"}", "spec.before: is needed with user"},
    {"{\"tokenHash\": \"" B64 "\", \"before\": \"2026-11-30T08:00:00Z\"}",
     "spec.before: goes with user only"},
    {"{\"user\": \"alice\", \"before\": \"yesterday\"}",
     "spec.before: expected a time such as 2026-11-30T08:00:00Z"},
    {"{\"user\": \"alice\", \"before\": 1796025600}", "spec.before: expected a time"},
    {"{\"user\": \"alice\", \"before\": \"2026-02-30T08:00:00Z\"}", "spec.before: expected a time"},
    {"{\"tokenHash\": \"eyJhbGciOiJIUzI1NiJ9.e30.x\"}", "spec.tokenHash: expected the SHA-256"},
    {"{\"tokenHash\": \"n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgh\"}", /* a bit too many */
     "spec.tokenHash: expected the SHA-256"},
    {"{\"tokenHash\": \"zz86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08\"}",
     "spec.tokenHash: expected the SHA-256"},
    {"{\"usr\": \"alice\"}", "spec: unknown setting \"usr\""},
};

static void
test_objects(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(objects); i++) {
        struct gw_diag diag = {0};
        struct gw_revocation *r = compile(objects[i].spec, &diag);

        if ((r == NULL) != (objects[i].text != NULL) ||
            (objects[i].text != NULL && strstr(gw_diag_first(&diag), objects[i].text) == NULL) ||
            (objects[i].text == NULL && diag.n > 0)) {
            fail_msg("%s: %s", objects[i].spec, gw_diag_first(&diag));
        }
        gw_piece_unref((struct gw_piece *)r);
        gw_diag_fini(&diag);
    }
}

static void
test_unwise_objects(void **state)
{
    static const char *const specs[] = {
        "{\"user\": \"alice\", \"before\": \"2105-01-01T00:00:00Z\"}",
        "{\"tokenHash\": \"" B64 "\", \"expires\": \"2020-01-01T00:00:00Z\"}",
    };

    (void)state;
    for (size_t i = 0; i < N(specs); i++) {
        struct gw_diag diag = {0};
        struct gw_revocation *r = compile(specs[i], &diag);

        assert_non_null(r);
        assert_int_equal(diag.errors, 0);
        assert_int_equal(diag.n, 1);
        gw_piece_unref((struct gw_piece *)r);
        gw_diag_fini(&diag);
    }
}

static void
test_hash(void **state)
{
    char text[GW_JWT_HASH_TEXT + 1];

    (void)state;
    gw_jwt_token_hash(GW_STR("test"), text);
    assert_string_equal(text, B64);
}

/* -- the set ------------------------------------------------------------------------------------
 */

static struct gw_jwt_revoked *set;

static void
start(void)
{
    gw_piece_unref((struct gw_piece *)set);
    set = (struct gw_jwt_revoked *)gw_jwt_revoked_gather(NULL, &(struct gw_pieces){0},
                                                         &(struct gw_pieces){0});
}

/* Takes the pieces. */
static void
change_many(struct gw_pieces *gone, struct gw_pieces *come)
{
    struct gw_piece *before = (struct gw_piece *)set;

    set = (struct gw_jwt_revoked *)gw_jwt_revoked_gather(before, gone, come);
    gw_piece_unref(before);
    for (size_t i = 0; i < gone->n; i++) {
        gw_piece_unref(gone->list[i]);
    }
    for (size_t i = 0; i < come->n; i++) {
        gw_piece_unref(come->list[i]);
    }
}

/* NULL: none. */
static void
change(const char *gone, const char *come)
{
    struct gw_diag diag = {0};
    struct gw_piece *pieces[2] = {gone == NULL ? NULL : &compile(gone, &diag)->piece,
                                  come == NULL ? NULL : &compile(come, &diag)->piece};

    assert_int_equal(diag.errors, 0);
    change_many(&(struct gw_pieces){&pieces[0], gone != NULL, 1},
                &(struct gw_pieces){&pieces[1], come != NULL, 1});
    gw_diag_fini(&diag);
}

static const struct gw_jwt_issuer iss = {.issuer = "http://iss"};

static struct gw_jwt_pass *
pass_of(const char *token, const char *user, const char *id, uint64_t issued_ms)
{
    struct gw_jwt_claims c = {
        .issuer = &iss, .expires_ms = UINT64_MAX, .issued_ms = issued_ms, .id = gw_str_of(id)};

    c.subject.name = gw_str_of(user);
    gw_jwt_hash_token(gw_str_of(token), c.digests);
    return gw_jwt_pass_new(NULL, &c);
}

static bool
has(const char *token, const char *user, const char *id, uint64_t issued_ms, uint64_t now_ms)
{
    struct gw_jwt_pass *p = pass_of(token, user, id, issued_ms);
    bool is = gw_jwt_revoked_has(set, p, now_ms);

    assert_int_equal(gw_jwt_revoked_has(set, p, now_ms), is); /* with what it remembers */
    gw_jwt_pass_unref(p);
    return is;
}

static bool
has_new(const char *token, const char *user)
{
    struct gw_jwt_pass *p = pass_of(token, user, "", 0);
    bool is = gw_jwt_revoked_has_new(set, p, EIGHT);

    gw_jwt_pass_unref(p);
    return is;
}

static void
test_what_is_revoked(void **state)
{
    (void)state;
    assert_false(gw_jwt_revoked_has(NULL, NULL, 0));
    start();
    assert_false(has("test", "alice", "1", 0, EIGHT));

    change(NULL, "{\"jti\": \"1\", \"issuer\": \"http://iss\"}");
    assert_true(has("other", "bob", "1", EIGHT, EIGHT));
    assert_false(has("other", "bob", "2", EIGHT, EIGHT));
    assert_false(has("other", "bob", "", EIGHT, EIGHT));
    change("{\"jti\": \"1\", \"issuer\": \"http://iss\"}",
           "{\"jti\": \"1\", \"issuer\": \"http://is\"}");
    assert_false(has("other", "bob", "1", EIGHT, EIGHT)); /* another issuer's */

    change(NULL, "{\"tokenHash\": \"" HEX "\"}");
    assert_true(has("test", "bob", "", EIGHT, EIGHT));
    assert_false(has("tesT", "bob", "", EIGHT, EIGHT));
    assert_true(has("test.one", "bob", "", EIGHT, EIGHT)); /* whatever its signature is */
    assert_true(has("test.other", "bob", "", EIGHT, EIGHT));
    assert_false(has("te.test", "bob", "", EIGHT, EIGHT));
    change("{\"tokenHash\": \"" B64 "\"}", NULL); /* the same, written otherwise */
    assert_false(has("test", "bob", "", EIGHT, EIGHT));

    change(NULL, "{\"user\": \"alice\", \"before\": \"2026-11-30T08:00:00.5Z\"}");
    assert_true(has("test", "alice", "", EIGHT - 1, EIGHT));
    assert_true(has("test", "alice", "", EIGHT, EIGHT)); /* within that second */
    assert_true(has("test", "alice", "", 0, EIGHT));     /* without iat */
    assert_false(has("test", "alice", "", EIGHT + 1000, EIGHT + 2000));
    assert_false(has("test", "alic", "", 0, EIGHT));
    assert_false(has("test", "bob", "alice", 0, EIGHT));
    assert_int_equal(gw_jwt_revoked_count(set), 2);
}

static void
test_it_ends(void **state)
{
    (void)state;
    start();
    change(NULL, "{\"tokenHash\": \"" HEX "\", \"expires\": \"2026-11-30T08:00:00Z\"}");
    assert_true(has("test", "bob", "", 0, EIGHT - 1));
    assert_false(has("test", "bob", "", 0, EIGHT));
}

/* As many objects as one likes may say the same: all of them must go. */
static void
test_twice_said(void **state)
{
    const char *spec = "{\"user\": \"alice\", \"before\": \"2026-11-30T08:00:00Z\"}";

    (void)state;
    start();
    change(NULL, spec);
    change(NULL, spec);
    change(NULL, "{\"user\": \"alice\", \"before\": \"2026-11-29T08:00:00Z\"}");
    change(spec, NULL);
    assert_true(has("t", "alice", "", EIGHT - 1, EIGHT));
    change(spec, NULL);
    assert_false(has("t", "alice", "", EIGHT - 1, EIGHT));
    assert_true(has("t", "alice", "", EIGHT - 86400001, EIGHT));
    change("{\"user\": \"nobody\", \"before\": \"2026-11-29T08:00:00Z\"}",
           NULL); /* was not there */
    assert_true(has("t", "alice", "", EIGHT - 86400001, EIGHT));
}

static void
test_news(void **state)
{
    (void)state;
    start();
    assert_false(gw_jwt_revoked_is_news(set));
    change(NULL, "{\"user\": \"alice\", \"before\": \"2026-11-30T08:00:00Z\"}");
    assert_true(gw_jwt_revoked_is_news(set));
    assert_true(has_new("t", "alice"));
    change(NULL, "{\"tokenHash\": \"" HEX "\"}");
    assert_false(has_new("t", "alice"));
    assert_true(has_new("test", "alice"));
    change("{\"tokenHash\": \"" HEX "\"}", NULL);
    assert_false(gw_jwt_revoked_is_news(set));
    change("{\"user\": \"alice\", \"before\": \"2026-11-30T08:00:00Z\"}",
           "{\"user\": \"alice\", \"before\": \"2026-11-30T08:00:00Z\", \"reason\": \"x\"}");
    assert_false(gw_jwt_revoked_is_news(set)); /* written otherwise, and the same */
    assert_true(has("t", "alice", "", 0, EIGHT));
}

/* -- many ------------------------------------------------------------------------------------- */

static void
free_many(struct gw_piece *p)
{
    free(p);
}

static struct gw_piece *
piece_of(unsigned user)
{
    struct gw_revocation *r = gw_mem_alloc(sizeof(*r));
    char name[32];

    (void)snprintf(name, sizeof(name), "user-%u", user);
    atomic_init(&r->piece.refs, 1);
    r->piece.free = free_many;
    r->entry = (struct gw_revoked_entry){
        .key = gw_revoked_key_of(GW_REVOKED_USER, gw_str_of(name), GW_STR_NONE),
        .before_s = EIGHT / 1000,
        .until_s = UINT32_MAX};
    return &r->piece;
}

static bool
has_user(unsigned user)
{
    char name[32];

    (void)snprintf(name, sizeof(name), "user-%u", user);
    return has("t", name, "", 0, EIGHT);
}

#define USERS  6000
#define ROUNDS 3000

/* Comes and goes, against what is written down beside it: more than once all becomes one run. */
static void
test_comings_and_goings(void **state)
{
    static bool there[USERS];
    unsigned random = 4711;
    size_t n = 0;

    (void)state;
    start();
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct gw_piece *list[8];
        struct gw_pieces come = {.list = list};
        struct gw_pieces gone = {.list = list + 4};
        unsigned touched[4];

        for (unsigned i = 0; i < 4; i++) {
            random = random * 1664525 + 1013904223;
            unsigned user = (random >> 8) % USERS;
            bool again = false;

            for (unsigned k = 0; k < i; k++) {
                again = again || touched[k] == user;
            }
            touched[i] = user;
            if (again) {
                continue;
            }
            if (there[user]) {
                gone.list[gone.n++] = piece_of(user);
                n--;
            } else {
                come.list[come.n++] = piece_of(user);
                n++;
            }
            there[user] = !there[user];
        }
        change_many(&gone, &come);
        assert_int_equal(gw_jwt_revoked_count(set), n);
        for (unsigned i = 0; i < 4; i++) {
            assert_int_equal(has_user(touched[i]), there[touched[i]]);
        }
    }
    for (unsigned user = 0; user < USERS; user++) {
        assert_int_equal(has_user(user), there[user]);
    }
}

/* Issue 4: a million in 32 MB, and one more does not copy them. */
static void
test_a_million(void **state)
{
    const size_t million = 1000000;
    struct gw_piece **list = gw_mem_alloc(million * sizeof(struct gw_piece *));

    (void)state;
    start();
    for (size_t i = 0; i < million; i++) {
        list[i] = piece_of((unsigned)i);
    }
    uint64_t start_us = gw_clock_mono_us();
    change_many(&(struct gw_pieces){0}, &(struct gw_pieces){list, million, million});
    uint64_t made_us = gw_clock_mono_us();
    assert_int_equal(gw_jwt_revoked_count(set), million);
    assert_true(gw_jwt_revoked_bytes(set) <= 32 * million);
    print_message("# a million: %zu bytes, made in %llu us\n", gw_jwt_revoked_bytes(set),
                  (unsigned long long)(made_us - start_us));

    struct gw_jwt_pass *passes[2] = {pass_of("t", "user-4711", "", 0),
                                     pass_of("t", "user-x", "", 0)};
    made_us = gw_clock_mono_us();
    for (unsigned i = 0; i < 1000; i++) {
        assert_true(gw_jwt_revoked_has(set, passes[0], EIGHT));
        assert_false(gw_jwt_revoked_has(set, passes[1], EIGHT));
    }
    print_message("# looked into: %llu ns\n",
                  (unsigned long long)(gw_clock_mono_us() - made_us) / 2);
    gw_jwt_pass_unref(passes[0]);
    gw_jwt_pass_unref(passes[1]);

    made_us = gw_clock_mono_us();
    uint64_t slowest_us = 0;
    for (unsigned i = 0; i < 5000; i++) {
        uint64_t one_us = gw_clock_mono_us();
        list[0] = piece_of((unsigned)million + i);
        change_many(&(struct gw_pieces){0}, &(struct gw_pieces){list, 1, 1});
        one_us = gw_clock_mono_us() - one_us;
        slowest_us = one_us > slowest_us ? one_us : slowest_us;
    }
    print_message("# one more: %llu us, the slowest of 5000 %llu us\n",
                  (unsigned long long)(gw_clock_mono_us() - made_us) / 5000,
                  (unsigned long long)slowest_us);
    assert_int_equal(gw_jwt_revoked_count(set), million + 5000);
    assert_true(has_user(0) && has_user(999999) && has_user(1004999) && !has_user(1005000));
    free(list);
}

static int
tear_down(void **state)
{
    (void)state;
    gw_piece_unref((struct gw_piece *)set);
    gw_arena_trim();
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_objects),   cmocka_unit_test(test_unwise_objects),
        cmocka_unit_test(test_hash),      cmocka_unit_test(test_what_is_revoked),
        cmocka_unit_test(test_it_ends),   cmocka_unit_test(test_twice_said),
        cmocka_unit_test(test_news),      cmocka_unit_test(test_comings_and_goings),
        cmocka_unit_test(test_a_million),
    };

    return cmocka_run_group_tests_name("jwt_revoked", tests, NULL, tear_down);
}
