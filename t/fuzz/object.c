/* Any bytes as YAML and as JSON of an object, checked as `apply` does.  What is taken can be
 * stored, and read again as the same. */
#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "gateway/worlds.h"
#include "registry/splice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
check_stored(const struct gw_object *o)
{
    struct gw_buf text = {0};
    struct gw_diag diag = {0};
    char *bare = gw_object_bare(o);

    gw_splice(&text, bare, "00000000-0000-4000-8000-000000000000", "2026-11-23T08:43:08Z", 7);
    struct gw_object *again = gw_splice_read(gw_buf_text(&text), o->key, &diag);
    assert(again != NULL && again->revision == 7 && again->kind == o->kind);
    char *bare_again = gw_object_bare(again);
    assert(strcmp(bare, bare_again) == 0);
    free(bare_again);
    gw_object_unref(again);
    free(bare);
    gw_buf_fini(&text);
    gw_diag_fini(&diag);
}

static void
check_value(json_t *json, const struct gw_yaml *source)
{
    struct gw_diag diag = {0};
    struct gw_buf findings = {0};
    struct gw_object *o = gw_object_new(json, source, &diag);

    assert((o == NULL) == (diag.errors > 0));
    if (o != NULL) {
        check_stored(o);
        gw_object_unref(o);
    }
    gw_diag_format(&diag, &findings);
    gw_buf_fini(&findings);
    gw_diag_fini(&diag);
}

static void
try_yaml(struct gw_str text)
{
    struct gw_yaml yaml = {0};
    struct gw_diag diag = {0};
    bool good = gw_yaml_read(&yaml, "fuzz", text, &diag);

    assert(good == (diag.errors == 0));
    for (size_t i = 0; i < yaml.n_docs; i++) {
        check_value(yaml.docs[i], &yaml);
    }
    gw_yaml_fini(&yaml);
    gw_diag_fini(&diag);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char *copy = malloc(n > 0 ? n : 1);
    struct gw_str text = {copy, n};

    assert(copy != NULL);
    gw_object_on_check(gw_views_check);
    if (n > 0) {
        memcpy(copy, data, n);
    }
    json_t *json = json_loadb(copy, n, JSON_REJECT_DUPLICATES, NULL);
    if (json != NULL) {
        check_value(json, NULL);
        json_decref(json);
    }
    try_yaml(text);
    free(copy);
    return 0;
}
