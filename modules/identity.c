/*
 * identity.c - the backend is told who asks, by nobody but us.
 *
 * Identity headers of the client never get here: forward leaves out every name that
 * gw_header_is_identity() knows, on all routes and on upgrades.  This step adds ours, and takes
 * the credential out where the backend has no use for it.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "gateway/module.h"
#include "http/chars.h"
#include "modules/counter.h"
#include "modules/identity_assertion.h"
#include "modules/identity_cache.h"

#define ASSERTION_HEADER GW_STR("X-Ksgate-Assertion")

/* What a worker has made for the settings of one config. */
struct worker {
    uint64_t serial; /* of the settings; 0: nothing made yet */
    struct gw_identity_signer *signer;
    struct gw_identity_cache *cache; /* NULL: none */
    struct gw_buf text;              /* kept for its memory */
};

struct counts {
    atomic_ullong sent_again, made, failed; /* assertions */
    atomic_ullong kept, bytes;              /* in the cache now */
};

static const char hex[] = "0123456789ABCDEF";

/* ---- headers ------------------------------------------------------------------------------ */

/* Of a header value, as it is: printable ASCII.  '%' is not, so that an escaped value is never
 * the same as a plain one. */
static bool
is_plain(char c)
{
    return c >= 0x20 && c < 0x7f && c != '%';
}

/* ASCII only, as everywhere in HTTP. */
static char
lower(char c)
{
    unsigned char u = (unsigned char)c;

    return (char)(u >= 'A' && u <= 'Z' ? u | 0x20U : u);
}

static char *
put_escaped(char *out, char c)
{
    *out++ = '%';
    *out++ = hex[(unsigned char)c >> 4];
    *out++ = hex[(unsigned char)c & 15];
    return out;
}

/* The value itself when it can be sent so; else percent-escaped, spaces too. */
static struct gw_str
value_of(struct gw_arena *a, struct gw_str s)
{
    if (s.n == 0 || (s.p[0] != ' ' && s.p[s.n - 1] != ' ' && gw_chars_need_no_escape(s))) {
        return s;
    }
    char *text = gw_arena_raw(a, s.n * 3);
    char *out = text;
    for (size_t i = 0; i < s.n; i++) {
        if (is_plain(s.p[i]) && s.p[i] != ' ') {
            *out++ = s.p[i];
        } else {
            out = put_escaped(out, s.p[i]);
        }
    }
    return (struct gw_str){text, (size_t)(out - text)};
}

/* "X-Remote-Extra-" and the key, lower-cased and escaped, as Kubernetes does. */
static struct gw_str
extra_name(struct gw_arena *a, struct gw_str key)
{
    const struct gw_str prefix = GW_STR("X-Remote-Extra-");
    char *text = gw_arena_raw(a, prefix.n + key.n * 3);
    char *out = text + prefix.n;

    memcpy(text, prefix.p, prefix.n);
    for (size_t i = 0; i < key.n; i++) {
        char c = lower(key.p[i]);

        if (gw_char_is(c, GW_CHAR_TOKEN) && c != '%') {
            *out++ = c;
        } else {
            out = put_escaped(out, c);
        }
    }
    return (struct gw_str){text, (size_t)(out - text)};
}

static void
add_headers(struct gw_req *req)
{
    const struct gw_subject *s = &req->subject;

    gw_edits_add(req, &req->up, GW_STR("X-Remote-User"), value_of(req->arena, s->name));
    if (s->uid.n > 0) {
        gw_edits_add(req, &req->up, GW_STR("X-Remote-Uid"), value_of(req->arena, s->uid));
    }
    for (unsigned i = 0; i < s->n_groups; i++) {
        gw_edits_add(req, &req->up, GW_STR("X-Remote-Group"), value_of(req->arena, s->groups[i]));
    }
    for (unsigned i = 0; i < s->n_extra; i++) {
        gw_edits_add(req, &req->up, extra_name(req->arena, s->extra[i].key),
                     value_of(req->arena, s->extra[i].value));
    }
}

/* ---- an assertion ------------------------------------------------------------------------- */

static void *
open_worker(struct gw_world *world)
{
    /* before others look at it */
    (void)gw_world_state(world, gw_identity_rows, sizeof(struct counts));
    return gw_mem_alloc(sizeof(struct worker));
}

static void
clear_worker(struct worker *w)
{
    gw_identity_signer_free(w->signer);
    gw_identity_cache_free(w->cache);
    gw_buf_fini(&w->text);
    *w = (struct worker){0};
}

static void
close_worker(void *index)
{
    clear_worker(index);
    free(index);
}

/* A view of no kinds: a worker's memory with a beginning and an end. */
static const struct gw_view view = {
    .name = "identity",
    .kinds = (const char *const[]){NULL},
    .open = open_worker,
    .close = close_worker,
};

static struct worker *
worker_of(const struct gw_req *req, const struct gw_identity_settings *s)
{
    struct worker *w = gw_world_index(req->world, &view);

    if (w->serial != s->serial) {
        clear_worker(w); /* another key, or another name of ours */
        w->serial = s->serial;
        w->signer = gw_identity_signer_new(s);
        w->cache = s->cache > 0
                       ? gw_identity_cache_new((size_t)s->cache, (uint64_t)s->lifetime_ms / 2)
                       : NULL;
    }
    return w;
}

/* A new one, with a reference for the caller; NULL: none can be made. */
static struct gw_assertion *
make_assertion(struct gw_req *req, struct worker *w, struct counts *counts, uint64_t now_ms)
{
    struct gw_str audience = req->decision.extension;

    gw_buf_reset(&w->text);
    if (w->signer == NULL ||
        !gw_identity_sign(w->signer, &req->subject, audience, now_ms, &w->text)) {
        gw_counter_add(&counts->failed, 1);
        return NULL;
    }
    struct gw_assertion *a =
        gw_assertion_new(&req->subject, audience, gw_buf_text(&w->text), now_ms);
    if (w->cache != NULL) {
        gw_identity_cache_put(w->cache, a);
        gw_counter_set(&counts->kept, gw_identity_cache_count(w->cache));
        gw_counter_set(&counts->bytes, gw_identity_cache_bytes(w->cache));
    }
    gw_counter_add(&counts->made, 1);
    return a;
}

static void
on_assertion_left(void *assertion)
{
    gw_assertion_unref(assertion);
}

static enum gw_verdict
add_assertion(struct gw_req *req, const struct gw_identity_settings *s)
{
    if (s->keys.signing == NULL && (s->served || s->own_file == NULL)) {
        return gw_req_fail(req, GW_ERR_NO_SIGNING_KEY, "%s", s->no_key);
    }
    if (req->dry) {
        return GW_NEXT; /* nothing is signed for a question; offline, the key is not even there */
    }
    struct worker *w = worker_of(req, s);
    struct counts *counts = gw_world_state(req->world, gw_identity_rows, sizeof(*counts));
    uint64_t now_ms = req->decision.wall_ms;
    struct gw_assertion *a =
        w->cache == NULL
            ? NULL
            : gw_identity_cache_get(w->cache, &req->subject, req->decision.extension, now_ms);

    if (a != NULL) {
        a->refs++;
        gw_counter_add(&counts->sent_again, 1);
    } else {
        a = make_assertion(req, w, counts, now_ms);
    }
    if (a == NULL) {
        return gw_req_fail(req, GW_ERR_INTERNAL, "who asks could not be signed");
    }
    gw_arena_defer(req->arena, on_assertion_left, a);
    gw_edits_add(req, &req->up, ASSERTION_HEADER, a->text);
    return GW_NEXT;
}

/* ---- the step ----------------------------------------------------------------------------- */

/* The core and the console judge the credential themselves. */
static bool
keeps_credential(const struct gw_req *req)
{
    unsigned kind = req->decision.route;

    return req->keep_authorization || kind == GW_ROUTE_CORE || kind == GW_ROUTE_CONSOLE;
}

static enum gw_verdict
tell(struct gw_req *req, const void *conf)
{
    const struct gw_headers *h = &req->head->headers;

    if (!keeps_credential(req)) {
        if (gw_headers_has(h, GW_H_AUTHORIZATION)) {
            gw_edits_remove(req, &req->up, GW_STR("authorization"));
        }
        if (gw_headers_has(h, GW_H_X_KUBESPHERE_AUTHORIZATION)) {
            gw_edits_remove(req, &req->up, GW_STR("x-kubesphere-authorization"));
        }
    }
    if (req->identity == GW_IDENTITY_NONE || req->subject.name.n == 0) {
        return GW_NEXT;
    }
    if (req->identity == GW_IDENTITY_ASSERTION) {
        return add_assertion(req, conf);
    }
    add_headers(req);
    return GW_NEXT;
}

static bool
open_conf(void *conf, struct gw_loader *loader)
{
    return gw_identity_settings_open(conf, loader);
}

static void
serve_conf(void *conf)
{
    gw_identity_settings_serve(conf);
}

static void
close_conf(void *conf)
{
    gw_identity_settings_close(conf);
}

#define AT(field) offsetof(struct counts, field)

/* clang-format off */
static const struct gw_counted counted[] = {
    {.name = "ksgate_assertions_total", .type = "counter",
     .help = "Assertions that backends were to be sent.",
     .label = "result=\"cached\"", .at = AT(sent_again)},
    {.label = "result=\"signed\"", .at = AT(made)},
    {.label = "result=\"failed\"", .at = AT(failed)},
    {.name = "ksgate_assertion_cache_entries", .type = "gauge",
     .help = "Assertions that may be sent again.", .at = AT(kept)},
    {.name = "ksgate_assertion_cache_bytes", .type = "gauge", .help = "Memory of those.",
     .at = AT(bytes)},
    {0},
};
/* clang-format on */

static void
write_metrics(struct gw_buf *out, struct gw_world *const *worlds, size_t n)
{
    char kid[GW_IDENTITY_KID + 1];

    gw_counted_write(out, counted, worlds, n, gw_identity_rows, sizeof(struct counts));
    gw_identity_settings_kid(kid);
    if (kid[0] != '\0') {
        gw_buf_printf(out,
                      "# HELP ksgate_assertion_key_info The key that assertions are signed by.\n"
                      "# TYPE ksgate_assertion_key_info gauge\n"
                      "ksgate_assertion_key_info{kid=\"%s\"} 1\n",
                      kid);
    }
}

const struct gw_module gw_mod_identity = {
    .name = "identity",
    .about = "Tells the backend who asks, in headers that only the gateway can set.",
    .section = "identity",
    .settings = gw_identity_rows,
    .conf_size = sizeof(struct gw_identity_settings),
    .routes = GW_ON_ALL,
    .open = open_conf,
    .close = close_conf,
    .serve = serve_conf,
    .views = (const struct gw_view *const[]){&view, NULL},
    .on = {[GW_REWRITE] = tell},
    .metrics = write_metrics,
};
