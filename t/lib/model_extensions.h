/*
 * model_extensions.h - random extensions, and questions about a resource turned into ones to an
 * extension that has it.
 */
#ifndef T_LIB_MODEL_EXTENSIONS_H
#define T_LIB_MODEL_EXTENSIONS_H

#include "t/lib/model_questions.h"

static inline json_t *
model_random_row(struct model_random *r)
{
    static const char *const places[] = {
        "",
        "/workspaces/{workspace}",
        "/namespaces/{namespace}",
        "/workspaces/{workspace}/namespaces/{namespace}",
        "/clusters/{cluster}",
        "/clusters/{cluster}/namespaces/{namespace}",
        "/workspaces/ws1",
    };
    const char *const *kind = MODEL_PICK(r, model_kinds);
    model_text path = "";

    model_add(path, MODEL_PICK(r, places), "/");
    model_add(path, kind[1], model_chance(r, 50) ? "/{name}" : "");
    return json_pack("{s:s, s:s, s:s}", "path", path, "group",
                     kind[0][0] == '\0' ? "apps" : kind[0], "resource",
                     model_chance(r, 90) ? kind[1] : "things");
}

/* Those of model_extensions, but for one now and then. */
static inline void
model_random_extensions(struct model_random *r, json_t *world, const char *backend)
{
    static const char *const levels[] = {"authorized", "authorized",    "authorized",
                                         "authorized", "authenticated", "public"};

    for (size_t k = 0; k < sizeof(model_extensions) / sizeof(model_extensions[0]); k++) {
        json_t *rows = json_array();

        for (unsigned n = model_draw(r, 9); n > 0; n--) {
            (void)json_array_append_new(rows, model_random_row(r));
        }
        json_t *spec =
            json_pack("{s:s, s:b, s:[{s:s}], s:o}", "access", MODEL_PICK(r, levels), "enabled",
                      model_chance(r, 95), "endpoints", "url", backend, "permissions", rows);
        if (model_chance(r, 10)) {
            json_decref(spec);
            continue;
        }
        model_world_put(world, json_pack("{s:s, s:s, s:{s:s}, s:o}", "apiVersion", "ksgate.io/v1",
                                         "kind", "ExtensionService", "metadata", "name",
                                         model_extensions[k], "spec", spec));
    }
}

/* Some of the questions about a resource of the core ask an extension for it instead:
 * /kapis/e.io/v1/... becomes /extensions/e1/... */
static inline void
model_to_extension(struct model_random *r, struct model_asked *q)
{
    model_text rest;
    const char *after = strstr(q->url, "/v1/");

    if (after == NULL || !model_chance(r, 35)) {
        return;
    }
    model_set(rest, after + strlen("/v1"));
    q->url[0] = '\0';
    model_add(q->url, "/extensions/", MODEL_PICK(r, model_extensions));
    if (model_chance(r, 10)) {
        model_add(q->url, "/clusters/", MODEL_PICK(r, model_clusters));
    }
    model_add(q->url, rest, "");
}

#endif
