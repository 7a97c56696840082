/* login_return.c - where a login may lead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "modules/login_return.h"

static const struct {
    const char *target;
    bool good;
} cases[] = {
    {"/", true},
    {"/extensions/devops/x?a=b&c=%2F%2Fd", true},
    {"/a%20b/c?x=http://other.example/y",
     true}, /* a place of this site, whatever it does with it */
    {"/~alice;v=1/@x:y", true},
    {"/-/readyz", true},
    {"/-/login/session", true},
    /* other sites */
    {"//evil.example", false},
    {"//evil.example/x", false},
    {"///evil.example", false},
    {"/\\evil.example", false},
    {"\\\\evil.example", false},
    {"/\\/evil.example", false},
    {"/x\\..\\evil", false},
    {"https://evil.example", false},
    {"https:evil.example", false},
    {"javascript:alert(1)", false},
    {"data:text/html,x", false},
    {"evil.example", false},
    {"@evil.example", false},
    {".evil.example", false},
    {"?x", false},
    {"#x", false},
    {"", false},
    /* what browsers leave out before they look, and what others decode */
    {"/\t/evil.example", false},
    {"/\n/evil.example", false},
    {"/\r\nSet-Cookie: a=b", false},
    {"\t//evil.example", false},
    {" //evil.example", false},
    {"/ /x", false},
    {"/\x7f", false},
    {"/\xc3\xa4", false},
    {"/\x01", false},
    {"/%2fevil.example", false},
    {"/%2F%2Fevil.example", false},
    {"/%5cevil.example", false},
    {"/%252fevil.example", false},
    {"/%09/evil.example", false},
    {"/%0d%0aSet-Cookie:%20a=b", false},
    {"/%00", false},
    {"/%zz", false},
    {"/..//evil.example", false},
    {"/../x", false},
    {"/%2e%2e//evil.example", false},
    {"/.//evil.example", false},
    {"/x//evil.example", false},
    {"/..;/evil", false},
    /* what would leave an attribute */
    {"/x?a=\"><script>", false},
    {"/x#fragment", false},
    {"/x?a#b", false},
    /* round in a circle */
    {"/-/login", false},
    {"/-/login?return=/x", false},
    {"/-/login/callback?code=x", false},
    {"/-/logout", false},
};

static void
test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (gw_login_return_ok(gw_str_of(cases[i].target)) != cases[i].good) {
            fail_msg("%s is %s", cases[i].target, cases[i].good ? "refused" : "taken");
        }
    }
}

static void
test_length(void **state)
{
    char text[GW_LOGIN_RETURN_MAX + 1];

    (void)state;
    memset(text, 'a', sizeof(text));
    text[0] = '/';
    assert_true(gw_login_return_ok((struct gw_str){text, sizeof(text) - 1}));
    assert_false(gw_login_return_ok((struct gw_str){text, sizeof(text)}));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_length),
    };

    return cmocka_run_group_tests_name("login_return", tests, NULL, NULL);
}
