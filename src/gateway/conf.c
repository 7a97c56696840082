#include "gateway/conf.h"

#include <assert.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/refs.h"
#include "gateway/admin.h"
#include "gateway/forward.h"

#define ROWS_MAX 64

static enum gw_verdict no_admin(struct gw_req *req, const void *conf);
static gw_step_fn *admin_step = no_admin;

static enum gw_verdict
no_admin(struct gw_req *req, const void *conf)
{
    (void)conf;
    return gw_req_fail(req, GW_ERR_NO_ROUTE, "there is no administration interface here");
}

void
gw_admin_set(gw_step_fn *step)
{
    admin_step = step;
}

gw_step_fn *
gw_admin_get(void)
{
    return admin_step;
}

const struct gw_setting *
gw_conf_rows(void)
{
    static struct gw_setting rows[ROWS_MAX];
    size_t n = 0;

    if (rows[0].name != NULL) {
        return rows;
    }
    for (const struct gw_setting *s = gw_settings_rows; s->name != NULL; s++) {
        rows[n++] = *s;
    }
    for (const struct gw_module *const *m = gw_modules; *m != NULL; m++) {
        if ((*m)->section != NULL) {
            assert(n < ROWS_MAX - 1);
            rows[n++] = (struct gw_setting){.name = (*m)->section,
                                            .set = gw_set_section,
                                            .rows = (*m)->settings,
                                            .help = (*m)->about};
        }
    }
    return rows;
}

/* The modules' section names, which the core's own loader must not call unknown. */
static const char *const *
section_names(struct gw_arena *a)
{
    size_t n = 0;

    for (const struct gw_module *const *m = gw_modules; *m != NULL; m++) {
        n++;
    }
    const char **names = gw_arena_alloc(a, (n + 1) * sizeof(*names));
    n = 0;
    for (const struct gw_module *const *m = gw_modules; *m != NULL; m++) {
        if ((*m)->section != NULL) {
            names[n++] = (*m)->section;
        }
    }
    return names;
}

/* Opens what the settings name (keys, files): only when they themselves are fine. */
static void
load_module(struct gw_module_use *use, struct gw_loader *l, const json_t *root, bool open)
{
    const struct gw_module *m = use->module;
    bool good =
        m->section == NULL || gw_schema_load(l, use->conf, json_object_get(root, m->section),
                                             m->settings, m->section, NULL);

    use->opened = good && open && (m->open == NULL || m->open(use->conf, l));
}

/* All of them, whatever the others had to say: all mistakes are reported at once. */
static void
load_modules(struct gw_conf *c, struct gw_loader *l, const json_t *root, bool open)
{
    while (gw_modules[c->n_uses] != NULL) {
        c->n_uses++;
    }
    c->uses = gw_arena_alloc(c->arena, c->n_uses * sizeof(*c->uses));
    for (size_t i = 0; i < c->n_uses; i++) {
        c->uses[i].module = gw_modules[i];
        c->uses[i].conf = gw_arena_alloc(c->arena, gw_modules[i]->conf_size + 1);
        load_module(&c->uses[i], l, root, open);
    }
}

static void
build_plans(struct gw_conf *c)
{
    static const struct gw_step forward = {
        .module = "gateway", .phase = "forward", .run = gw_forward_step};
    const struct gw_step admin = {.module = "admin", .phase = "reply", .run = admin_step};

    for (enum gw_route_kind r = 0; r < GW_N_ROUTES; r++) {
        gw_plan_build(&c->plans[r], r, c->uses, c->n_uses, r == GW_ROUTE_ADMIN ? &admin : &forward,
                      gw_send_step);
    }
}

/* Beside the registry's file.  Gateways that share a registry share no folder. */
static const char *
state_folder(const struct gw_conf *c)
{
    const char *path = c->settings.registry.sqlite.path;

    if (c->settings.registry.driver != 0 || path == NULL) {
        return NULL;
    }
    return dirname(gw_arena_strndup(c->arena, path, strlen(path)));
}

static void
load(struct gw_conf *c, struct gw_yaml *source, struct gw_diag *diag, bool open)
{
    struct gw_loader l = {
        .arena = c->arena, .source = source, .diag = diag, .named = open ? &c->named : NULL};
    const json_t *root = gw_yaml_root(source);

    json_t *empty = c->file != NULL && root == NULL ? json_object() : NULL;

    if (empty != NULL) {
        root = empty; /* an empty file still has to say what is required */
    }
    if (source->n_docs > 1) {
        gw_diag_error(diag, gw_yaml_place(source, source->docs[1]),
                      "a configuration is one YAML document; a second one begins here");
    }
    gw_schema_load(&l, &c->settings, root, gw_settings_rows, "", section_names(c->arena));
    gw_settings_finish(&c->settings, &l, root);
    l.state = state_folder(c);
    load_modules(c, &l, root, open);
    json_decref(empty);
}

/* text: of the file, which may be NULL. */
static struct gw_conf *
conf_new(const char *file, struct gw_str text, struct gw_diag *diag, bool open)
{
    struct gw_arena *a = gw_arena_new_lasting();
    struct gw_conf *c = gw_arena_alloc(a, sizeof(*c));
    struct gw_yaml source = {0};
    size_t errors = diag->errors;

    atomic_init(&c->refs, 1);
    c->arena = a;
    if (file != NULL) {
        c->file = gw_arena_strndup(a, file, strlen(file));
        c->text = gw_arena_str(a, text);
        if (gw_yaml_read(&source, strcmp(file, "-") == 0 ? "standard input" : c->file, c->text,
                         diag)) {
            gw_yaml_expand_env(&source, diag);
        }
    }
    if (diag->errors == errors) {
        load(c, &source, diag, open);
    }
    gw_yaml_fini(&source);
    if (diag->errors > errors) {
        gw_conf_unref(c);
        return NULL;
    }
    build_plans(c);
    return c;
}

static struct gw_conf *
conf_of_file(const char *file, struct gw_diag *diag, bool open)
{
    struct gw_buf text = {0};
    struct gw_conf *c = NULL;

    if (file == NULL || gw_yaml_file_text(&text, file, diag)) {
        c = conf_new(file, gw_buf_text(&text), diag, open);
    }
    gw_buf_fini(&text);
    return c;
}

struct gw_conf *
gw_conf_load(const char *file, struct gw_diag *diag)
{
    return conf_of_file(file, diag, true);
}

struct gw_conf *
gw_conf_load_again(const struct gw_conf *c, struct gw_diag *diag)
{
    return conf_new(c->file, c->text, diag, true);
}

struct gw_conf *
gw_conf_read(const char *file, struct gw_diag *diag)
{
    return conf_of_file(file, diag, false);
}

void
gw_conf_serve(struct gw_conf *c)
{
    for (size_t i = 0; i < c->n_uses; i++) {
        if (c->uses[i].module->serve != NULL) {
            c->uses[i].module->serve(c->uses[i].conf);
        }
    }
}

void
gw_conf_use(const struct gw_conf *c, struct gw_world *const *worlds, size_t n)
{
    for (size_t i = 0; i < c->n_uses; i++) {
        if (c->uses[i].module->use != NULL) {
            c->uses[i].module->use(c->uses[i].conf, worlds, n);
        }
    }
}

void
gw_conf_end(const struct gw_conf *c)
{
    for (size_t i = 0; i < c->n_uses; i++) {
        if (c->uses[i].module->use != NULL) {
            c->uses[i].module->use(NULL, NULL, 0);
        }
    }
}

struct gw_conf *
gw_conf_ref(struct gw_conf *c)
{
    gw_refs_take(&c->refs);
    return c;
}

void
gw_conf_unref(struct gw_conf *c)
{
    if (c == NULL || !gw_refs_drop(&c->refs)) {
        return;
    }
    for (size_t i = 0; i < c->n_uses; i++) {
        if (c->uses[i].opened && c->uses[i].module->close != NULL) {
            c->uses[i].module->close(c->uses[i].conf);
        }
    }
    gw_arena_free(c->arena);
}

static struct gw_str
first_segment(struct gw_str path)
{
    struct gw_str rest = path.n > 0 && path.p[0] == '/' ? gw_str_skip(path, 1) : path;

    return (struct gw_str){rest.p, gw_str_find(rest, '/')};
}

static enum gw_route_kind
kind_of(const struct gw_conf *c, struct gw_str first, bool (*is)(struct gw_str, struct gw_str))
{
    if (is(first, GW_STR("extensions"))) {
        return GW_ROUTE_EXTENSIONS;
    }
    if (is(first, GW_STR("-"))) {
        return GW_ROUTE_ADMIN;
    }
    for (size_t i = 0; i < c->settings.n_core_segments; i++) {
        if (is(first, c->settings.core_segments[i])) {
            return GW_ROUTE_CORE;
        }
    }
    return GW_ROUTE_CONSOLE;
}

/* The reviews of the core's API that we answer ourselves, when nothing says otherwise. */
static bool
is_review(const struct gw_conf *c, struct gw_str path)
{
    return gw_str_eq(path, GW_STR("/" GW_REVIEW_PATH)) &&
           c->settings.core.access_reviews == GW_REVIEWS_GATEWAY;
}

/* As it means: "/%6bapis" is "/kapis" for whoever is behind us. */
const struct gw_plan *
gw_conf_route(const struct gw_conf *c, struct gw_str host, struct gw_str path)
{
    struct gw_str first = first_segment(path);
    bool encoded = gw_str_find(first, '%') < first.n;

    (void)host; /* one platform, one host: routes by host come with a later issue */
    enum gw_route_kind kind =
        encoded ? kind_of(c, first, gw_path_segment_is) : kind_of(c, first, gw_str_eq);

    if (kind == GW_ROUTE_CORE && is_review(c, path)) {
        kind = GW_ROUTE_ADMIN;
    }
    return &c->plans[kind];
}
