#include "modules/basic_settings.h"

#define BASIC(field) offsetof(struct gw_basic_settings, field)

const char *const gw_basic_words[] = {
    [GW_BASIC_CORE] = "core",
    [GW_BASIC_USERS] = "users",
    [GW_BASIC_OFF] = "off",
    NULL,
};

/* clang-format off */
const struct gw_setting gw_basic_rows[] = {
    {.name = "threads", .set = gw_set_int, .at = BASIC(threads), .initial = "2", .min = 1, .max = 64,
     .help = "How many passwords are checked at the same time, beside the workers; each check takes a core for 50 to 100 ms."},
    {.name = "pending", .set = gw_set_int, .at = BASIC(pending), .initial = "64", .min = 1, .max = 100000,
     .help = "How many may wait for that; more are answered 503 `password_busy`."},
    {.name = "wait", .set = gw_set_duration, .at = BASIC(wait_ms), .initial = "5s", .min = 100, .max = 60000,
     .help = "How long a request waits for the check of its password; then 503 `password_busy`."},
    {.name = "cost", .set = gw_set_int, .at = BASIC(cost), .initial = "14", .min = 4, .max = 18,
     .help = "The highest cost of a bcrypt hash that is worked on (KubeSphere's is 10; each more takes twice as long); one above it fits no password."},
    {.name = "remember", .set = gw_set_duration, .at = BASIC(remember_ms), .initial = "1m", .max = 86400000,
     .help = "How long a worker remembers, by a keyed hash, that a password was right from the network that it came from; 0: not at all."},
    {.name = "remembered", .set = gw_set_int, .at = BASIC(remembered), .initial = "4096", .min = 4, .max = 1000000,
     .help = "How many it remembers; 72 bytes each."},
    {.name = "user_failures", .set = gw_set_int, .at = BASIC(user_failures), .initial = "10", .max = 1000000,
     .help = "After so many wrong passwords for a user within `window` each further one is answered 429 until it is over; 0: no limit."},
    {.name = "address_failures", .set = gw_set_int, .at = BASIC(address_failures), .initial = "10", .max = 1000000,
     .help = "The same for wrong passwords from an address, whoever they are for."},
    {.name = "window", .set = gw_set_duration, .at = BASIC(window_ms), .initial = "10m", .min = 1000, .max = 86400000,
     .help = "How long failures are counted, from the first."},
    {.name = "tracked", .set = gw_set_int, .at = BASIC(tracked), .initial = "65536", .min = 16, .max = 10000000,
     .help = "How many users and addresses with failures are kept in mind; the oldest is forgotten first."},
    {0},
};
/* clang-format on */
