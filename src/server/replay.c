#include "server/replay.h"

#include "server/cli_explain.h"

#define URL_KEPT  1024 /* decisions_text.c keeps no more of a text */
#define SHOWN_MAX 50   /* differences; JSON has all */

static const char *
at(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text == NULL ? "" : text;
}

/* ---- one decision --------------------------------------------------------------------------- */

static bool
is(const json_t *object, const char *name, const char *value)
{
    return strcmp(at(object, name), value) == 0;
}

static json_t *
question_of(const json_t *kept)
{
    const json_t *subject = json_object_get(kept, "subject");
    json_t *q =
        json_pack("{s:s, s:s, s:s, s:s}", "method", at(kept, "method"), "url", at(kept, "url"),
                  "host", at(kept, "host"), "remoteAddr", at(kept, "clientIP"));
    json_t *user = json_pack("{s:s, s:O?}", "name", at(subject, "name"), "groups",
                             json_object_get(subject, "groups"));

    if (q != NULL && user != NULL) {
        json_object_set_new(q, "user", user);
    }
    return q;
}

/* Roles had no say in it. */
static bool
is_roleless(const json_t *kept)
{
    return is(kept, "policy", "credential") || is(kept, "policy", "admin-socket") ||
           is(kept, "policy", "allow_all") || is(kept, "policy", "path") ||
           *at(kept, "method") == '\0';
}

static void
count(struct gw_replay *r, const char *change, const json_t *kept, const json_t *now,
      const json_t *then)
{
    bool denied = strcmp(change, "denied") == 0;
    const char *user = at(json_object_get(kept, "subject"), "name");
    struct gw_buf key = {0};

    gw_buf_printf(&key, "%s %s %s %s", change, user, at(kept, "method"), at(kept, "url"));
    json_t *d = gw_map_get(r->known, gw_buf_text(&key));
    if (d == NULL) {
        d = json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:O?, s:s, s:s}", "change", change, "count",
                      0, "id", at(kept, "id"), "user", user, "method", at(kept, "method"), "url",
                      at(kept, "url"), "requestInfo", json_object_get(kept, "requestInfo"),
                      denied ? "before" : "after", at(denied ? now : then, "reason"), "nearest",
                      at(denied ? then : now, "nearest"));
        json_array_append_new(r->differences, d);
        gw_map_put(r->known, gw_buf_text(&key), d);
    }
    json_object_set_new(d, "count",
                        json_integer(json_integer_value(json_object_get(d, "count")) + 1));
    r->denied += denied ? 1 : 0;
    r->allowed += denied ? 0 : 1;
    gw_buf_fini(&key);
}

static void
compare(struct gw_replay *r, const json_t *kept, const json_t *now, const json_t *then)
{
    bool was = is(now, "decision", "allow");
    bool will = is(then, "decision", "allow");

    r->replayed++;
    r->since += is(kept, "decision", "allow") != was ? 1 : 0;
    gw_map_put(r->users, gw_str_of(at(json_object_get(kept, "subject"), "name")), r);
    if (was != will) {
        count(r, was ? "denied" : "allowed", kept, now, then);
    }
}

void
gw_replay_one(struct gw_replay *r, const json_t *kept)
{
    char why[512];

    if (r->users == NULL) {
        r->users = gw_map_new();
        r->known = gw_map_new();
        r->differences = json_array();
    }
    if (is_roleless(kept)) {
        r->roleless++;
        return;
    }
    if (strlen(at(kept, "url")) >= URL_KEPT) {
        r->cut++;
        return;
    }
    json_t *q = question_of(kept);
    json_t *now = q == NULL ? NULL : gw_asker_ask(&r->now, q, why);
    json_t *then = now == NULL ? NULL : gw_asker_ask(&r->then, q, why);
    if (then == NULL) {
        r->unanswered++;
    } else {
        compare(r, kept, now, then);
    }
    json_decref(q);
    json_decref(now);
    json_decref(then);
}

void
gw_replay_fini(struct gw_replay *r)
{
    gw_asker_close(&r->now);
    gw_asker_close(&r->then);
    if (r->users != NULL) {
        gw_map_free(r->users, NULL);
        gw_map_free(r->known, NULL);
    }
    json_decref(r->differences);
    *r = (struct gw_replay){0};
}

/* ---- what came of it ------------------------------------------------------------------------ */

static size_t
users_of(const struct gw_replay *r)
{
    return r->users == NULL ? 0 : gw_map_count(r->users);
}

json_t *
gw_replay_json(const struct gw_replay *r)
{
    json_t *none = r->differences == NULL ? json_array() : NULL;
    json_t *all = json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:{s:I, s:I, s:I}, s:O}", "replayed", (json_int_t)r->replayed,
        "users", (json_int_t)users_of(r), "newlyDenied", (json_int_t)r->denied, "newlyAllowed",
        (json_int_t)r->allowed, "changedSince", (json_int_t)r->since, "skipped", "roleless",
        (json_int_t)r->roleless, "cut", (json_int_t)r->cut, "unanswered", (json_int_t)r->unanswered,
        "differences", none != NULL ? none : r->differences);

    json_decref(none);
    return all;
}

static void
say_difference(struct gw_buf *out, const json_t *d)
{
    long long n = (long long)json_integer_value(json_object_get(d, "count"));

    gw_buf_printf(out, "\n%s: newly %s, %lld %s, last %s\n  ", at(d, "user"), at(d, "change"), n,
                  n == 1 ? "time" : "times", at(d, "id"));
    gw_explain_what(out, d);
    gw_buf_printf(out, "\n  %s %s\n", at(d, "method"), at(d, "url"));
    if (*at(d, "before") != '\0') {
        gw_buf_printf(out, "  now      %s\n", at(d, "before"));
    }
    if (*at(d, "after") != '\0') {
        gw_buf_printf(out, "  then     %s\n", at(d, "after"));
    }
    gw_buf_printf(out, "  nearest  %s\n", at(d, "nearest"));
}

static void
say_skipped(struct gw_buf *out, size_t n, const char *why)
{
    if (n > 0) {
        gw_buf_printf(out, "%zu not replayed: %s\n", n, why);
    }
}

void
gw_replay_text(const struct gw_replay *r, struct gw_buf *out)
{
    size_t n = json_array_size(r->differences);

    gw_buf_printf(out, "would newly deny %zu and newly allow %zu of %zu decisions, by %zu %s\n",
                  r->denied, r->allowed, r->replayed, users_of(r),
                  users_of(r) == 1 ? "caller" : "callers");
    say_skipped(out, r->roleless,
                "no role was asked (open paths, bad credentials, the admin socket)");
    say_skipped(out, r->cut, "of the URL only the beginning is kept");
    say_skipped(out, r->unanswered, "a step had to wait for somebody else's answer");
    if (r->since > 0) {
        gw_buf_printf(out,
                      "%zu were decided otherwise when they were sent: what is registered has "
                      "changed since\n",
                      r->since);
    }
    for (size_t i = 0; i < n && i < SHOWN_MAX; i++) {
        say_difference(out, json_array_get(r->differences, i));
    }
    if (n > SHOWN_MAX) {
        gw_buf_printf(out, "\n... and %zu more: -o json has all\n", n - SHOWN_MAX);
    }
}
