/*
 * resync.c - what it costs to list a registry anew, step by step, and how long a worker is held up
 * by what has come.  `make bench-resync` runs it.
 *
 *     resync [OBJECTS]
 *
 * The world: endpoints, each hundred of them of an extension.  All on one thread, without Redis and
 * without sockets, by the thread's own CPU time: what else runs on the machine does not count.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "gateway/worlds.h"
#include "registry/known.h"
#include "registry/splice.h"

#define OBJECTS       100000
#define PER_EXTENSION 100
#define PART_US       2000 /* as in control_live.c */

static size_t n_objects = OBJECTS;

static double
cpu_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void
say(const char *what, double ms)
{
    (void)printf("%-50s %9.1f ms\n", what, ms);
}

/* As Redis keeps it. */
static void
write_stored(struct gw_buf *out, size_t i, size_t revision)
{
    size_t extension = i / PER_EXTENSION;

    gw_buf_reset(out);
    gw_buf_printf(out,
                  "{\"metadata\":{\"uid\":\"0b2d43ce-7c1a-4e9c-a0d3-%012zu\",\"creationTimestamp\":"
                  "\"2026-11-30T08:43:08Z\",\"resourceVersion\":\"%zu\",",
                  i, revision);
    if (i % PER_EXTENSION == 0) {
        gw_buf_printf(out,
                      "\"name\":\"e%zu\"},\"apiVersion\":\"ksgate.io/v1\",\"kind\":"
                      "\"ExtensionService\",\"spec\":{\"access\":\"public\"}}",
                      extension);
    } else {
        gw_buf_printf(out,
                      "\"name\":\"e%zu.p%zu\"},\"apiVersion\":\"ksgate.io/v1\",\"kind\":"
                      "\"Endpoint\",\"spec\":{\"extension\":\"e%zu\",\"leaseSeconds\":15,\"url\":"
                      "\"http://10.%zu.%zu.%zu:8080\",\"weight\":1}}",
                      extension, i, extension, i >> 16 & 255, i >> 8 & 255, i & 255);
    }
}

static void
read_all(struct gw_objects *all, size_t revision)
{
    struct gw_buf text = {0};
    struct gw_diag diag = {0};

    for (size_t i = 0; i < n_objects; i++) {
        write_stored(&text, i, revision + i);
        struct gw_object *o = gw_splice_read(gw_buf_text(&text), NULL, &diag);
        if (o == NULL) {
            (void)fprintf(stderr, "resync: %s: %s\n", text.p, gw_diag_first(&diag));
            exit(1);
        }
        gw_objects_add(all, o);
    }
    gw_buf_fini(&text);
}

/* As a worker does, beside its requests. */
static void
take_over(struct gw_world *w, const struct gw_batch *b)
{
    struct gw_world_part at = {0};
    double all = 0;
    double longest = 0;
    bool done;

    do {
        double start = cpu_ms();
        done = gw_world_apply_part(w, b, &at, gw_clock_mono_us() + PART_US);
        double ms = cpu_ms() - start;
        all += ms;
        longest = ms > longest ? ms : longest;
    } while (!done);
    say("  worker: changes taken over", all);
    say("  worker: requests wait for, at most", longest);
}

/* A listing, until a worker has it. */
static void
resync(struct gw_known *known, struct gw_gathered *g, struct gw_world *w, const char *what,
       size_t revision)
{
    struct gw_objects all = {0};
    struct gw_changes changes = {0};

    (void)printf("%s\n", what);
    double start = cpu_ms();
    read_all(&all, revision);
    say("  control: objects read", cpu_ms() - start);
    start = cpu_ms();
    (void)gw_known_list(known, all.items, all.n, revision + all.n, "epoch", &changes);
    say("  control: compared with what was known", cpu_ms() - start);
    start = cpu_ms();
    struct gw_batch *b = gw_batch_compile(g, changes.items, changes.n, revision, false, NULL);
    say("  control: changes compiled", cpu_ms() - start);
    take_over(w, b);
    start = cpu_ms();
    gw_batch_unref(b);
    gw_changes_fini(&changes);
    gw_objects_fini(&all);
    say("  control: what is left is freed", cpu_ms() - start);
}

int
main(int argc, char **argv)
{
    struct gw_known *known = gw_known_new();
    struct gw_gathered *g = gw_gathered_new();
    struct gw_world *w = gw_world_new(0, NULL, NULL, 0);

    if (argc > 1) {
        n_objects = strtoul(argv[1], NULL, 10);
    }
    (void)printf("%zu objects\n", n_objects);
    resync(known, g, w, "all are new", 1);
    resync(known, g, w, "all are as they were", 1);
    resync(known, g, w, "all are changed", 1 + n_objects);
    gw_world_free(w);
    gw_gathered_free(g);
    gw_known_free(known);
    return 0;
}
