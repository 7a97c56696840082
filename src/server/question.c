#include "server/question.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "config/json.h"
#include "gateway/explain_attrs.h"

/* Reads one case; its texts are the JSON's. */
struct reader {
    struct gw_arena *arena;
    const json_t *json;
    char *why; /* [512]; "" while all is well */
};

static void
complain(struct reader *r, const char *name, const char *expected)
{
    if (r->why[0] == '\0') {
        (void)snprintf(r->why, 512, "%s: expected %s", name, expected);
    }
}

static struct gw_str
text_of(struct reader *r, const json_t *object, const char *name, const char *path)
{
    const json_t *v = json_object_get(object, name);

    if (v != NULL && !json_is_null(v) && !json_is_string(v)) {
        complain(r, path, "a text");
    }
    return gw_json_text(v);
}

static void
read_groups(struct reader *r, const json_t *list, struct gw_question *q)
{
    struct gw_str *groups = gw_arena_alloc(r->arena, (json_array_size(list) + 1) * sizeof(*groups));

    if (list != NULL && !json_is_null(list) && !json_is_array(list)) {
        complain(r, "user.groups", "a list of texts");
    }
    for (; q->n_groups < json_array_size(list); q->n_groups++) {
        const json_t *v = json_array_get(list, q->n_groups);

        if (!json_is_string(v)) {
            complain(r, "user.groups", "a list of texts");
        }
        groups[q->n_groups] = gw_json_text(v);
    }
    q->groups = groups;
}

static void
read_headers(struct reader *r, const json_t *headers, struct gw_question *q)
{
    struct gw_header *list =
        gw_arena_alloc(r->arena, (json_object_size(headers) + 1) * sizeof(*list));
    const char *name;
    json_t *value;

    if (headers != NULL && !json_is_null(headers) && !json_is_object(headers)) {
        complain(r, "headers", "an object of texts");
    }
    json_object_foreach(gw_json_loose(headers), name, value)
    {
        if (!json_is_string(value)) {
            complain(r, "headers", "an object of texts");
        }
        list[q->n_headers++] = (struct gw_header){
            .name = gw_str_of(name),
            .value = gw_json_text(value),
        };
    }
    q->headers = list;
}

/* The URL's authority, or the host that the case names. */
static void
read_target(struct reader *r, struct gw_question *q)
{
    q->method = text_of(r, r->json, "method", "method");
    q->url = text_of(r, r->json, "url", "url");
    q->host = text_of(r, r->json, "host", "host");
    if (q->method.n == 0 || q->url.n == 0) {
        complain(r, "method and url", "both, or attrs");
    }
}

/* One that is misspelt would be that of another question. */
static void
check_attr(struct reader *r, const struct gw_explain_attr *a, const char *name, const json_t *v)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "attrs.%.50s", name);
    if (strcasecmp(name, a->name) != 0) {
        return;
    }
    if (strcmp(name, a->name) != 0) {
        complain(r, path, gw_arena_printf(r->arena, "it written as \"%s\"", a->name));
    } else if (!json_is_null(v) && !(a->is_flag ? json_is_boolean(v) : json_is_string(v))) {
        complain(r, path, a->is_flag ? "true or false" : "a text");
    }
}

static void
check_attrs(struct reader *r, const json_t *attrs)
{
    const json_t *v;
    const char *name;

    json_object_foreach(gw_json_loose(attrs), name, v)
    {
        for (const struct gw_explain_attr *a = gw_explain_attrs; a->name != NULL; a++) {
            check_attr(r, a, name, v);
        }
    }
}

static bool
read_case(struct reader *r, struct gw_question *q)
{
    const json_t *user = json_object_get(r->json, "user");
    const json_t *attrs = json_object_get(r->json, "attrs");

    if (!json_is_object(r->json)) {
        complain(r, "the case", "an object");
        return false;
    }
    if (json_is_object(attrs)) {
        q->attrs = attrs;
        check_attrs(r, attrs);
    } else if (attrs != NULL && !json_is_null(attrs)) {
        complain(r, "attrs", "an object");
    } else {
        read_target(r, q);
    }
    if (user != NULL && !json_is_null(user) && !json_is_object(user)) {
        complain(r, "user", "an object with name and groups");
    }
    q->user = text_of(r, user, "name", "user.name");
    if (json_is_object(user) && q->user.p == NULL) {
        q->user = GW_STR(""); /* somebody is meant, who has no name */
    }
    q->remote_addr = text_of(r, r->json, "remoteAddr", "remoteAddr");
    read_groups(r, json_object_get(user, "groups"), q);
    read_headers(r, json_object_get(r->json, "headers"), q);
    struct gw_str token = text_of(r, r->json, "token", "token");
    if (token.n > 0) {
        q->authorization = gw_str_of(gw_arena_printf(r->arena, "Bearer %.*s", GW_STR_ARG(token)));
    }
    return r->why[0] == '\0';
}

bool
gw_question_read(struct gw_question *q, struct gw_arena *arena, const json_t *json, char why[512])
{
    struct reader r = {.arena = arena, .json = json, .why = why};

    why[0] = '\0';
    *q = (struct gw_question){0};
    return read_case(&r, q);
}
