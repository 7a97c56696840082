/* intake.c - who the client is behind proxies that are trusted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/intake.h"
#include "gateway/settings.h"

#define N(list) (sizeof(list) / sizeof((list)[0]))

static void
test_forwarded(void **state)
{
    static const struct {
        const char *said, *client;
    } cases[] = {
        {"1.2.3.4", "1.2.3.4"},
        {"6.6.6.6, 1.2.3.4, 10.1.1.1", "1.2.3.4"},
        {"6.6.6.6,1.2.3.4 ,\t10.1.1.1", "1.2.3.4"},
        {"2001:DB8::1", "2001:DB8::1"},
        {"10.1.1.2, 10.1.1.1", "10.1.1.2"},
        /* IPv4 as IPv6: the same client, the same proxy */
        {"::ffff:1.2.3.4", "1.2.3.4"},
        {"::FFFF:102:304", "1.2.3.4"},
        {"0:0:0:0:0:ffff:255.0.10.100", "255.0.10.100"},
        {"6.6.6.6, ::ffff:1.2.3.4, ::ffff:10.1.1.1", "1.2.3.4"},
        {"::ffff:10.1.1.1", "10.1.1.1"},
        {"::1.2.3.4", "::1.2.3.4"}, /* another thing */
        {"::fffe:1.2.3.4", "::fffe:1.2.3.4"},
        /* what can't be believed */
        {"nonsense", "10.9.9.9"},
        {"1.2.3.4, nonsense, 10.1.1.1", "10.1.1.1"},
        {"::ffff:1.2.3.4.5", "10.9.9.9"},
        {"", "10.9.9.9"},
    };
    struct gw_cidr ours = {.address = {[10] = 0xff, [11] = 0xff, [12] = 10}, .bits = 104};
    struct gw_settings set = {.trusted = &ours, .n_trusted = 1};

    (void)state;
    for (size_t i = 0; i < N(cases); i++) {
        struct gw_header line = {.id = GW_H_X_FORWARDED_FOR, .value = gw_str_of(cases[i].said)};
        struct gw_head head = {.headers = {.list = &line, .n = 1}};
        struct gw_req req = {.arena = gw_arena_new(), .head = &head, .peer_ip = GW_STR("10.9.9.9")};
        struct gw_str client = gw_intake_forwarded(&req, &set);

        print_message("# %s: %.*s\n", cases[i].said, GW_STR_ARG(client));
        assert_true(gw_str_eq(client, gw_str_of(cases[i].client)));
        gw_arena_free(req.arena);
    }
    gw_arena_trim();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forwarded),
    };

    return cmocka_run_group_tests_name("intake", tests, NULL, NULL);
}
