#include "modules/jwt_status.h"

#include "base/clock.h"
#include "modules/jwt_http.h"
#include "modules/jwt_source.h"

static struct gw_jwt_source *
next_used(struct gw_jwt_source *s)
{
    while (s != NULL && !atomic_load(&s->used)) {
        s = s->next;
    }
    return s;
}

/* How many before it look the same: a series may not stand there twice. */
static unsigned
namesakes(struct gw_jwt_source *s)
{
    struct gw_str url = gw_jwt_url_shown(s->name.url);
    unsigned n = 0;

    for (struct gw_jwt_source *o = next_used(s->next); o != NULL; o = next_used(o->next)) {
        n += strcmp(o->name.issuer, s->name.issuer) == 0 &&
             gw_str_eq(gw_jwt_url_shown(o->name.url), url);
    }
    return n;
}

/* {issuer="...",url="..." without its end; the URL without its query, which may be a secret */
static void
put_labels(struct gw_buf *out, const char *name, struct gw_jwt_source *s)
{
    unsigned before = namesakes(s);

    gw_buf_printf(out, "%s{issuer=", name);
    gw_buf_json(out, gw_str_of(s->name.issuer)); /* escapes what Prometheus wants escaped */
    gw_buf_puts(out, ",url=");
    gw_buf_json(out, gw_jwt_url_shown(s->name.url));
    if (before > 0) {
        gw_buf_printf(out, ",number=\"%u\"", before + 1);
    }
}

static void
put_fetches(struct gw_buf *out, struct gw_jwt_source *s)
{
    static const char *const results[GW_JWT_N_FETCHED] = {"changed", "unchanged", "failed"};

    for (size_t i = 0; i < GW_JWT_N_FETCHED; i++) {
        put_labels(out, "ksgate_jwks_fetches_total", s);
        gw_buf_printf(out, ",result=\"%s\"} %llu\n", results[i],
                      (unsigned long long)atomic_load(&s->fetches[i]));
    }
}

static uint64_t
age_ms(const struct gw_jwt_source *s)
{
    uint64_t now = gw_clock_wall_ms();
    uint64_t then = atomic_load(&s->fetched_ms);

    return now > then ? now - then : 0;
}

void
gw_jwt_status_metrics(struct gw_buf *out)
{
    struct gw_jwt_source *first = next_used(gw_jwt_sources());

    if (first == NULL) {
        return;
    }
    gw_buf_puts(out, "# HELP ksgate_jwks_keys Keys of an issuer that tokens may be signed by.\n"
                     "# TYPE ksgate_jwks_keys gauge\n");
    for (struct gw_jwt_source *s = first; s != NULL; s = next_used(s->next)) {
        put_labels(out, "ksgate_jwks_keys", s);
        gw_buf_printf(out, "} %u\n", atomic_load(&s->n_keys));
    }
    gw_buf_puts(out, "# HELP ksgate_jwks_age_seconds Since an issuer's keys were last fetched.\n"
                     "# TYPE ksgate_jwks_age_seconds gauge\n");
    for (struct gw_jwt_source *s = first; s != NULL; s = next_used(s->next)) {
        if (atomic_load(&s->fetched_ms) != 0) {
            put_labels(out, "ksgate_jwks_age_seconds", s);
            gw_buf_printf(out, "} %.3f\n", (double)age_ms(s) / 1000);
        }
    }
    gw_buf_puts(out, "# HELP ksgate_jwks_fetches_total Questions for an issuer's keys.\n"
                     "# TYPE ksgate_jwks_fetches_total counter\n");
    for (struct gw_jwt_source *s = first; s != NULL; s = next_used(s->next)) {
        put_fetches(out, s);
    }
}

static json_t *
issuer_json(const struct gw_jwt_source *s)
{
    const char *trouble = atomic_load(&s->trouble);
    json_t *json = json_pack("{s:s, s:I, s:I}", "issuer", s->name.issuer, "keys",
                             (json_int_t)atomic_load(&s->n_keys), "left_the_set",
                             (json_int_t)atomic_load(&s->n_old));
    struct gw_buf time = {0};

    if (atomic_load(&s->fetched_ms) != 0) {
        gw_clock_rfc3339(&time, atomic_load(&s->fetched_ms));
        (void)json_object_set_new(json, "fetched", json_string(time.p));
        gw_buf_fini(&time);
    }
    if (trouble != NULL) {
        (void)json_object_set_new(json, "reason", json_string(trouble));
    }
    return json;
}

json_t *
gw_jwt_status_json(bool names)
{
    struct gw_jwt_source *first = next_used(gw_jwt_sources());
    bool complete = true;

    if (first == NULL) {
        return NULL;
    }
    json_t *list = json_array();
    for (struct gw_jwt_source *s = first; s != NULL; s = next_used(s->next)) {
        complete = complete && atomic_load(&s->n_keys) > 0;
        (void)json_array_append_new(list, issuer_json(s));
    }
    json_t *json = json_pack("{s:s}", "state", complete ? "complete" : "missing");
    if (names) {
        (void)json_object_set(json, "issuers", list);
    }
    json_decref(list);
    return json;
}
