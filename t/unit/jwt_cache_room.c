/* jwt_cache_room.c - issue 4: 50 000 tokens in 16 MB; the heap is asked as well as the cache. */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/asan.h"
#include "base/base64.h"
#include "base/map.h"
#include "modules/jwt_cache.h"

#define MANY   50000u
#define LIMIT  ((size_t)16 << 20)
#define GROUPS 6
#define KEPT   ((size_t)256 << 10) /* by malloc() for the thread, of what was freed (tcache) */

static const struct gw_jwt_issuer ks = {.issuer = "http://ks-console.kubesphere-system.svc:30880"};
static const struct gw_jwt_key key;
static struct gw_arena *arena;

static struct gw_str
text(const char *begin, unsigned n)
{
    return gw_str_of(gw_arena_printf(arena, "%s%u", begin, n));
}

/* A token of KubeSphere's kind, RS256 with 2048 bits: its bytes are what counts here. */
static struct gw_str
token_of(unsigned i)
{
    struct gw_buf out = {0};
    unsigned char signature[256];
    const char *header = "{\"alg\":\"RS256\",\"kid\":\"2989680966\",\"typ\":\"JWT\"}";
    const char *claims = gw_arena_printf(
        arena,
        "{\"iss\":\"%s\",\"sub\":\"user-%u\",\"exp\":1795413197,\"iat\":1795405997,\"jti\":"
        "\"6f1c9b1e-0000-4000-8000-%012u\",\"token_type\":\"access_token\",\"username\":\"user-%"
        "u\"}",
        ks.issuer, i, i, i);

    for (size_t at = 0; at < sizeof(signature); at += 16) {
        uint64_t words[2];

        gw_hash128(text("", i * 16 + (unsigned)(at / 16)), words);
        memcpy(signature + at, words, sizeof(words));
    }
    gw_base64url_add(&out, header, strlen(header));
    gw_buf_puts(&out, ".");
    gw_base64url_add(&out, claims, strlen(claims));
    gw_buf_puts(&out, ".");
    gw_base64url_add(&out, signature, sizeof(signature));
    struct gw_str token = {gw_arena_strndup(arena, out.p, out.n), out.n};
    gw_buf_fini(&out);
    assert_in_range(token.n, 400, 700);
    return token;
}

/* So many sets of groups there are among all. */
static void
remember(struct gw_jwt_cache *cache, unsigned i, unsigned sets)
{
    struct gw_str groups[GROUPS] = {GW_STR("system:authenticated")};
    struct gw_str token = token_of(i);
    struct gw_jwt_claims c = {
        .issuer = &ks,
        .key = &key,
        .key_id = GW_STR("2989680966"),
        .id = text("6f1c9b1e-0000-4000-8000-0000000", i),
        .issued_ms = 1795405997000,
        .expires_ms = 1795413197000,
    };

    for (unsigned g = 1; g < GROUPS; g++) {
        groups[g] = text("department-", i % sets * GROUPS + g);
    }
    c.subject = (struct gw_subject){
        .name = text("firstname.lastname-", i), .groups = groups, .n_groups = GROUPS};
    struct gw_jwt_pass *p = gw_jwt_pass_new(cache, &c);
    gw_jwt_cache_put(cache, token, p);
    gw_jwt_pass_unref(p);
}

static size_t
heap(void)
{
    struct mallinfo2 m = mallinfo2();

    return m.uordblks + m.hblkhd;
}

/* In pieces, since the tokens themselves are many megabytes. */
static void
each(struct gw_jwt_cache *cache, void (*what)(struct gw_jwt_cache *, unsigned, unsigned),
     unsigned more)
{
    for (unsigned i = 0; i < MANY;) {
        arena = gw_arena_new();
        for (unsigned end = i + 1000; i < end; i++) {
            what(cache, i, more);
        }
        gw_arena_free(arena);
    }
    gw_arena_trim();
}

static unsigned found;

static void
find(struct gw_jwt_cache *cache, unsigned i, unsigned sets)
{
    const struct gw_jwt_pass *p = gw_jwt_cache_get(cache, token_of(i), 1795406000000);

    if (p != NULL) {
        const struct gw_subject *s = &p->common->subject;

        found++;
        assert_true(gw_str_eq(gw_jwt_pass_name(p), text("firstname.lastname-", i)));
        assert_int_equal(s->n_groups, GROUPS);
        assert_true(gw_str_eq(s->groups[5], text("department-", i % sets * GROUPS + 5)));
    }
}

/* With so many sets of groups: how many of all are found again. */
static unsigned
fill(unsigned sets)
{
    gw_arena_trim();
    size_t before = heap();
    struct gw_jwt_cache *cache = gw_jwt_cache_new(LIMIT);

    each(cache, remember, sets);
    size_t bytes = heap() - before;
    found = 0;
    each(cache, find, sets);
    print_message("# %u sets of groups: %u tokens, %zu bytes each; the heap says %zu\n", sets,
                  found, gw_jwt_cache_bytes(cache) / found, bytes / found);
    assert_int_equal(gw_jwt_cache_count(cache), found);
    assert_true(gw_jwt_cache_bytes(cache) <= LIMIT);
    if (!GW_ASAN) {
        assert_true(bytes <= (found == MANY ? LIMIT : LIMIT + KEPT));
    }
    gw_jwt_cache_free(cache);
    return found;
}

static void
test_50_000_in_16_mib(void **state)
{
    (void)state;
    assert_int_equal(fill(1), MANY);
    assert_int_equal(fill(500), MANY);
}

/* Nobody is like anybody else: it holds fewer, and the limit. */
static void
test_all_differ(void **state)
{
    (void)state;
    assert_in_range(fill(MANY), MANY / 3, MANY - 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_50_000_in_16_mib),
        cmocka_unit_test(test_all_differ),
    };

    return cmocka_run_group_tests_name("jwt_cache_room", tests, NULL, NULL);
}
