/*
 * asker.h - who answers `ksgate explain`: the running gateway, or files.
 *
 * A case is a JSON object {"id", "method", "url", "host", "user": {"name", "groups"}, "token",
 * "headers", "remoteAddr"}, or with "attrs" instead of method and url (resources.md, section 5).
 */
#ifndef GW_SERVER_ASKER_H
#define GW_SERVER_ASKER_H

#include "gateway/explain.h"
#include "registry/object.h"
#include "server/client.h"

struct gw_asker {
    const struct gw_cli *cli;
    struct gw_client client; /* when there are no files */
    struct gw_conf *conf;    /* NULL: ask the client */
    struct gw_world *world;
};

/* Offline: a world of the objects in the files, under the configuration that -c names (without
 * it, the defaults).  An exit code, or GW_CLI_GO; findings are printed. */
int gw_asker_open(struct gw_asker *a, const struct gw_cli *c, const char *const *files);
/* The same with objects that the caller has; they are borrowed for the call. */
int gw_asker_open_objects(struct gw_asker *a, const struct gw_cli *c,
                          struct gw_object *const *objects, size_t n);
void gw_asker_close(struct gw_asker *a);

/* A new reference to the answer; NULL: why[] says what is wrong with the case, or why there is
 * no answer. */
json_t *gw_asker_ask(struct gw_asker *a, const json_t *question, char why[512]);

#endif
