/*
 * skeleton.c - a module to copy: cp modules/skeleton.c modules/NAME.c
 *
 * It adds one header to every response, and shows all that most modules need.  Then:
 *   1. say below what yours does, and rename skeleton to NAME throughout;
 *   2. add X(NAME) to modules/modules.def, where a request shall meet it;
 *   3. add modules/NAME.c to Makefile.am, and docs/modules/NAME.md;
 *   4. `make docs` puts your settings into the reference, `ksgate plan /` shows your step.
 */
#include "gateway/module.h" /* all that a module may touch: requests, settings, worlds */

/* What the settings say.  One per loaded configuration: filled once, on the control thread,
 * then read by all workers at once.  So it never changes afterwards. */
struct conf {
    const char *header;        /* as written: "Name: value", or "" */
    struct gw_str name, value; /* made from it */
};

/* A row is the parser, the default, the limits and the reference page of one setting.  Texts
 * live as long as the configuration. */
static const struct gw_setting settings[] = {
    {.name = "header",
     .set = gw_set_text,
     .at = offsetof(struct conf, header),
     .initial = "\"\"",
     .example = "\"X-Served-By: ksgate\"",
     .help = "A header that is added to every response, as \"Name: value\"; empty: none."},
    {0},
};

/* Checks what a row can't, and opens what must be open (files, keys).  All errors go to the
 * diag, none to the log: `ksgate check` prints them, and a reload keeps the old config. */
static bool
open_conf(void *conf, struct gw_loader *loader)
{
    struct conf *c = conf;
    struct gw_str rest = gw_str_of(c->header);

    if (rest.n == 0) {
        return true; /* off */
    }
    c->name = gw_str_cut(&rest, ':');
    c->value = gw_str_trim(rest);
    if (!gw_header_name_ok(c->name) || c->value.n == 0 || !gw_header_value_ok(c->value)) {
        gw_diag_error(loader->diag, loader->here,
                      "skeleton.header: expected \"Name: value\", got \"%s\"", c->header);
        return false;
    }
    return true;
}

/* The step.  What it needs for the request's time comes from req->arena; nothing is freed.  It
 * answers at once here: GW_NEXT (go on), GW_REPLY (req->reply is the answer) or GW_FAIL (req->err
 * says why).  A step that must wait sets req->pending and returns GW_WAIT; see gateway/req.h. */
static enum gw_verdict
add_header(struct gw_req *req, const void *conf)
{
    const struct conf *c = conf;

    if (c->name.n > 0) {
        gw_edits_add(req, &req->down, c->name, c->value); /* req->up: to the backend */
    }
    return GW_NEXT;
}

/* The only symbol that others see. */
const struct gw_module gw_mod_skeleton = {
    .name = "skeleton",
    .about = "Adds a header to every response; a template for new modules.",
    .section = "skeleton", /* the settings' place in the config file */
    .settings = settings,
    .conf_size = sizeof(struct conf),
    .routes = GW_ON_ALL, /* or GW_ON(GW_ROUTE_EXTENSIONS) | ... */
    .open = open_conf,
    /* One function for each phase that it takes part in: GW_FIND, GW_ACCESS, GW_REWRITE,
     * GW_RESPONSE, GW_LOG. */
    .on = {[GW_RESPONSE] = add_header},
};
