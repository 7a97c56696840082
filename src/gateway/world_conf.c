/*
 * world_conf.c - the configuration that is in force in a world, with ks-core and the console, and
 * those before it that requests still use.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "gateway/conf.h"
#include "gateway/upstream.h"
#include "gateway/world_private.h"
#include "net/dns.h"

static void
drop_unused_confs(struct gw_world *w)
{
    for (size_t i = w->n_confs; i-- > 1;) {
        if (w->confs[i].users == 0) {
            gw_conf_unref(w->confs[i].conf);
            w->confs[i] = w->confs[--w->n_confs];
        }
    }
}

static struct gw_endpoint *
want(struct gw_world *w, const char *url)
{
    const char *why;
    struct gw_endpoint *e = url == NULL ? NULL : gw_world_endpoint(w, gw_str_of(url), &why);

    if (e != NULL) {
        gw_endpoint_want(e);
    }
    return e;
}

static void
unwant(struct gw_world *w, struct gw_endpoint *e)
{
    if (e != NULL) {
        gw_endpoint_unwant(e);
        gw_world_endpoint_release(w, e);
    }
}

/* New ones first: an endpoint that stays keeps its pool. */
static void
use_core(struct gw_world *w, const struct gw_settings *s)
{
    struct gw_endpoint *core = want(w, s->core.url);
    struct gw_endpoint *console = want(w, s->core.console);

    gw_health_join(core, &s->core.check);
    if (w->core != NULL) {
        gw_health_leave(w->core, w->core_check);
    }
    w->core_check = &s->core.check;
    unwant(w, w->core);
    unwant(w, w->console);
    w->core = core;
    w->console = console;
}

void
gw_world_use(struct gw_world *w, struct gw_conf *conf)
{
    size_t at = 0;

    while (at < w->n_confs && w->confs[at].conf != conf) {
        at++;
    }
    if (at == w->n_confs) { /* else it comes back while requests still use it */
        w->confs = gw_mem_resize(w->confs, (w->n_confs + 1) * sizeof(*w->confs));
        w->confs[w->n_confs++] = (struct gw_world_conf_use){.conf = gw_conf_ref(conf)};
    }
    struct gw_world_conf_use before = w->confs[0];
    w->confs[0] = w->confs[at];
    w->confs[at] = before;
    if (w->loop != NULL) {
        gw_dns_use(w->loop, conf->settings.dns.servers, conf->settings.dns.min_ttl,
                   conf->settings.dns.max_ttl);
    }
    use_core(w, &conf->settings);
    drop_unused_confs(w);
}

struct gw_endpoint *
gw_world_core(const struct gw_world *w)
{
    return w->core;
}

struct gw_endpoint *
gw_world_console(const struct gw_world *w)
{
    return w->console;
}

struct gw_conf *
gw_world_conf(const struct gw_world *w)
{
    return w->n_confs == 0 ? NULL : w->confs[0].conf;
}

struct gw_conf *
gw_world_conf_take(struct gw_world *w)
{
    assert(w->n_confs > 0);
    w->confs[0].users++;
    return w->confs[0].conf;
}

void
gw_world_conf_give(struct gw_world *w, struct gw_conf *conf)
{
    for (size_t i = 0; i < w->n_confs; i++) {
        if (w->confs[i].conf == conf) {
            assert(w->confs[i].users > 0);
            w->confs[i].users--;
            if (i > 0) {
                drop_unused_confs(w);
            }
            return;
        }
    }
    abort(); /* given back twice */
}

void
gw_world_drop_confs(struct gw_world *w)
{
    for (size_t i = 0; i < w->n_confs; i++) {
        gw_conf_unref(w->confs[i].conf);
    }
    free(w->confs);
}
