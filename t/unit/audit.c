/* audit.c - what is found in a store that is not in order, and what is not found in one that is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "registry/audit.h"

#define NOW 1000000000000ULL

static const char endpoint[] =
    "{\"metadata\":{\"uid\":\"u\",\"creationTimestamp\":\"2026-11-30T00:00:00Z\","
    "\"resourceVersion\":\"7\",\"name\":\"a.b\"},\"apiVersion\":\"ksgate.io/v1\","
    "\"kind\":\"Endpoint\",\"spec\":{\"extension\":\"a\",\"leaseSeconds\":15,"
    "\"url\":\"http://127.0.0.1:1\"}}";
static const char service[] =
    "{\"metadata\":{\"uid\":\"u\",\"creationTimestamp\":\"2026-11-30T00:00:00Z\","
    "\"resourceVersion\":\"9\",\"name\":\"a\"},\"apiVersion\":\"ksgate.io/v1\","
    "\"kind\":\"ExtensionService\",\"spec\":{}}";

#define ENDPOINT "ksgate.io/Endpoint//a.b"
#define SERVICE  "ksgate.io/ExtensionService//a"

/* A store in order: one extension, one endpoint with its lease. */
static void
fill(struct gw_audit_store *s)
{
    *s = (struct gw_audit_store){
        .epoch = strdup("e"), .counted = true, .revision = 9, .last_change = 9, .now_ms = NOW};
    gw_audit_add_entry(s, gw_str_of(SERVICE), gw_str_of(service), 9);
    gw_audit_add_entry(s, gw_str_of(ENDPOINT), gw_str_of(endpoint), 7);
    gw_audit_add_lease(s, gw_str_of(ENDPOINT), NOW + 5000);
}

/* Exactly one finding: that repair of that key, whose text has `words`. */
static void
finds(struct gw_audit_store *s, enum gw_audit_repair repair, const char *key, uint64_t number,
      const char *words)
{
    struct gw_audit a = {0};

    gw_audit_run(&a, s);
    for (size_t i = 0; i < a.n; i++) {
        print_message("# %s\n", a.list[i].text);
    }
    assert_int_equal(a.n, 1);
    assert_int_equal(a.list[0].repair, repair);
    if (key == NULL) {
        assert_null(a.list[0].key);
    } else {
        assert_string_equal(a.list[0].key, key);
    }
    assert_int_equal(a.list[0].number, number);
    assert_non_null(strstr(a.list[0].text, words));
    gw_audit_fini(&a);
    gw_audit_store_fini(s);
}

static void
test_in_order(void **state)
{
    struct gw_audit_store s;
    struct gw_audit a = {0};

    (void)state;
    fill(&s);
    gw_audit_run(&a, &s);
    assert_int_equal(a.n, 0);
    assert_int_equal(a.objects, 2);
    assert_int_equal(a.leases, 1);
    gw_audit_fini(&a);
    gw_audit_store_fini(&s);
    gw_audit_run(&a, &s); /* an empty one: epoch and revision are made at the first write */
    assert_int_equal(a.n, 0);
}

static void
test_unreadable(void **state)
{
    struct gw_audit_store s;

    (void)state;
    fill(&s);
    gw_audit_add_entry(&s, gw_str_of("ksgate.io/Endpoint//x"), gw_str_of("rubbish"), 0);
    finds(&s, GW_AUDIT_REMOVE, "ksgate.io/Endpoint//x", 0, "no gateway uses it: not JSON");
    fill(&s);
    gw_audit_add_entry(&s, gw_str_of("ksgate.io/ExtensionService//b"), gw_str_of(service), 0);
    finds(&s, GW_AUDIT_REMOVE, "ksgate.io/ExtensionService//b", 0,
          "it says that it is ksgate.io/ExtensionService//a");
    fill(&s);
    gw_audit_add_entry(&s, (struct gw_str){"a\0b", 3}, gw_str_of(service), 0);
    finds(&s, GW_AUDIT_BY_HAND, NULL, 0, "NUL");
    fill(&s);
    gw_audit_add_entry(&s, gw_str_of(""), gw_str_of(""), 0);
    finds(&s, GW_AUDIT_REMOVE, "", 0, "can't be read");
}

static void
test_revision(void **state)
{
    struct gw_audit_store s;

    (void)state;
    fill(&s);
    s.revision = 8;
    finds(&s, GW_AUDIT_SET_REVISION, NULL, 9, "the revision is 8, but");
    fill(&s);
    s.last_change = 12;
    finds(&s, GW_AUDIT_SET_REVISION, NULL, 12, "of 12");
    fill(&s);
    s.counted = false;
    finds(&s, GW_AUDIT_SET_REVISION, NULL, 9, "no revision");
    fill(&s);
    s.entries[0].revision = 10; /* and the text says 9 */
    s.revision = 10;
    finds(&s, GW_AUDIT_BY_HAND, SERVICE, 0, "is of revision 10 and says 9");
}

static void
test_epoch(void **state)
{
    struct gw_audit_store s;

    (void)state;
    fill(&s);
    free(s.epoch);
    s.epoch = NULL;
    finds(&s, GW_AUDIT_MAKE_EPOCH, NULL, 0, "no epoch");
}

static void
test_leases(void **state)
{
    struct gw_audit_store s;

    (void)state;
    fill(&s);
    gw_audit_add_lease(&s, gw_str_of("ksgate.io/Endpoint//gone"), NOW);
    finds(&s, GW_AUDIT_UNLEASE, "ksgate.io/Endpoint//gone", 0, "there is no such object");
    fill(&s);
    gw_audit_add_lease(&s, gw_str_of(SERVICE), NOW + 1000);
    finds(&s, GW_AUDIT_UNLEASE, SERVICE, 0, "it would disappear");
    fill(&s);
    s.leases[0].deadline_ms = NOW + 7200000;
    finds(&s, GW_AUDIT_LEASE, ENDPOINT, 15000, "a lease of 2 hours");
    fill(&s);
    free(s.leases[0].key);
    s.n_leases = 0;
    finds(&s, GW_AUDIT_LEASE, ENDPOINT, 15000, "it would stay for ever");
    fill(&s);
    s.leases[0].deadline_ms = NOW - 5000; /* just over: a gateway ends it in a moment */
    struct gw_audit a = {0};
    gw_audit_run(&a, &s);
    assert_int_equal(a.n, 0);
    gw_audit_fini(&a);
    gw_audit_store_fini(&s);
}

/* Two that claim the same: the younger one is not used. */
static void
test_conflict(void **state)
{
    static const char api[] =
        "{\"metadata\":{\"uid\":\"u\",\"creationTimestamp\":\"2026-11-%s:00Z\","
        "\"resourceVersion\":\"8\",\"name\":\"%s\"},"
        "\"apiVersion\":\"extensions.kubesphere.io/v1alpha1\",\"kind\":\"APIService\","
        "\"spec\":{\"group\":\"g\",\"version\":\"v1\"}}";
    static const char *const ages[][2] = {{"a", "30T00:00"}, {"b", "29T00:00"}};
    struct gw_audit_store s;

    (void)state;
    fill(&s);
    for (size_t i = 0; i < 2; i++) {
        struct gw_buf key = {0};
        struct gw_buf text = {0};

        gw_buf_printf(&key, "extensions.kubesphere.io/APIService//%s", ages[i][0]);
        gw_buf_printf(&text, api, ages[i][1], ages[i][0]);
        gw_audit_add_entry(&s, gw_buf_text(&key), gw_buf_text(&text), 8);
        gw_buf_fini(&key);
        gw_buf_fini(&text);
    }
    finds(&s, GW_AUDIT_BY_HAND, "extensions.kubesphere.io/APIService//a", 0,
          "group \"g\" with version v1 is that of APIService \"b\"");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conflict),   cmocka_unit_test(test_in_order),
        cmocka_unit_test(test_unreadable), cmocka_unit_test(test_revision),
        cmocka_unit_test(test_epoch),      cmocka_unit_test(test_leases),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
