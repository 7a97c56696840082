/* vectors.h - the shared vector files, for unit tests; where they are not, tests skip. */
#ifndef T_LIB_VECTORS_H
#define T_LIB_VECTORS_H

#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "gateway/req.h"

/* The file's JSON, or NULL and a message when there is none: $KSGATE_VECTORS, or the folder
 * beside the source tree (tests run in its top folder). */
static inline json_t *
vectors_load(const char *name)
{
    const char *folder = getenv("KSGATE_VECTORS");
    char path[1024];
    json_error_t error;

    (void)snprintf(path, sizeof(path), "%s/%s", folder == NULL ? "../shared/vectors" : folder,
                   name);
    json_t *json = json_load_file(path, 0, &error);
    if (json == NULL) {
        (void)printf("# no vectors in %s: %s\n", path, error.text);
    }
    return json;
}

static inline struct gw_str
vectors_text(const json_t *object, const char *name)
{
    const json_t *v = json_object_get(object, name);

    return (struct gw_str){json_is_string(v) ? json_string_value(v) : "", json_string_length(v)};
}

/* A request info of `attrs`; borrows its texts. */
static inline struct gw_request_info
vectors_info(const json_t *attrs)
{
    return (struct gw_request_info){
        .verb = vectors_text(attrs, "Verb"),
        .cluster = vectors_text(attrs, "Cluster"),
        .workspace = vectors_text(attrs, "Workspace"),
        .ns = vectors_text(attrs, "Namespace"),
        .api_group = vectors_text(attrs, "APIGroup"),
        .api_version = vectors_text(attrs, "APIVersion"),
        .resource = vectors_text(attrs, "Resource"),
        .subresource = vectors_text(attrs, "Subresource"),
        .name = vectors_text(attrs, "Name"),
        .path = vectors_text(attrs, "Path"),
        .scope = vectors_text(attrs, "ResourceScope"),
        .is_kubernetes = json_is_true(json_object_get(attrs, "KubernetesRequest")),
        .is_resource = json_is_true(json_object_get(attrs, "ResourceRequest")),
    };
}

#endif
