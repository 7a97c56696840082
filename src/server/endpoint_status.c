#include "server/endpoint_status.h"

#include "base/buf.h"
#include "base/clock.h"
#include "gateway/left_alone.h"
#include "gateway/targets.h"
#include "server/object_status.h"

static bool
is_endpoint(const struct gw_kind *kind)
{
    return strcmp(kind->kind, "Endpoint") == 0 && strcmp(kind->group, "ksgate.io") == 0;
}

static void
add_time(json_t *to, const char *name, uint64_t wall_ms)
{
    struct gw_buf text = {0};

    gw_clock_rfc3339(&text, wall_ms);
    (void)json_object_set_new(to, name, json_stringn(text.p, text.n));
    gw_buf_fini(&text);
}

static void
add_health(json_t *to, bool healthy, const char *reason, uint64_t since_ms)
{
    (void)json_object_set_new(to, "healthy", json_boolean(healthy));
    (void)json_object_set_new(to, "reason", json_string(reason));
    if (since_ms > 0) {
        add_time(to, "since", since_ms);
    }
}

/* A check that finds it down says more than that its requests fail. */
bool
gw_endpoint_status_add(json_t *to, const char *url)
{
    struct gw_health_status status;
    struct gw_left_alone left;
    bool checked = url != NULL && gw_targets_status(gw_str_of(url), &status);

    if (checked && !status.healthy) {
        add_health(to, false, status.reason, status.since_ms);
        return false;
    }
    if (url != NULL && gw_left_alone_status(gw_str_of(url), &left)) {
        add_health(to, false, left.reason, left.since_ms);
        return false;
    }
    if (checked) {
        add_health(to, true, status.reason, status.since_ms);
    }
    return true;
}

void
gw_endpoint_status_expires(json_t *endpoint, uint64_t until_ms)
{
    json_t *status = json_object_get(endpoint, "status");

    if (until_ms == 0) {
        return;
    }
    if (status == NULL) {
        status = json_object();
        (void)json_object_set_new(endpoint, "status", status);
    }
    add_time(status, "expires", until_ms);
}

json_t *
gw_endpoint_status_object(const struct gw_object *o)
{
    json_t *json = gw_object_json(o);

    if (is_endpoint(o->kind)) {
        const json_t *spec = json_object_get(json, "spec");
        json_t *status = json_object();

        (void)gw_endpoint_status_add(status, json_string_value(json_object_get(spec, "url")));
        (void)json_object_del(json, "status"); /* another program may have written one */
        if (json_object_size(status) > 0) {
            (void)json_object_set(json, "status", status);
        }
        json_decref(status);
    }
    gw_object_status_add(json, o);
    return json;
}

static int
add_bytes(const char *bytes, size_t n, void *out)
{
    gw_buf_add(out, bytes, n);
    return 0;
}

void
gw_endpoint_status_write(const struct gw_object *o, struct gw_buf *out)
{
    if (!is_endpoint(o->kind) && gw_object_flaw(o) == NULL && gw_object_hold(o) == NULL) {
        gw_object_write(o, out); /* as it is kept: no tree is made of it */
        return;
    }
    json_t *json = gw_endpoint_status_object(o);
    (void)json_dump_callback(json, add_bytes, out, JSON_COMPACT);
    json_decref(json);
}

void
gw_endpoint_status_strip(const struct gw_kind *kind, json_t *object)
{
    if (is_endpoint(kind)) {
        (void)json_object_del(object, "status");
    }
    gw_object_status_strip(object);
}
