/* explain_table.c - an answer of `explain` in a few readable lines. */
#include "modules/access_line.h"
#include "server/cli_explain.h"

static const char *
at(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text == NULL ? "" : text;
}

/* Adds a row; frees the value. */
static void
row(struct gw_table *t, const char *name, struct gw_buf *value)
{
    if (value->n > 0) {
        gw_table_add(t, name);
        gw_table_add(t, value->p);
    }
    gw_buf_fini(value);
}

static void
list(struct gw_buf *out, const json_t *array)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        gw_buf_printf(out, "%s%s", i == 0 ? "" : ", ", json_string_value(json_array_get(array, i)));
    }
}

static void
add_decision(struct gw_table *t, const json_t *answer)
{
    struct gw_buf v = {0};
    const json_t *status = json_object_get(answer, "status");

    gw_buf_puts(&v, strcmp(at(answer, "decision"), "allow") == 0 ? "allowed" : "denied");
    if (status != NULL) {
        gw_buf_printf(&v, ", but the answer is %lld", (long long)json_integer_value(status));
        if (strcmp(at(answer, "decision"), "allow") != 0) {
            gw_buf_reset(&v);
            gw_buf_printf(&v, "denied: %lld", (long long)json_integer_value(status));
        }
    }
    row(t, "decision", &v);
    gw_buf_puts(&v, at(answer, "message"));
    row(t, "answer", &v);
}

static void
add_why(struct gw_table *t, const json_t *answer)
{
    struct gw_buf v = {0};
    const json_t *rule = json_object_get(answer, "rule");
    const char *policy = at(answer, "policy");

    gw_buf_puts(&v, at(answer, "reason"));
    if (v.n == 0 && strcmp(at(answer, "decision"), "allow") == 0) {
        gw_buf_printf(&v, "%s: no role is asked for this", policy);
    }
    row(t, "because", &v);
    gw_buf_puts(&v, at(answer, "nearest"));
    row(t, "nearest", &v);
    if (*at(answer, "candidate") != '\0') {
        gw_buf_printf(&v, "%s: %s", at(answer, "candidate"), at(answer, "candidateReason"));
    }
    row(t, "candidate", &v);
    if (json_is_object(rule)) {
        const json_t *index = json_object_get(rule, "index");

        gw_buf_printf(&v, "%s \"%s\", ", at(rule, "kind"), at(rule, "name"));
        if (index == NULL) {
            gw_buf_puts(&v, "its policy");
        } else {
            gw_buf_printf(&v, "rules[%lld]", (long long)json_integer_value(index));
        }
        row(t, "rule", &v);
    }
}

static void
add_who(struct gw_table *t, const json_t *answer)
{
    const json_t *subject = json_object_get(answer, "subject");
    const json_t *groups = json_object_get(subject, "groups");
    struct gw_buf v = {0};

    gw_buf_puts(&v, at(subject, "name"));
    if (json_array_size(groups) > 0) {
        gw_buf_puts(&v, ", in ");
        list(&v, groups);
    }
    row(t, "who", &v);
    if (*at(subject, "credential") != '\0') {
        gw_buf_printf(&v, "%s, from %s", at(subject, "by"), at(subject, "credential"));
    }
    row(t, "credential", &v);
}

void
gw_explain_what(struct gw_buf *out, const json_t *answer)
{
    const json_t *i = json_object_get(answer, "requestInfo");

    if (json_is_true(json_object_get(i, "isResourceRequest"))) {
        gw_buf_printf(out, "%s %s", at(i, "verb"), at(i, "resource"));
        if (*at(i, "subresource") != '\0') {
            gw_buf_printf(out, "/%s", at(i, "subresource"));
        }
        if (*at(i, "name") != '\0') {
            gw_buf_printf(out, " \"%s\"", at(i, "name"));
        }
        if (*at(i, "apiGroup") != '\0') {
            gw_buf_printf(out, " of %s", at(i, "apiGroup"));
        }
        static const char *const places[] = {"cluster", "workspace", "namespace"};
        for (size_t k = 0; k < 3; k++) {
            if (*at(i, places[k]) != '\0') {
                gw_buf_printf(out, ", %s \"%s\"", places[k], at(i, places[k]));
            }
        }
        gw_buf_printf(out, " (scope %s)", at(i, "resourceScope"));
    } else if (*at(i, "verb") != '\0') {
        gw_buf_printf(out, "%s the path %s", at(i, "verb"), at(i, "path"));
    }
}

static void
add_what(struct gw_table *t, const json_t *answer)
{
    struct gw_buf v = {0};

    gw_explain_what(&v, answer);
    row(t, "what", &v);
}

static void
add_unhealthy(struct gw_table *t, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *o = json_array_get(list, i);
        struct gw_buf v = {0};

        gw_buf_printf(&v, "%s: %s", at(o, "endpoint"), at(o, "reason"));
        if (json_object_get(o, "since") != NULL) {
            gw_buf_printf(&v, ", since %s", at(o, "since"));
        }
        row(t, "unhealthy", &v);
    }
}

/* How the extension hears who asks. */
static const char *
told(const char *identity)
{
    if (strcmp(identity, "headers") == 0) {
        return "who asks, in the headers X-Remote-*";
    }
    if (strcmp(identity, "assertion") == 0) {
        return "who asks, by a signed token in X-Ksgate-Assertion";
    }
    return strcmp(identity, "none") == 0 ? "nothing of who asks" : "";
}

static void
add_where(struct gw_table *t, const json_t *answer)
{
    struct gw_buf v = {0};

    gw_buf_puts(&v, at(answer, "route"));
    if (*at(answer, "extension") != '\0') {
        gw_buf_printf(&v, " \"%s\"", at(answer, "extension"));
    }
    if (json_array_size(json_object_get(answer, "endpoints")) > 0) {
        gw_buf_puts(&v, ": ");
        list(&v, json_object_get(answer, "endpoints"));
    }
    row(t, "route", &v);
    const json_t *version = json_object_get(answer, "version");
    if (json_is_object(version)) {
        const char *name = at(version, "name");

        gw_buf_printf(&v, "%s (%s): %s", *name == '\0' ? "without a name" : name, at(version, "by"),
                      at(version, "why"));
    }
    row(t, "version", &v);
    gw_buf_puts(&v, told(at(answer, "identity")));
    row(t, "told", &v);
    add_unhealthy(t, json_object_get(answer, "unhealthy"));
}

/* A question may hold a token, and its answer may be shown around. */
static void
add_request(struct gw_table *t, const json_t *question)
{
    struct gw_arena *a = gw_arena_new();
    struct gw_str query = gw_str_of(at(question, "url"));
    struct gw_str path = gw_str_cut(&query, '?');
    struct gw_buf v = {0};

    gw_buf_printf(&v, "%s %.*s", at(question, "method"), GW_STR_ARG(path));
    if (query.p != NULL) {
        gw_buf_puts(&v, "?");
        gw_buf_str(&v, gw_access_query(a, query));
    }
    row(t, "request", &v);
    gw_arena_free(a);
}

/* Only one that was sent has a time. */
static void
add_when(struct gw_table *t, const json_t *question)
{
    struct gw_buf v = {0};

    if (*at(question, "time") != '\0') {
        gw_buf_printf(&v, "%s, from %s", at(question, "time"), at(question, "clientIP"));
    }
    row(t, "when", &v);
}

void
gw_explain_table(struct gw_buf *out, const json_t *question, const json_t *answer)
{
    struct gw_table t = {.columns = 2};

    add_request(&t, question);
    add_when(&t, question);
    add_who(&t, answer);
    add_what(&t, answer);
    add_decision(&t, answer);
    add_why(&t, answer);
    add_where(&t, answer);
    gw_table_print(&t, out);
    gw_table_fini(&t);
}
