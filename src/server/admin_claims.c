#include "server/admin_claims.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "registry/claim_index.h"
#include "server/admin_sight.h"

/* All on the control thread, but for the refusal. */

static void
note(struct gw_errand *e, struct gw_object *rival, const char *named, const char *unnamed)
{
    free(e->text);
    free(e->unnamed);
    gw_object_unref(e->rival);
    e->text = gw_mem_strdup(named);
    e->unnamed = gw_mem_strdup(unnamed);
    e->rival = gw_object_ref(rival);
    e->result = GW_STORE_CLAIMED;
}

/* ---- names ---------------------------------------------------------------------------------- */

#define REF_LABEL "kubesphere.io/extension-ref"

/* Are objects of this key what extensions bring with them? */
static bool
is_of_extensions(const char *key)
{
    static const char *const kinds[] = {"ksgate.io/ExtensionService/", "extensions.kubesphere.io/"};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strncmp(key, kinds[i], strlen(kinds[i])) == 0) {
            return true;
        }
    }
    return false;
}

/* The caller's; NULL: of none. */
static char *
extension_of(const struct gw_object *o)
{
    json_t *json = gw_object_json(o);
    const json_t *labels = json_object_get(json_object_get(json, "metadata"), "labels");
    char *extension = gw_mem_strdup(json_string_value(json_object_get(labels, REF_LABEL)));

    json_decref(json);
    return extension;
}

static void
note_name(struct gw_errand *e, struct gw_object *now, const char *whose)
{
    struct gw_buf named = {0};
    struct gw_buf unnamed = {0};

    gw_buf_printf(
        &named,
        "metadata.name: the name is that of %s \"%s\" of the extension %s (label " REF_LABEL
        "); choose another name, or delete the other object",
        now->kind->kind, now->name, whose);
    gw_buf_puts(&unnamed, "metadata.name: is taken by another object; choose another one");
    note(e, now, named.p, unnamed.p);
    gw_buf_fini(&named);
    gw_buf_fini(&unnamed);
}

/* Two extensions that chose the same name would write over each other's objects in turns. */
static bool
is_anothers(struct gw_errand *e, const struct gw_object *o)
{
    struct gw_object *now = NULL;
    bool differ = false;

    if (!is_of_extensions(o->key)) {
        return false;
    }
    now = gw_sync_get(gw_control_sync(e->control), o->key);
    if (now != NULL) {
        char *its = extension_of(now);
        char *wanted = extension_of(o);

        differ = its != NULL && wanted != NULL && *its != '\0' && *wanted != '\0' &&
                 strcmp(its, wanted) != 0;
        if (differ) {
            note_name(e, now, its);
        }
        free(its);
        free(wanted);
        gw_object_unref(now);
    }
    return differ;
}

/* ---- claims --------------------------------------------------------------------------------- */

struct asking {
    const struct gw_claims *claims;     /* of what is written */
    const struct gw_claims *before;     /* of the version that is there; NULL: none */
    const struct gw_claim_index *batch; /* all that are written together */
    const struct gw_claim_index *among; /* what is being looked at */
    struct gw_map *met; /* whom `before` meets among them, by key; NULL: not known yet */
};

static bool
note_met(void *arg, const struct gw_claims *other)
{
    (void)gw_map_put(arg, gw_str_of(other->object->key), arg);
    return false; /* and all others, too */
}

/* All of them are looked for once, and not each whenever one of its claims is met. */
static bool
was_met(struct asking *a, const char *key)
{
    if (a->before == NULL) {
        return false;
    }
    if (a->met == NULL) {
        a->met = gw_map_of_values();
        (void)gw_claim_index_meet(a->among, a->before, note_met, a->met);
    }
    return gw_map_get(a->met, gw_str_of(key)) != NULL;
}

static bool
counts(void *arg, const struct gw_claims *other)
{
    struct asking *a = arg;
    const char *key = other->object->key;

    if (strcmp(key, a->claims->object->key) == 0 ||
        (a->among != a->batch && gw_claim_index_get(a->batch, key) != NULL)) {
        return false; /* itself, or what will be replaced */
    }
    return !was_met(a, key);
}

/* The first in order of those that have what it would claim; or NULL. */
static const struct gw_claims *
rival_of(struct gw_errand *e, const struct gw_claim_index *batch, const struct gw_object *o)
{
    const struct gw_claim_index *known = gw_control_claims(e->control);
    const struct gw_claim_index *const all[] = {known, gw_control_writing(e->control), batch};
    struct asking a = {.claims = gw_claim_index_get(batch, o->key),
                       .before = gw_claim_index_get(known, o->key),
                       .batch = batch};
    const struct gw_claims *rival = NULL;

    if (a.claims != NULL && a.claims->too_many) {
        return a.claims; /* it is to blame itself */
    }
    for (size_t i = 0; a.claims != NULL && rival == NULL && i < sizeof(all) / sizeof(all[0]); i++) {
        a.among = all[i];
        rival = gw_claim_index_meet(all[i], a.claims, counts, &a);
        gw_map_free(a.met, NULL);
        a.met = NULL;
    }
    return rival;
}

static void
note_claims(struct gw_errand *e, const struct gw_claims *claims, const struct gw_claims *rival)
{
    struct gw_buf named = {0};
    struct gw_buf unnamed = {0};

    gw_claims_say(&named, claims, rival, true);
    gw_claims_say(&unnamed, claims, rival, false);
    note(e, rival->object, named.p, unnamed.p);
    gw_buf_fini(&named);
    gw_buf_fini(&unnamed);
}

static bool
any_claims(struct gw_object *const *objects, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (gw_claims_of_key(objects[i]->key)) {
            return true;
        }
    }
    return false;
}

static bool
claims_refused(struct gw_errand *e, struct gw_object *const *objects, size_t n)
{
    struct gw_claim_index *batch = NULL;
    const struct gw_claims *rival = NULL;

    if (!any_claims(objects, n)) {
        return false;
    }
    batch = gw_claim_index_new();
    for (size_t i = 0; i < n; i++) {
        gw_claim_index_put(batch, objects[i], false);
    }
    for (size_t i = 0; i < n && rival == NULL; i++) {
        rival = rival_of(e, batch, objects[i]);
        if (rival != NULL) {
            e->refused = i;
            note_claims(e, gw_claim_index_get(batch, objects[i]->key), rival);
        }
    }
    gw_claim_index_free(batch);
    return rival != NULL;
}

bool
gw_admin_claims_refused(struct gw_errand *e, struct gw_object *const *objects, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (is_anothers(e, objects[i])) {
            e->refused = i;
            return true;
        }
    }
    return claims_refused(e, objects, n);
}

/* No two that are on their way have the same: of one key there may be several, and until the store
 * has answered, each may be the one that stays. */
static char *
name_of_write(const struct gw_errand *e, const char *key)
{
    struct gw_buf name = {0};

    gw_buf_printf(&name, "%s %p", key, (const void *)e);
    return name.p;
}

void
gw_admin_claims_begin(struct gw_errand *e, struct gw_object *const *objects, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (gw_claims_of_key(objects[i]->key)) {
            char *name = name_of_write(e, objects[i]->key);

            gw_claim_index_put_as(gw_control_writing(e->control), name, objects[i]);
            free(name);
        }
    }
}

void
gw_admin_claims_end(struct gw_errand *e, const char *key)
{
    if (gw_claims_of_key(key)) {
        char *name = name_of_write(e, key);

        gw_claim_index_take(gw_control_writing(e->control), name);
        free(name);
    }
}

/* ---- worker --------------------------------------------------------------------------------- */

enum gw_verdict
gw_admin_claims_refusal(struct gw_errand *e, struct gw_admin_call *call)
{
    struct gw_viewer viewer;
    struct gw_diag diag = {0};

    gw_viewer_init(&viewer, call->req);
    gw_diag_error(&diag, (struct gw_place){0}, "%s",
                  gw_admin_may_get(call, &viewer, e->rival) ? e->text : e->unnamed);
    return gw_admin_invalid(call, &diag);
}
