#include "server/cli_objects.h"

#include <ctype.h>
#include <stdlib.h>

#include "server/kind_names.h"

#define PAGE 500 /* objects that one request asks for */

static const struct gw_kind *
by_short_name(struct gw_str typed)
{
    for (const struct gw_kind *k = gw_kinds; k->kind != NULL; k++) {
        const char *letters = gw_kind_short_name(k);

        if (letters != NULL && gw_str_eq_nocase(typed, gw_str_of(letters))) {
            return k;
        }
    }
    return NULL;
}

static bool
is_called(const struct gw_kind *k, struct gw_str name, struct gw_str group)
{
    bool named =
        gw_str_eq_nocase(name, gw_str_of(k->plural)) || gw_str_eq_nocase(name, gw_str_of(k->kind));

    return named && (group.p == NULL || gw_str_eq_nocase(group, gw_str_of(k->group)));
}

static const struct gw_kind *
no_kind(const struct gw_cli *c, const char *typed)
{
    struct gw_buf lower = {0};
    struct gw_words names = {0};
    const char *near;

    for (const char *p = typed; *p != '\0'; p++) {
        char letter = (char)tolower((unsigned char)*p);

        gw_buf_add(&lower, &letter, 1);
    }
    for (const struct gw_kind *k = gw_kinds; k->kind != NULL; k++) {
        gw_words_add(&names, k->plural);
    }
    near = gw_diag_nearest(gw_buf_text(&lower), names.list);
    if (near != NULL) {
        (void)gw_cli_misuse(c, "there is no kind '%s' (did you mean '%s'?)", typed, near);
    } else {
        (void)gw_cli_misuse(c, "there is no kind '%s'", typed);
    }
    gw_words_fini(&names);
    gw_buf_fini(&lower);
    return NULL;
}

const struct gw_kind *
gw_cli_kind(const struct gw_cli *c, const char *typed)
{
    struct gw_str group = gw_str_of(typed);
    struct gw_str name = gw_str_cut(&group, '.');
    const struct gw_kind *found = group.p == NULL ? by_short_name(name) : NULL;

    for (const struct gw_kind *k = gw_kinds; k->kind != NULL && found == NULL; k++) {
        if (is_called(k, name, group)) {
            found = k;
        }
    }
    return found == NULL ? no_kind(c, typed) : found;
}

void
gw_cli_object_path(struct gw_buf *out, const struct gw_kind *kind, struct gw_str ns,
                   struct gw_str name)
{
    if (kind->group[0] == '\0') {
        gw_buf_printf(out, "/-/api/%s/", kind->version);
    } else {
        gw_buf_printf(out, "/-/apis/%s/%s/", kind->group, kind->version);
    }
    if (kind->namespaced && ns.n > 0) {
        gw_buf_puts(out, "namespaces/");
        gw_client_escape(out, ns);
        gw_buf_puts(out, "/");
    }
    gw_buf_puts(out, kind->plural);
    if (name.n > 0) {
        gw_buf_puts(out, "/");
        gw_client_escape(out, name);
    }
}

void
gw_cli_object_name(struct gw_buf *out, const struct gw_kind *kind, const char *name)
{
    gw_kind_singular(out, kind);
    gw_buf_printf(out, "/%s", name);
}

static bool
is_fine(unsigned status)
{
    return status >= 200 && status < 300;
}

json_t *
gw_cli_status(struct gw_str message, unsigned code)
{
    json_t *status =
        json_pack("{s:s, s:s, s:s}", "apiVersion", "v1", "kind", "Status", "status", "Failure");

    (void)json_object_set_new(status, "message", gw_cli_text_json(message));
    if (code > 0) {
        (void)json_object_set_new(status, "code", json_integer(code));
    }
    return status;
}

/* The Status that an answer holds, or one in its place. */
static json_t *
status_of(const struct gw_client_answer *answer)
{
    json_t *status =
        json_loadb(answer->body.p == NULL ? "" : answer->body.p, answer->body.n, 0, NULL);
    const json_t *message = json_object_get(status, "message");
    struct gw_buf problem = {0};

    if (json_string_length(message) == 0) {
        json_decref(status);
        gw_client_problem(answer, &problem);
        status = gw_cli_status(gw_buf_text(&problem), answer->status);
        gw_buf_fini(&problem);
    }
    return status;
}

unsigned
gw_cli_try(const struct gw_client *client, const char *method, const char *target,
           const json_t *body, json_t **json, json_t **failure)
{
    struct gw_client_answer answer;
    struct gw_diag diag = {0};
    struct gw_buf problem = {0};
    char *text = body == NULL ? NULL : json_dumps(body, JSON_COMPACT);
    unsigned status = 0;

    *json = *failure = NULL;
    if (!gw_client_call(client, method, target,
                        body == NULL ? GW_STR_NONE : GW_STR("application/json"), gw_str_of(text),
                        &answer, &diag)) {
        *failure = gw_cli_status(gw_str_of(gw_diag_first(&diag)), 0);
    } else if (is_fine(answer.status)) {
        status = answer.status;
        *json = json_loadb(answer.body.p == NULL ? "" : answer.body.p, answer.body.n, 0, NULL);
        if (*json == NULL) {
            gw_buf_printf(&problem, "the gateway's answer to %s %s is not JSON", method, target);
            *failure = gw_cli_status(gw_buf_text(&problem), 0);
            status = 0;
        }
    } else {
        status = answer.status;
        *failure = status_of(&answer);
    }
    gw_buf_fini(&answer.body);
    gw_buf_fini(&problem);
    gw_diag_fini(&diag);
    free(text);
    return status;
}

unsigned
gw_cli_call(const struct gw_cli *c, const struct gw_client *client, const char *method,
            const char *target, const json_t *body, json_t **json, struct gw_buf *problem)
{
    json_t *failure = NULL;
    unsigned status = gw_cli_try(client, method, target, body, json, &failure);
    const char *message = json_string_value(json_object_get(failure, "message"));

    if (status == 0) {
        (void)gw_cli_fail(c, "%s", message);
    } else if (failure != NULL) {
        gw_buf_puts(problem, message);
    }
    json_decref(failure);
    return status;
}

/* ---- all of a kind ------------------------------------------------------------------------- */

struct listing {
    const struct gw_cli *cli;
    const struct gw_client *client;
    const struct gw_kind *kind;
    struct gw_str ns, selector;
};

/* after: the token of the page before, or NULL. */
static json_t *
ask_page(const struct listing *l, const char *after)
{
    struct gw_buf target = {0};
    struct gw_buf problem = {0};
    json_t *json = NULL;

    gw_cli_object_path(&target, l->kind, l->ns, GW_STR_NONE);
    gw_buf_printf(&target, "?limit=%d", PAGE);
    if (l->selector.n > 0) {
        gw_buf_puts(&target, "&labelSelector=");
        gw_client_escape(&target, l->selector);
    }
    if (after != NULL) {
        gw_buf_puts(&target, "&continue=");
        gw_client_escape(&target, gw_str_of(after));
    }
    (void)gw_cli_call(l->cli, l->client, "GET", target.p, NULL, &json, &problem);
    if (problem.n > 0) {
        (void)gw_cli_fail(l->cli, "%s", problem.p);
    }
    gw_buf_fini(&target);
    gw_buf_fini(&problem);
    return json;
}

json_t *
gw_cli_list(const struct gw_cli *c, const struct gw_client *client, const struct gw_kind *kind,
            struct gw_str ns, struct gw_str selector)
{
    const struct listing l = {
        .cli = c, .client = client, .kind = kind, .ns = ns, .selector = selector};
    json_t *all = ask_page(&l, NULL);
    json_t *metadata = json_object_get(all, "metadata");
    json_t *after = json_incref(json_object_get(metadata, "continue"));

    while (after != NULL) {
        json_t *page = ask_page(&l, json_string_value(after));

        json_decref(after);
        if (page == NULL) {
            json_decref(all);
            return NULL;
        }
        (void)json_array_extend(json_object_get(all, "items"), json_object_get(page, "items"));
        after = json_incref(json_object_get(json_object_get(page, "metadata"), "continue"));
        json_decref(page);
    }
    (void)json_object_del(metadata, "continue");
    (void)json_object_del(metadata, "remainingItemCount");
    return all;
}
