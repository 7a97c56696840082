#include "registry/splice.h"

#include <inttypes.h>

#include "config/json_quick.h"
#include "registry/check.h"

void
gw_splice(struct gw_buf *out, const char *bare, const char *uid, const char *created,
          uint64_t revision)
{
    gw_buf_add(out, bare, GW_BARE_HEAD);
    gw_buf_printf(
        out, "\"uid\":\"%s\",\"creationTimestamp\":\"%s\",\"resourceVersion\":\"%" PRIu64 "\",",
        uid, created, revision);
    gw_buf_puts(out, bare + GW_BARE_HEAD);
}

struct gw_object *
gw_splice_read(struct gw_str text, const char *key, struct gw_diag *diag)
{
    json_error_t why;
    struct gw_place nowhere = {0};

    if (text.n > GW_OBJECT_BYTES * 2) {
        gw_diag_error(diag, nowhere, "%zu bytes are too many for an object", text.n);
        return NULL;
    }
    json_t *json = text.n == 0 ? NULL : gw_json_quick(text);
    if (json == NULL) {
        json = json_loadb(text.n == 0 ? "" : text.p, text.n, JSON_REJECT_DUPLICATES, &why);
    }
    if (json == NULL) {
        gw_diag_error(diag, nowhere, "not JSON: %s (at byte %d)", why.text, why.position);
        return NULL;
    }
    struct gw_object *o = gw_object_stored(json, diag);
    json_decref(json);
    if (o != NULL && key != NULL && strcmp(o->key, key) != 0) {
        gw_diag_error(diag, nowhere, "it says that it is %s", o->key);
        gw_object_unref(o);
        return NULL;
    }
    return o;
}
