/* redis_news.c - what Redis says of changes: read, or known to be something else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "registry/object.h"
#include "registry/redis_news.h"

#define KEY "/ConfigMap/n/a"
#define JSON                                                                             \
    "{\"metadata\":{\"name\":\"a\",\"namespace\":\"n\"},\"apiVersion\":\"v1\",\"kind\":" \
    "\"ConfigMap\"}"

static redisReply
reply(int type, char *text, size_t n)
{
    return (redisReply){.type = type, .str = text, .len = n};
}

/* A field of the hash is an object, or it is skipped: whatever Redis has sent instead. */
static void
test_fields(void **state)
{
    static char key[] = KEY;
    static char json[] = JSON;
    static char other[] = "/ConfigMap/n/b";
    static char cut[] = KEY "\0x";
    const struct {
        redisReply field, json;
        bool good;
    } cases[] = {
        {reply(REDIS_REPLY_STRING, key, strlen(key)), reply(REDIS_REPLY_STRING, json, strlen(json)),
         true},
        {reply(REDIS_REPLY_STRING, other, strlen(other)),
         reply(REDIS_REPLY_STRING, json, strlen(json)), false},
        {reply(REDIS_REPLY_STRING, cut, sizeof(cut) - 1),
         reply(REDIS_REPLY_STRING, json, strlen(json)), false},
        {reply(REDIS_REPLY_STRING, key, strlen(key)), reply(REDIS_REPLY_STRING, json, 7), false},
        {reply(REDIS_REPLY_STRING, key, strlen(key)), reply(REDIS_REPLY_NIL, NULL, 0), false},
        {reply(REDIS_REPLY_STRING, key, strlen(key)), reply(REDIS_REPLY_ARRAY, NULL, 0), false},
        {reply(REDIS_REPLY_NIL, NULL, 0), reply(REDIS_REPLY_STRING, json, strlen(json)), false},
        {reply(REDIS_REPLY_INTEGER, NULL, 0), reply(REDIS_REPLY_STRING, json, strlen(json)), false},
        {reply(REDIS_REPLY_ARRAY, NULL, 0), reply(REDIS_REPLY_INTEGER, NULL, 0), false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct gw_redis_bad bad;

        gw_redis_bad_init(&bad);
        struct gw_object *o = gw_redis_field_read("objects", &cases[i].field, &cases[i].json, &bad);
        bool text = cases[i].field.type == REDIS_REPLY_STRING;
        bool nil = cases[i].json.type == REDIS_REPLY_NIL;

        print_message("# case %zu\n", i);
        assert_int_equal(o != NULL, cases[i].good);
        assert_int_equal(gw_map_count(bad.fields), text && !nil && o == NULL);
        gw_object_unref(o);
        gw_redis_bad_begin(&bad);
        gw_redis_bad_end(&bad); /* a list without it */
        assert_int_equal(gw_map_count(bad.fields), 0);
        gw_redis_bad_fini(&bad);
    }
}

/* Does the line go on?  An epoch that is too long is compared as it was kept: else the list would
 * begin again for ever. */
static void
test_broken(void **state)
{
    static const char digits[] = "0123456789012345678901234567890123456789";
    static const struct {
        const char *epoch, *known;
        uint64_t revision, oldest, upto, since;
        enum gw_redis_why why;
        const char *foreign;
        uint64_t stamp; /* of what is known at `since`; Redis says that it was made at 55 */
    } cases[] = {
        {"e", "e", 9, 1, 9, 7, GW_REDIS_FIRST, "", 55},
        {"e", "e", 9, 1, 9, 7, GW_REDIS_FORKED, "", 54},
        {"e", "e", 9, 1, 9, 8, GW_REDIS_FIRST, "", 54},
        {"e", "e", 7, 1, 7, 7, GW_REDIS_FIRST, "", 0},
        {"e", "e", 9, 1, 9, 7, GW_REDIS_FIRST, "", 0},
        {"e", "e", 9, 8, 9, 7, GW_REDIS_FIRST, "", 0},
        {"e", "e", 9, 9, 9, 7, GW_REDIS_MISSED, "", 0},
        {"e", "e", 9, 1, 7, 7, GW_REDIS_MISSED, "", 0},
        {"e", "e", 6, 1, 6, 7, GW_REDIS_OLDER, "", 0},
        {"f", "e", 7, 1, 7, 7, GW_REDIS_REPLACED, "", 0},
        {"", "e", 0, 1, 0, 7, GW_REDIS_WIPED, "", 0},
        {"e", "", 1, 1, 1, 0, GW_REDIS_BEGUN, "", 0},
        {"e", "e", 9, 1, 7, 7, GW_REDIS_FOREIGN, "8-0", 0},
        {"e", "e", 7, 1, 7, 7, GW_REDIS_FOREIGN, "18446744073709551615-1", 0},
        {"e", "e", 9, 1, 8, 7, GW_REDIS_FIRST, "9-0", 0}, /* what is before it is good */
        {"e", "e", 9, 8, 8, 7, GW_REDIS_FIRST, "9-0", 0},
        {"f", "e", 9, 1, 7, 7, GW_REDIS_REPLACED, "8-0", 0},
        {"0123456789012345678901234567890123456789", digits, 7, 1, 7, 7, GW_REDIS_FIRST, "", 0},
        {"0123456789012345678901234567890123456789 and more", digits, 7, 1, 7, 7, GW_REDIS_FIRST,
         "", 0},
    };

    redisReply numbers[] = {{.type = REDIS_REPLY_INTEGER, .integer = 7},
                            {.type = REDIS_REPLY_INTEGER, .integer = 55}};
    redisReply *pairs[] = {&numbers[0], &numbers[1]};
    redisReply stamps = {.type = REDIS_REPLY_ARRAY, .elements = 2, .element = pairs};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct gw_redis_news news = {.epoch = cases[i].epoch,
                                     .foreign = cases[i].foreign,
                                     .revision = cases[i].revision,
                                     .oldest = cases[i].oldest,
                                     .upto = cases[i].upto,
                                     .stamps = &stamps};
        print_message("# case %zu: %s\n", i, gw_redis_why_label(cases[i].why));
        assert_int_equal(
            gw_redis_news_broken(&news, cases[i].known, cases[i].since, cases[i].stamp),
            cases[i].why);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_broken),
    };

    return cmocka_run_group_tests_name("redis_news", tests, NULL, NULL);
}
