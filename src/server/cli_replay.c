/* cli_replay.c - ksgate explain --replay: would other roles have decided otherwise lately? */
#include <stdlib.h>

#include "registry/files.h"
#include "server/cli_explain.h"
#include "server/cli_objects.h"
#include "server/replay.h"

#define DECISIONS "/-/apis/ksgate.io/v1/decisions?limit=100000"

static bool
is_role_or_binding(const struct gw_kind *k)
{
    return strcmp(k->group, "iam.kubesphere.io") == 0 && strstr(k->kind, "Role") != NULL;
}

/* What decisions hang on, and nothing that holds secrets. */
static bool
is_wanted(const struct gw_kind *k)
{
    static const char *const others[] = {"Namespace", "ExtensionService", "Subscription"};
    bool wanted = is_role_or_binding(k);

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        wanted = wanted || strcmp(k->kind, others[i]) == 0;
    }
    return wanted;
}

/* ---- the two worlds ------------------------------------------------------------------------- */

/* What the gateway has was checked when it was written; what its views don't take now they don't
 * take there, either. */
static void
add_items(struct gw_objects *all, const json_t *items)
{
    for (size_t i = 0; i < json_array_size(items); i++) {
        struct gw_diag diag = {0};
        struct gw_object *o = gw_object_stored(json_array_get(items, i), &diag);

        if (o != NULL) {
            gw_objects_add(all, o);
        }
        gw_diag_fini(&diag);
    }
}

/* False: said on stderr. */
static bool
fetch(const struct gw_cli *c, const struct gw_client *client, struct gw_objects *all)
{
    for (const struct gw_kind *k = gw_kinds; k->kind != NULL; k++) {
        if (is_wanted(k)) {
            json_t *list = gw_cli_list(c, client, k, GW_STR_NONE, GW_STR_NONE);

            if (list == NULL) {
                return false;
            }
            add_items(all, json_object_get(list, "items"));
            json_decref(list);
        }
    }
    return true;
}

/* All that is registered, but what the candidate has; and the candidate. */
static void
merge(struct gw_objects *out, const struct gw_objects *live, const struct gw_objects *candidate,
      bool instead)
{
    struct gw_map *keys = gw_map_of_values();

    for (size_t i = 0; i < candidate->n; i++) {
        gw_map_put(keys, gw_str_of(candidate->items[i]->key), candidate->items[i]);
        gw_objects_add(out, gw_object_ref(candidate->items[i]));
    }
    for (size_t i = 0; i < live->n; i++) {
        struct gw_object *o = live->items[i];
        bool gone = instead && is_role_or_binding(o->kind);

        if (!gone && gw_map_get(keys, gw_str_of(o->key)) == NULL) {
            gw_objects_add(out, gw_object_ref(o));
        }
    }
    gw_map_free(keys, NULL);
}

static bool
read_candidate(const struct gw_words *files, struct gw_objects *out)
{
    struct gw_diag diag = {0};
    bool ok = gw_objects_read(files->list, &out->items, &out->n, &diag);

    out->size = out->n;
    (void)gw_cli_findings(&diag);
    return ok;
}

static int
open_worlds(struct gw_replay *r, const struct gw_cli *c, const struct gw_client *client,
            const struct gw_replay_options *o)
{
    struct gw_objects live = {0};
    struct gw_objects candidate = {0};
    struct gw_objects both = {0};
    int code = GW_EXIT_FAILED;

    if (read_candidate(o->files, &candidate) && fetch(c, client, &live)) {
        merge(&both, &live, &candidate, o->instead);
        code = gw_asker_open_objects(&r->now, c, live.items, live.n);
        code = code == GW_CLI_GO ? gw_asker_open_objects(&r->then, c, both.items, both.n) : code;
    }
    gw_objects_fini(&live);
    gw_objects_fini(&candidate);
    gw_objects_fini(&both);
    return code;
}

/* ---- the command ---------------------------------------------------------------------------- */

static int
print(const struct gw_replay *r, const struct gw_cli *c, enum gw_output format)
{
    struct gw_buf out = {0};

    if (format == GW_OUTPUT_TABLE) {
        gw_replay_text(r, &out);
        return gw_cli_print(c, &out);
    }
    json_t *all = gw_replay_json(r);
    int code = gw_cli_print_json(c, format, all);
    json_decref(all);
    return code;
}

static int
replay(struct gw_replay *r, const struct gw_cli *c, const struct gw_client *client,
       enum gw_output format)
{
    struct gw_buf problem = {0};
    json_t *list = NULL;
    int code;

    (void)gw_cli_call(c, client, "GET", DECISIONS, NULL, &list, &problem);
    if (list == NULL) {
        code = gw_cli_fail(c, "%s", problem.n == 0 ? "there is no answer" : problem.p);
    } else {
        const json_t *items = json_object_get(list, "items");

        for (size_t i = 0; i < json_array_size(items); i++) {
            gw_replay_one(r, json_array_get(items, i));
        }
        code = print(r, c, format);
    }
    json_decref(list);
    gw_buf_fini(&problem);
    return code;
}

int
gw_cli_replay(const struct gw_cli *c, const struct gw_client *client,
              const struct gw_replay_options *o)
{
    struct gw_replay r = {0};
    int code = open_worlds(&r, c, client, o);

    if (code == GW_CLI_GO) {
        code = replay(&r, c, client, o->format);
    }
    gw_replay_fini(&r);
    return code;
}
