#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "config/schema.h"

struct tls {
    const char *certificate, *key;
};

struct listener {
    const char *address;
    struct tls tls;
    long long backlog;
};

struct limits {
    long long head, headers, body, share;
};

struct timeouts {
    long long idle, head;
};

struct log {
    int level;
    bool on;
    const char *const *fields;
    json_t *extra;
};

struct config {
    struct gw_list listeners;
    struct limits limits;
    struct timeouts timeouts;
    struct log log;
    const char *name;
};

static const char *const levels[] = {"error", "warn", "info", "debug", NULL};

static const struct gw_setting tls_rows[] = {
    {.name = "certificate",
     .set = gw_set_text,
     .at = offsetof(struct tls, certificate),
     .help = "The chain, as PEM.",
     .example = "/etc/tls.crt",
     .flags = GW_REQUIRED},
    {.name = "key", .set = gw_set_text, .at = offsetof(struct tls, key), .help = "Its key."},
    {0},
};

static const struct gw_setting listener_rows[] = {
    {.name = "address",
     .set = gw_set_text,
     .at = offsetof(struct listener, address),
     .help = "Where to listen.",
     .example = "0.0.0.0:8080",
     .flags = GW_REQUIRED},
    {.name = "tls",
     .set = gw_set_section,
     .at = offsetof(struct listener, tls),
     .rows = tls_rows,
     .help = "TLS, when clients shall use it."},
    {.name = "backlog",
     .set = gw_set_int,
     .at = offsetof(struct listener, backlog),
     .min = 1,
     .max = 65535,
     .initial = "1024",
     .help = "How many may wait."},
    {0},
};

static const struct gw_setting limit_rows[] = {
    {.name = "head",
     .set = gw_set_size,
     .at = offsetof(struct limits, head),
     .min = 1024,
     .max = 1048576,
     .initial = "64KiB",
     .help = "Request line and headers together."},
    {.name = "headers",
     .set = gw_set_int,
     .at = offsetof(struct limits, headers),
     .min = 1,
     .initial = "128",
     .help = "How many."},
    {.name = "body",
     .set = gw_set_size,
     .at = offsetof(struct limits, body),
     .initial = "unlimited",
     .help = "Of one request."},
    {.name = "share",
     .set = gw_set_percent,
     .at = offsetof(struct limits, share),
     .initial = "50%",
     .help = "At most | at least."},
    {0},
};

static const struct gw_setting timeout_rows[] = {
    {.name = "idle",
     .set = gw_set_duration,
     .at = offsetof(struct timeouts, idle),
     .min = 1000,
     .max = 86400000,
     .initial = "75s",
     .help = "Between two requests."},
    {.name = "head",
     .set = gw_set_duration,
     .at = offsetof(struct timeouts, head),
     .initial = "0",
     .help = "For a head."},
    {0},
};

static const struct gw_setting log_rows[] = {
    {.name = "level",
     .set = gw_set_word,
     .at = offsetof(struct log, level),
     .words = levels,
     .initial = "info",
     .help = "How much."},
    {.name = "on",
     .set = gw_set_bool,
     .at = offsetof(struct log, on),
     .initial = "true",
     .help = "At all."},
    {.name = "fields",
     .set = gw_set_text_list,
     .at = offsetof(struct log, fields),
     .initial = "[time, path]",
     .help = "Which."},
    {.name = "extra",
     .set = gw_set_json,
     .at = offsetof(struct log, extra),
     .example = "{site: berlin}",
     .help = "Added to each line."},
    {0},
};

static const struct gw_setting rows[] = {
    {.name = "listeners",
     .set = gw_set_list,
     .at = offsetof(struct config, listeners),
     .rows = listener_rows,
     .row_size = sizeof(struct listener),
     .help = "Where clients come in.",
     .flags = GW_REQUIRED | GW_RESTART},
    {.name = "limits",
     .set = gw_set_section,
     .at = offsetof(struct config, limits),
     .rows = limit_rows,
     .help = "What is too much."},
    {.name = "timeouts",
     .set = gw_set_section,
     .at = offsetof(struct config, timeouts),
     .rows = timeout_rows,
     .help = "What is too long."},
    {.name = "log",
     .set = gw_set_section,
     .at = offsetof(struct config, log),
     .rows = log_rows,
     .help = "What is written down."},
    {.name = "name", .set = gw_set_text, .at = offsetof(struct config, name), .help = "A name."},
    {0},
};

static const char *const others[] = {"modules", NULL};

/* A config that was read from text, and what there was to say about it. */
struct loaded {
    struct gw_yaml y;
    struct gw_arena *arena;
    struct gw_buf said;
    struct config c;
    bool good;
};

static struct loaded
load(const char *text)
{
    struct loaded x = {.arena = gw_arena_new()};
    struct gw_diag diag = {0};
    struct gw_loader l = {.arena = x.arena, .source = &x.y, .diag = &diag};

    (void)gw_yaml_read(&x.y, "f", gw_str_of(text), &diag);
    (void)gw_yaml_expand_env(&x.y, &diag);
    x.good = gw_schema_load(&l, &x.c, x.y.n_docs == 0 ? NULL : x.y.docs[0], rows, "", others);
    gw_buf_puts(&x.said, "");
    gw_diag_format(&diag, &x.said);
    gw_diag_fini(&diag);
    return x;
}

static void
unload(struct loaded *x)
{
    gw_arena_free(x->arena);
    gw_buf_fini(&x->said);
    gw_yaml_fini(&x->y);
}

static void
check_defaults(const struct config *c)
{
    assert_int_equal(c->limits.head, 65536);
    assert_int_equal(c->limits.headers, 128);
    assert_int_equal(c->limits.body, -1);
    assert_int_equal(c->limits.share, 50);
    assert_int_equal(c->timeouts.idle, 75000);
    assert_int_equal(c->timeouts.head, 0);
    assert_int_equal(c->log.level, 2);
    assert_true(c->log.on);
    assert_string_equal(c->log.fields[0], "time");
    assert_string_equal(c->log.fields[1], "path");
    assert_null(c->log.fields[2]);
    assert_null(c->log.extra);
    assert_null(c->name);
}

static void
test_defaults(void **state)
{
    static const char *const texts[] = {
        "",
        "listeners: []",
        "listeners: []\nlimits:\ntimeouts: ~\nlog: null\n",
        "listeners: []\nlimits: {}\nlog: {level: ~}\nmodules: {jwt: 1}\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct loaded x = load(texts[i]);

        assert_string_equal(x.said.p, "");
        assert_true(x.good);
        check_defaults(&x.c);
        unload(&x);
    }
}

static void
test_written_values(void **state)
{
    struct loaded x = load("listeners:\n"
                           "  - address: 0.0.0.0:80\n"
                           "  - {address: '[::]:443', backlog: 7, tls: {certificate: c, key: k}}\n"
                           "limits: {head: 2KiB, headers: 3, body: 1000, share: 0%}\n"
                           "timeouts: {idle: 1m30s, head: 0}\n"
                           "log: {level: debug, on: false, fields: one, extra: {a: [1]}}\n"
                           "name: ''\n");
    const struct listener *listeners = x.c.listeners.items;

    (void)state;
    assert_string_equal(x.said.p, "");
    assert_int_equal(x.c.listeners.n, 2);
    assert_string_equal(listeners[0].address, "0.0.0.0:80");
    assert_int_equal(listeners[0].backlog, 1024);
    assert_null(listeners[0].tls.certificate);
    assert_string_equal(listeners[1].tls.key, "k");
    assert_int_equal(listeners[1].backlog, 7);
    assert_int_equal(x.c.limits.head, 2048);
    assert_int_equal(x.c.limits.headers, 3);
    assert_int_equal(x.c.limits.body, 1000);
    assert_int_equal(x.c.limits.share, 0);
    assert_int_equal(x.c.timeouts.idle, 90000);
    assert_int_equal(x.c.timeouts.head, 0);
    assert_int_equal(x.c.log.level, 3);
    assert_false(x.c.log.on);
    assert_string_equal(x.c.log.fields[0], "one");
    assert_null(x.c.log.fields[1]);
    assert_int_equal(json_array_size(json_object_get(x.c.log.extra, "a")), 1);
    assert_string_equal(x.c.name, "");
    unload(&x);
}

static void
test_messages(void **state)
{
    /* clang-format off */
    static const char *const cases[][2] = {
        {"limits: {head: 12 parsecs}", "f:1:16: error: limits.head: expected a size such as 64KiB, got \"12 parsecs\"\n"},
        {"limits: {head: 1}",          "f:1:16: error: limits.head: 1 is below the minimum of 1KiB\n"},
        {"limits: {head: 2MiB}",       "f:1:16: error: limits.head: 2MiB is above the maximum of 1MiB\n"},
        {"limits: {head: unlimited}",  "f:1:16: error: limits.head: can't be unlimited, the maximum is 1MiB\n"},
        {"limits: {head: -5}",         "f:1:16: error: limits.head: expected a size such as 64KiB, got -5\n"},
        {"limits: {head: true}",       "f:1:10: error: limits.head: expected a size such as 64KiB, got true\n"},
        {"limits: {headers: 0}",       "f:1:19: error: limits.headers: 0 is below the minimum of 1\n"},
        {"limits: {headers: 1.5}",     "f:1:19: error: limits.headers: expected a whole number, got 1.5\n"},
        {"limits: {headers: '3'}",     "f:1:19: error: limits.headers: expected a whole number, got \"3\"\n"},
        {"limits: {share: 101%}",      "f:1:17: error: limits.share: expected a percentage from 0% to 100%, got \"101%\"\n"},
        {"limits: {share: 50}",        "f:1:17: error: limits.share: expected a percentage from 0% to 100%, got 50\n"},
        {"limits: 64KiB",              "f:1:9: error: limits: expected a mapping of settings, got \"64KiB\"\n"},
        {"timeouts: {idle: 0}",        "f:1:18: error: timeouts.idle: 0 is below the minimum of 1s\n"},
        {"timeouts: {idle: 25h}",      "f:1:18: error: timeouts.idle: 1d1h is above the maximum of 1d\n"},
        {"timeouts: {idle: 10}",       "f:1:18: error: timeouts.idle: 10 has no unit; write 10s or 10ms\n"},
        {"timeouts: {idle: [1]}",      "f:1:18: error: timeouts.idle: expected a duration such as 10s or 1h30m, got a list\n"},
        {"log: {level: warning}",      "f:1:14: error: log.level: expected one of error, warn, info, debug, got \"warning\"\n"},
        {"log: {level: eror}",         "f:1:14: error: log.level: expected one of error, warn, info, debug, got \"eror\" (did you mean \"error\"?)\n"},
        {"log: {on: yes}",             "f:1:11: error: log.on: expected true or false, got \"yes\"\n"},
        {"log: {fields: [a, 5, {}]}",  "f:1:19: error: log.fields[1]: expected text, got 5; write it in quotes\n"
                                       "f:1:22: error: log.fields[2]: expected text, got a mapping\n"},
        {"log: {fields: {a: b}}",      "f:1:15: error: log.fields: expected a list of texts, got a mapping\n"},
        {"name: 1.10",                 "f:1:7: error: name: expected text, got 1.1; write it in quotes\n"},
        {"name: true",                 "f:1:1: error: name: expected text, got true; write it in quotes\n"},
        {"name: \"a\\0b\"",            "f:1:7: error: name: text can't hold a NUL byte\n"},
        {"listner: 1",                 "f:1:1: error: unknown setting \"listner\" (did you mean \"listeners\"?)\n"},
        {"limits: {bodey: 1}",         "f:1:10: error: limits: unknown setting \"bodey\" (did you mean \"body\"?)\n"},
        {"timeouts: {frob: 1}",        "f:1:12: error: timeouts: unknown setting \"frob\" (known here: idle, head)\n"},
        {"moduls: {}",                 "f:1:1: error: unknown setting \"moduls\" (did you mean \"modules\"?)\n"},
    };
    /* clang-format on */

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct gw_buf text = {0};

        gw_buf_printf(&text, "%s\nlisteners: []\n", cases[i][0]);
        struct loaded x = load(text.p);
        assert_string_equal(x.said.p, cases[i][1]);
        assert_false(x.good);
        check_defaults(&x.c); /* what is wrong leaves the default */
        unload(&x);
        gw_buf_fini(&text);
    }
}

static void
test_lists(void **state)
{
    struct loaded x = load("listeners:\n"
                           "- address: ''\n"
                           "- addres: a:1\n"
                           "  backlog: 0\n"
                           "-\n"
                           "- just text\n"
                           "- address: a:1\n"
                           "  tls: {key: k}\n");

    (void)state;
    assert_string_equal(
        x.said.p,
        "f:2:1: error: listeners[2]: expected a mapping of settings, got nothing\n"
        "f:2:12: error: listeners[0].address: can't be empty\n"
        "f:3:3: error: listeners[1]: unknown setting \"addres\" (did you mean \"address\"?)\n"
        "f:3:3: error: listeners[1].address: is required; for example: 0.0.0.0:8080\n"
        "f:4:12: error: listeners[1].backlog: 0 is below the minimum of 1\n"
        "f:6:3: error: listeners[3]: expected a mapping of settings, got \"just text\"\n"
        "f:8:8: error: listeners[4].tls.certificate: is required; for example: /etc/tls.crt\n");
    assert_int_equal(x.c.listeners.n, 5);
    unload(&x);

    x = load("listeners: {address: a:1}\nname: n\n");
    assert_string_equal(
        x.said.p,
        "f:1:12: error: listeners: expected a list (each item after a \"- \"), got a mapping\n");
    unload(&x);
    x = load("name: n\n");
    assert_string_equal(x.said.p, "f:1:1: error: listeners: is required\n");
    unload(&x);
    x = load("[1]\n");
    assert_string_equal(x.said.p, "f:1:1: error: expected a mapping of settings, got a list\n");
    check_defaults(&x.c);
    unload(&x);
}

static void
test_values_from_the_environment(void **state)
{
    (void)state;
    assert_int_equal(setenv("GW_T_N", "12", 1), 0);
    assert_int_equal(setenv("GW_T_B", "false", 1), 0);
    struct loaded x =
        load("listeners: []\nlimits: {headers: \"${GW_T_N}\", head: \"${GW_T_N}KiB\"}\n"
             "log: {on: \"${GW_T_B}\"}\nname: ${GW_T_N}\n");
    assert_string_equal(x.said.p, "");
    assert_int_equal(x.c.limits.headers, 12);
    assert_int_equal(x.c.limits.head, 12288);
    assert_false(x.c.log.on);
    assert_string_equal(x.c.name, "12");
    unload(&x);
    x = load("listeners: []\nlimits: {headers: \"${GW_T_B}\"}\n");
    assert_string_equal(x.said.p,
                        "f:2:19: error: limits.headers: expected a whole number, got \"false\"\n");
    unload(&x);
}

static void
test_without_places(void **state)
{
    struct gw_diag diag = {0};
    struct gw_loader l = {.arena = gw_arena_new(), .diag = &diag};
    json_t *spec = json_pack("{s:i, s:[]}", "name", 5, "listeners");
    struct config c = {0};

    (void)state;
    assert_false(gw_schema_load(&l, &c, spec, rows, "spec", NULL));
    assert_int_equal(diag.n, 1);
    assert_null(diag.findings[0].place.file);
    assert_string_equal(gw_diag_first(&diag),
                        "spec.name: expected text, got 5; write it in quotes");
    check_defaults(&c);
    json_decref(spec);
    gw_diag_fini(&diag);
    gw_arena_free(l.arena);
}

static void
test_sizes_and_durations(void **state)
{
    /* clang-format off */
    static const struct { const char *text; bool good; long long value; } sizes[] = {
        {"0", true, 0}, {"65536", true, 65536}, {"64KiB", true, 65536}, {"64 KiB", true, 65536},
        {"1MiB", true, 1048576}, {"1GiB", true, 1073741824}, {"8388607TiB", true, 8388607LL << 40},
        {"8388608TiB", false, 0}, {"64Ki", true, 65536}, {"1kB", true, 1000}, {"5B", true, 5},
        {"unlimited", true, -1}, {"", false, 0}, {"KiB", false, 0}, {"-1", false, 0},
        {"1.5MiB", false, 0}, {"64K", false, 0}, {"64KiBs", false, 0}, {"1KiB1", false, 0},
        {"99999999999999999999", false, 0}, {"9223372036854775808", false, 0},
    };
    static const struct { const char *text; bool good; long long value; } durations[] = {
        {"0", true, 0}, {"10s", true, 10000}, {"500ms", true, 500}, {"1h30m", true, 5400000},
        {"1d", true, 86400000}, {"1m1ms", true, 60001}, {"1h 30m", true, 5400000},
        {"0s", true, 0}, {"", false, 0}, {"10", false, 0}, {"s", false, 0}, {"-1s", false, 0},
        {"30m1h", false, 0}, {"1s1s", false, 0}, {"1.5s", false, 0}, {"1w", false, 0},
        {"99999999999999999999d", false, 0}, {"9223372036854775807h", false, 0}, {"1s5", false, 0},
    };
    /* clang-format on */

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        long long value = 77;

        assert_int_equal(gw_parse_size(gw_str_of(sizes[i].text), &value), sizes[i].good);
        assert_int_equal(value, sizes[i].good ? sizes[i].value : 77);
    }
    for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
        long long value = 77;

        assert_int_equal(gw_parse_duration(gw_str_of(durations[i].text), &value),
                         durations[i].good);
        assert_int_equal(value, durations[i].good ? durations[i].value : 77);
    }
}

/* The generated file is one that we accept ourselves, and it holds what we have anyway. */
static void
test_reference_as_yaml(void **state)
{
    struct gw_buf out = {0};

    (void)state;
    gw_schema_yaml(&out, rows, 0);
    struct loaded x = load(out.p);
    assert_string_equal(x.said.p, "");
    check_defaults(&x.c);
    assert_int_equal(x.c.listeners.n, 1);
    assert_string_equal(((struct listener *)x.c.listeners.items)->address, "0.0.0.0:8080");
    assert_null(((struct listener *)x.c.listeners.items)->tls.certificate);
    unload(&x);
    assert_non_null(strstr(out.p, "# Request line and headers together. (a size, 1KiB to 1MiB)\n"
                                  "  head: 64KiB\n"));
    assert_non_null(strstr(out.p, "  #extra: {site: berlin}\n"));
    assert_non_null(strstr(out.p, "    #tls:\n"));
    gw_buf_fini(&out);
}

static void
test_reference_as_markdown(void **state)
{
    struct gw_buf out = {0};

    (void)state;
    gw_schema_markdown(&out, rows, "");
    assert_non_null(strstr(out.p, "| `listeners` | a list of sections | *required* | Where "
                                  "clients come in. A change needs a restart. |\n"));
    assert_non_null(strstr(out.p, "\n## `listeners[]`\n\n| setting |"));
    assert_non_null(strstr(out.p, "\n## `listeners[].tls`\n"));
    assert_non_null(strstr(out.p, "| `share` | a percentage | `50%` | At most \\| at least. |\n"));
    assert_non_null(strstr(out.p, "| `level` | one of error, warn, info, debug | `info` |"));
    gw_buf_fini(&out);
}

static void
test_reference_as_json_schema(void **state)
{
    json_t *schema = gw_schema_json(rows);
    json_t *properties = json_object_get(schema, "properties");
    json_t *items = json_object_get(json_object_get(properties, "listeners"), "items");
    json_t *limits = json_object_get(json_object_get(properties, "limits"), "properties");

    (void)state;
    assert_int_equal(json_object_size(properties), 5);
    assert_string_equal(json_string_value(json_array_get(json_object_get(items, "required"), 0)),
                        "address");
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(limits, "head"), "default")), "64KiB");
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(limits, "headers"), "minimum")), 1);
    assert_true(json_is_false(json_object_get(schema, "additionalProperties")));
    json_decref(schema);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_written_values),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_values_from_the_environment),
        cmocka_unit_test(test_without_places),
        cmocka_unit_test(test_sizes_and_durations),
        cmocka_unit_test(test_reference_as_yaml),
        cmocka_unit_test(test_reference_as_markdown),
        cmocka_unit_test(test_reference_as_json_schema),
    };

    return cmocka_run_group_tests_name("schema", tests, NULL, NULL);
}
