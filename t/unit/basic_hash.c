/* basic_hash.c - bcrypt, as golang.org/x/crypto/bcrypt (which ks-core uses) has it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "modules/basic_hash.h"

#define N(list) (sizeof(list) / sizeof((list)[0]))

/* Of that package's tests, and of OpenBSD's. */
static void
test_known_hashes(void **state)
{
    static const struct {
        const char *password, *hash;
        bool right;
    } cases[] = {
        {"allmine", "$2a$10$XajjQvNhvvRt5GSeFk1xFeyqRrsxkhBkUiQeg0dt.wU1qD4aFDcga", true},
        {"allmine2", "$2a$10$XajjQvNhvvRt5GSeFk1xFeyqRrsxkhBkUiQeg0dt.wU1qD4aFDcga", false},
        {"allmin", "$2a$10$XajjQvNhvvRt5GSeFk1xFeyqRrsxkhBkUiQeg0dt.wU1qD4aFDcga", false},
        {"", "$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s.", true},
        {"x", "$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s.", false},
        {"U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", true},
        {"U*U", "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", true},
        {"U*U", "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", true},
        {"\xff\xff\xa3", "$2a$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e", true},
        {"allmine", "allmine", false},
        {"allmine", "", false},
    };
    struct gw_bcrypt *b = gw_bcrypt_new();

    (void)state;
    for (size_t i = 0; i < N(cases); i++) {
        print_message("# %zu\n", i);
        assert_int_equal(gw_bcrypt_check(b, cases[i].password, cases[i].hash), cases[i].right);
    }
    gw_bcrypt_free(b);
    gw_bcrypt_free(NULL);
}

static void
test_costs(void **state)
{
    static const struct {
        const char *hash;
        unsigned cost;
    } cases[] = {
        {"$2a$10$XajjQvNhvvRt5GSeFk1xFeyqRrsxkhBkUiQeg0dt.wU1qD4aFDcga", 10},
        {"$2b$04$XajjQvNhvvRt5GSeFk1xFeyqRrsxkhBkUiQeg0dt.wU1qD4aFDcga", 4},
        {"$2y$31$XajjQvNhvvRt5GSeFk1xFeyqRrsxkhBkUiQeg0dt.wU1qD4aFDcga", 31},
        {"$2x$10$XajjQvNhvvRt5GSeFk1xFeyqRrsxkhBkUiQeg0dt.wU1qD4aFDcga", 0},
        {"$2a$03$XajjQvNhvvRt5GSeFk1xFeyqRrsxkhBkUiQeg0dt.wU1qD4aFDcga", 0},
        {"$2a$32$XajjQvNhvvRt5GSeFk1xFeyqRrsxkhBkUiQeg0dt.wU1qD4aFDcga", 0},
        {"$2a$1:$XajjQvNhvvRt5GSeFk1xFeyqRrsxkhBkUiQeg0dt.wU1qD4aFDcga", 0},
        {"$2a$10$XajjQvNhvvRt5GSeFk1xFeyqRrsxkhBkUiQeg0dt.wU1qD4aFDcg", 0},
        {"$2a$10$XajjQvNhvvRt5GSeFk1xFeyqRrsxkhBkUiQeg0dt.wU1qD4aFDcgaa", 0},
        {"$2a$10$XajjQvNhvvRt5GSeFk1xFeyqRrsxkhBkUiQeg0dt.wU1qD4aFDcg=", 0},
        {"$6$rounds=5000$XajjQvNhvvRt5GSeFk1xFeyqRrsxkhBkUiQeg0dt.wU1qD4a", 0},
        {"P@88w0rd", 0},
        {"", 0},
    };

    (void)state;
    for (size_t i = 0; i < N(cases); i++) {
        assert_int_equal(gw_bcrypt_cost(gw_str_of(cases[i].hash)), cases[i].cost);
    }
}

/* What is hashed for a name that nobody has is a hash like others, but fits nothing. */
static void
test_nobody(void **state)
{
    struct gw_bcrypt *b = gw_bcrypt_new();
    char hash[GW_BCRYPT_CHARS + 1];

    (void)state;
    for (unsigned cost = 4; cost <= 31; cost++) {
        gw_bcrypt_nobody(hash, cost);
        assert_int_equal(gw_bcrypt_cost(gw_str_of(hash)), cost);
    }
    gw_bcrypt_nobody(hash, 4);
    assert_false(gw_bcrypt_check(b, "", hash));
    assert_false(gw_bcrypt_check(b, "nobody", hash));
    gw_bcrypt_free(b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_hashes),
        cmocka_unit_test(test_costs),
        cmocka_unit_test(test_nobody),
    };

    return cmocka_run_group_tests_name("basic_hash", tests, NULL, NULL);
}
