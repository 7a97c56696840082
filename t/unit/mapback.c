#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/mapback.h"

static const struct gw_map plain = {.prefix = {"/extensions/x", 13}};
static const struct gw_map based = {.prefix = {"/extensions/x", 13}, .base = {"/app", 4}};

/* The client asked gw.example; the backend is 10.0.0.7:8080. */
/* clang-format off */
static const struct { const struct gw_map *map; const char *url, *want; } urls[] = {
    {&plain, "/",                          "/extensions/x/"},
    {&plain, "/a",                         "/extensions/x/a"},
    {&plain, "/a/b?c=/d#e",                "/extensions/x/a/b?c=/d#e"},
    {&plain, "/?q",                        "/extensions/x/?q"},
    {&plain, "/extensions/x",              "/extensions/x"},
    {&plain, "/extensions/x/",             "/extensions/x/"},
    {&plain, "/extensions/x/a",            "/extensions/x/a"},
    {&plain, "/extensions/x?q",            "/extensions/x?q"},
    {&plain, "/extensions/xy",             "/extensions/x/extensions/xy"},
    {&plain, "",                           ""},
    {&plain, "a/b",                        "a/b"},
    {&plain, "../a",                       "../a"},
    {&plain, "?q",                         "?q"},
    {&plain, "#f",                         "#f"},
    {&plain, "//other.example/a",          "//other.example/a"},
    {&plain, "/\\other.example/a",         "/\\other.example/a"},
    {&plain, "http://10.0.0.7:8080/a",     "/extensions/x/a"},
    {&plain, "http://10.0.0.7:8080",       "/extensions/x/"},
    {&plain, "https://10.0.0.7:8080/a?b",  "/extensions/x/a?b"},
    {&plain, "HTTP://10.0.0.7:8080/a",     "/extensions/x/a"},
    {&plain, "http://gw.example/a",        "http://gw.example/extensions/x/a"},
    {&plain, "https://GW.example/a",       "https://GW.example/extensions/x/a"},
    {&plain, "https://gw.example",         "https://gw.example/extensions/x/"},
    {&plain, "https://gw.example/extensions/x/a", "https://gw.example/extensions/x/a"},
    {&plain, "https://other.example/a",    "https://other.example/a"},
    {&plain, "http://gw.example.evil/a",   "http://gw.example.evil/a"},
    {&plain, "http://10.0.0.7:8081/a",     "http://10.0.0.7:8081/a"},
    {&plain, "mailto:a@b",                 "mailto:a@b"},
    {&based, "/app",                       "/extensions/x/"},
    {&based, "/app/",                      "/extensions/x/"},
    {&based, "/app/a?b",                   "/extensions/x/a?b"},
    {&based, "/app?b",                     "/extensions/x/?b"},
    {&based, "/apple",                     "/apple"},
    {&based, "/",                          "/"},
    {&based, "/other",                     "/other"},
    {&based, "http://10.0.0.7:8080/app/a", "/extensions/x/a"},
    {&based, "http://10.0.0.7:8080//other.example/", "http://10.0.0.7:8080//other.example/"},
    {&based, "http://gw.example/app/a",    "http://gw.example/extensions/x/a"},
    {&based, "/extensions/x/a",            "/extensions/x/a"},
};

static const struct { const struct gw_map *map; const char *cookie, *want; } cookies[] = {
    {&plain, "a=b",                               "a=b"},
    {&plain, "a=b; Path=/",                       "a=b; Path=/extensions/x"},
    {&plain, "a=b; path=/; Secure",               "a=b; path=/extensions/x; Secure"},
    {&plain, "a=b;Path=/app;HttpOnly",            "a=b;Path=/extensions/x/app;HttpOnly"},
    {&plain, "a=b; Path = /app ; HttpOnly",       "a=b; Path = /extensions/x/app ; HttpOnly"},
    {&plain, "a=b; Path=/extensions/x",           "a=b; Path=/extensions/x"},
    {&plain, "a=b; Path=/extensions/x/y",         "a=b; Path=/extensions/x/y"},
    {&plain, "a=b; Path=",                        "a=b; Path="},
    {&plain, "a=b; Path",                         "a=b; Path"},
    {&plain, "a=b; Path=relative",                "a=b; Path=relative"},
    {&plain, "Path=/; Secure",                    "Path=/; Secure"}, /* a cookie of that name */
    {&plain, "",                                  ""},
    {&based, "a=b; Path=/app",                    "a=b; Path=/extensions/x"},
    {&based, "a=b; Path=/app/",                   "a=b; Path=/extensions/x/"},
    {&based, "a=b; Path=/app/c",                  "a=b; Path=/extensions/x/c"},
    {&based, "a=b; Path=/",                       "a=b; Path=/extensions/x"},
    {&based, "a=b; Path=/other",                  "a=b; Path=/other"},
};
/* clang-format on */

static void
check(const char *in, struct gw_str got, const char *want)
{
    if (!gw_str_eq(got, gw_str_of(want))) {
        fail_msg("\"%s\" became \"%.*s\", not \"%s\"", in, GW_STR_ARG(got), want);
    }
}

static void
urls_come_back_below_the_prefix(void **state)
{
    struct gw_arena *a = gw_arena_new();

    (void)state;
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        check(urls[i].url,
              gw_map_back_url(a, gw_str_of(urls[i].url), urls[i].map, GW_STR("10.0.0.7:8080"),
                              GW_STR("gw.example")),
              urls[i].want);
    }
    gw_arena_free(a);
}

static void
cookies_stay_below_the_prefix(void **state)
{
    struct gw_arena *a = gw_arena_new();

    (void)state;
    for (size_t i = 0; i < sizeof(cookies) / sizeof(cookies[0]); i++) {
        check(cookies[i].cookie,
              gw_map_back_cookie(a, gw_str_of(cookies[i].cookie), cookies[i].map), cookies[i].want);
    }
    gw_arena_free(a);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_come_back_below_the_prefix),
        cmocka_unit_test(cookies_stay_below_the_prefix),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
