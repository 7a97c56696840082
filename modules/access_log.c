/*
 * access_log.c - one line for each request, whatever happened to it.
 *
 * A worker collects lines in a block of its own and hands it over when it is full or has waited
 * for a while; the disk is another thread's business (access_sink.h).
 */
#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "gateway/module.h"
#include "modules/access_line.h"
#include "modules/access_sink.h"

#define BLOCK_BYTES 32768
#define DRAIN_MS    2000 /* how long a worker that ends waits for the disk */

struct conf {
    const char *access; /* a path, "stdout" or "off" */
    int format, level;
    long long flush_ms, buffer;
    struct gw_access_sink *sink; /* a reference; NULL: off */
};

/* One worker's. */
struct lines {
    struct gw_timer timer; /* first: fire() gets it */
    struct gw_world *world;
    struct gw_buf text;
    unsigned n;
    struct gw_access_sink *sink; /* a reference; NULL while there are no lines */
};

static const char *const formats[] = {"json", NULL};
static const char *const levels[] = {
    [GW_LOG_ERROR] = "error",
    [GW_LOG_WARN] = "warn",
    [GW_LOG_INFO] = "info",
    [GW_LOG_DEBUG] = "debug",
    NULL,
};

/* clang-format off */
static const struct gw_setting settings[] = {
    {.name = "access", .set = gw_set_text, .at = offsetof(struct conf, access), .initial = "\"off\"",
     .example = "/var/log/ksgate/access.log",
     .help = "Where each request gets a line: a file, `stdout`, or `off`.  A reload opens the file anew."},
    {.name = "format", .set = gw_set_word, .at = offsetof(struct conf, format), .words = formats,
     .initial = "json", .help = "How an access line is written."},
    {.name = "flush", .set = gw_set_duration, .at = offsetof(struct conf, flush_ms), .initial = "1s",
     .max = 60000, .help = "How long an access line may wait for others, to be written with them; 0: not at all."},
    {.name = "buffer", .set = gw_set_size, .at = offsetof(struct conf, buffer), .initial = "8MiB",
     .min = 65536, .max = 1LL << 30,
     .help = "Access lines that may wait for a slow disk; more are dropped and counted."},
    {.name = "level", .set = gw_set_word, .at = offsetof(struct conf, level), .words = levels,
     .initial = "info", .help = "How much the gateway says on its standard error."},
    {0},
};
/* clang-format on */

static void
flush(struct lines *l)
{
    gw_wheel_cancel(&l->timer);
    if (l->n > 0) {
        gw_access_sink_write(l->sink, &l->text, l->n);
        gw_access_sink_unref(l->sink);
        l->sink = NULL;
        l->n = 0;
    }
}

static void
on_waited(struct gw_timer *timer)
{
    flush((struct lines *)timer);
}

static void *
open_lines(struct gw_world *world)
{
    struct lines *l = gw_mem_alloc(sizeof(*l));

    l->world = world;
    l->timer.fire = on_waited;
    return l;
}

static void
close_lines(void *index)
{
    struct lines *l = index;
    struct gw_access_sink *sink = l->sink == NULL ? NULL : gw_access_sink_ref(l->sink);

    flush(l);
    if (sink != NULL) {
        gw_access_sink_drain(sink, DRAIN_MS);
        gw_access_sink_unref(sink);
    }
    gw_buf_fini(&l->text);
    free(l);
}

/* A view of no kinds: a worker's memory with a beginning and an end. */
static const struct gw_view view = {
    .name = "access_log",
    .kinds = (const char *const[]){NULL},
    .open = open_lines,
    .close = close_lines,
};

static enum gw_verdict
write_line(struct gw_req *req, const void *conf)
{
    const struct conf *c = conf;
    struct lines *l = c->sink == NULL ? NULL : gw_world_index(req->world, &view);

    if (l == NULL) {
        return GW_NEXT;
    }
    if (l->sink != c->sink) {
        flush(l); /* lines of the config before a reload go where that said */
        l->sink = gw_access_sink_ref(c->sink);
    }
    gw_access_line(&l->text, req);
    l->n++;
    if (l->text.n >= BLOCK_BYTES || c->flush_ms == 0) {
        flush(l);
    } else if (!gw_wheel_is_set(&l->timer)) {
        gw_wheel_set(gw_world_wheel(l->world), &l->timer,
                     gw_world_now_ms(l->world) + (uint64_t)c->flush_ms);
    }
    return GW_NEXT;
}

static bool
is_off(const struct conf *c)
{
    return c->access[0] == '\0' || strcmp(c->access, "off") == 0;
}

static const char *
log_file(const void *conf)
{
    const struct conf *c = conf;

    return is_off(c) || strcmp(c->access, "stdout") == 0 ? NULL : c->access;
}

static char *
folder_of(const char *path, struct gw_arena *a)
{
    return dirname(gw_arena_strndup(a, path, strlen(path)));
}

/* What can be seen without making the file: whoever checks a config may be another user than
 * the one who serves.  A folder that the supervisor can make will be there. */
static void
check_path(const char *path, struct gw_loader *loader)
{
    const char *folder = folder_of(path, loader->arena);

    if (access(folder, X_OK) == 0) {
        return;
    }
    int err = errno;
    if (err == ENOENT && access(folder_of(folder, loader->arena), W_OK | X_OK) == 0) {
        return;
    }
    gw_diag_warn(loader->diag, loader->here,
                 "log.access: %s: %s; access lines are dropped until it is there", folder,
                 strerror(err));
}

static bool
open_conf(void *conf, struct gw_loader *loader)
{
    struct conf *c = conf;

    gw_log_level((enum gw_log_level)c->level);
    if (is_off(c)) {
        return true;
    }
    if (log_file(c) != NULL) {
        check_path(c->access, loader);
    }
    c->sink = gw_access_sink_new(c->access, (size_t)c->buffer);
    return true;
}

static void
close_conf(void *conf)
{
    struct conf *c = conf;

    gw_access_sink_unref(c->sink);
    c->sink = NULL;
}

static void
write_metrics(struct gw_buf *out, struct gw_world *const *worlds, size_t n)
{
    (void)worlds;
    (void)n;
    gw_buf_printf(out,
                  "# HELP ksgate_access_log_lines_total Access lines by what became of them.\n"
                  "# TYPE ksgate_access_log_lines_total counter\n"
                  "ksgate_access_log_lines_total{result=\"written\"} %llu\n"
                  "ksgate_access_log_lines_total{result=\"dropped\"} %llu\n",
                  gw_access_sink_written(), gw_access_sink_dropped());
}

const struct gw_module gw_mod_access_log = {
    .name = "access_log",
    .about = "Writes one line for each request, and says how much the gateway logs.",
    .section = "log",
    .settings = settings,
    .conf_size = sizeof(struct conf),
    .routes = GW_ON_ALL,
    .open = open_conf,
    .close = close_conf,
    .file = log_file,
    .views = (const struct gw_view *const[]){&view, NULL},
    .on = {[GW_LOG] = write_line},
    .metrics = write_metrics,
};
