#include "server/asker.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "gateway/worlds.h"
#include "registry/claim_index.h"
#include "registry/files.h"
#include "server/cli_objects.h"
#include "server/question.h"

/* ---- a world of files --------------------------------------------------------------------- */

static struct gw_batch *
compile(struct gw_object *const *objects, size_t n)
{
    struct gw_change *changes = gw_mem_alloc((n + 1) * sizeof(*changes));
    struct gw_diag told = {0}; /* reading them has said it all, with places */

    for (size_t i = 0; i < n; i++) {
        changes[i] = (struct gw_change){.key = objects[i]->key, .object = objects[i]};
    }
    struct gw_batch *b = gw_batch_compile(NULL, changes, n, 1, true, &told);
    gw_diag_fini(&told);
    free(changes);
    return b;
}

/* False: findings are printed. */
static bool
load_conf(struct gw_asker *a, const struct gw_cli *c)
{
    struct gw_diag diag = {0};

    *a = (struct gw_asker){.cli = c};
    a->conf = gw_conf_load(c->config_given ? c->config : NULL, &diag);
    if (c->config_given || a->conf == NULL) {
        (void)gw_cli_findings(&diag);
    }
    gw_diag_fini(&diag); /* nobody wants to be warned of defaults */
    return a->conf != NULL;
}

int
gw_asker_open_objects(struct gw_asker *a, const struct gw_cli *c, struct gw_object *const *objects,
                      size_t n)
{
    if (!load_conf(a, c)) {
        return GW_EXIT_FAILED;
    }
    struct gw_batch *b = compile(objects, n);

    a->world = gw_world_new(0, NULL, &a->world, 1);
    gw_world_apply(a->world, b);
    gw_batch_unref(b);
    return GW_CLI_GO;
}

int
gw_asker_open(struct gw_asker *a, const struct gw_cli *c, const char *const *files)
{
    struct gw_object **objects = NULL;
    size_t n = 0;
    struct gw_diag diag = {0};
    bool ok = gw_objects_read(files, &objects, &n, &diag);

    *a = (struct gw_asker){.cli = c};
    gw_claim_index_warn(objects, n, &diag);
    (void)gw_cli_findings(&diag);
    int code = ok ? gw_asker_open_objects(a, c, objects, n) : GW_EXIT_FAILED;
    for (size_t i = 0; i < n; i++) {
        gw_object_unref(objects[i]);
    }
    free(objects);
    return code;
}

void
gw_asker_close(struct gw_asker *a)
{
    if (a->world != NULL) {
        gw_world_free(a->world);
    }
    gw_conf_unref(a->conf);
    a->world = NULL;
    a->conf = NULL;
}

/* ---- a case ------------------------------------------------------------------------------- */

static json_t *
ask_files(struct gw_asker *a, const json_t *question, char why[512])
{
    struct gw_arena *arena = gw_arena_new();
    struct gw_question q;
    json_t *answer = NULL;

    if (gw_question_read(&q, arena, question, why)) {
        struct gw_req *req = gw_explain_run(a->conf, a->world, &q);

        answer = gw_explain_json(req, &q);
        gw_arena_free(req->arena);
    }
    gw_arena_free(arena);
    return answer;
}

static json_t *
ask_gateway(struct gw_asker *a, const json_t *question, char why[512])
{
    struct gw_buf problem = {0};
    json_t *answer = NULL;
    unsigned status = gw_cli_call(a->cli, &a->client, "POST", "/-/apis/ksgate.io/v1/explain",
                                  question, &answer, &problem);

    if (answer == NULL) {
        struct gw_str text = gw_buf_text(&problem);

        (void)snprintf(
            why, 512, "%.*s",
            GW_STR_ARG(status == 0 || text.n == 0 ? GW_STR("there is no answer") : text));
    }
    gw_buf_fini(&problem);
    return answer;
}

json_t *
gw_asker_ask(struct gw_asker *a, const json_t *question, char why[512])
{
    json_t *answer = a->conf != NULL ? ask_files(a, question, why) : ask_gateway(a, question, why);
    json_t *id = json_object_get(question, "id");

    if (answer == NULL || id == NULL) {
        return answer;
    }
    json_t *with_id = json_pack("{s:O}", "id", id); /* first, and of the type that it came in */
    json_object_del(answer, "id");
    json_object_update(with_id, answer);
    json_decref(answer);
    return with_id;
}
