#include "registry/saver.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

#define REST_MS     1000  /* between two */
#define REST_FAILED 5000  /* at least, after one that could not be written */
#define REST_MOST   60000 /* of however many objects */
#define REST_FACTOR 100   /* of the time that the last one took */

struct gw_saver {
    char *path;
    int done_fd; /* readable when the thread has ended */
    struct event *done;
    bool busy;
    pthread_t thread;
    struct gw_snapshot snapshot; /* the thread's while busy */
    int error;                   /* of the thread; 0: written */
    uint64_t took_us;            /* of CPU */
    unsigned rest_ms;            /* after the last one that has ended */
    bool complained;
    void (*failed)(void *owner); /* NULL: nobody tries again */
    void *owner;
};

/* CPU time of this thread, so that a slow disk or a busy machine does not count. */
static uint64_t
cpu_us(void)
{
    struct timespec t = {0};

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void
write_it(struct gw_saver *s)
{
    uint64_t start = cpu_us();

    s->error = gw_snapshot_save(&s->snapshot, s->path) ? 0 : errno;
    s->took_us = cpu_us() - start;
}

static void *
run(void *arg)
{
    struct gw_saver *s = arg;
    uint64_t one = 1;

    write_it(s);
    ssize_t n = write(s->done_fd, &one, sizeof(one));
    assert(n == (ssize_t)sizeof(one)); /* an eventfd takes it */
    (void)n;
    return NULL;
}

static unsigned
rest_after(uint64_t took_us)
{
    uint64_t ms = took_us * REST_FACTOR / 1000;

    return ms < REST_MS ? REST_MS : ms > REST_MOST ? REST_MOST : (unsigned)ms;
}

/* After the writing: once a line when it begins to fail, once when it works again. */
static void
report(struct gw_saver *s)
{
    if (s->error != 0 && !s->complained) {
        gw_log_error("registry: the last state can't be written to %s: %s; without it a gateway "
                     "that starts while the store is away knows nothing",
                     s->path, strerror(s->error));
    } else if (s->error == 0 && s->complained) {
        gw_log_info("registry: the last state is written to %s again", s->path);
    }
    s->complained = s->error != 0;
    s->rest_ms = rest_after(s->took_us);
    gw_snapshot_fini(&s->snapshot);
    if (s->error != 0 && s->failed != NULL) {
        s->rest_ms = s->rest_ms > REST_FAILED ? s->rest_ms : REST_FAILED;
        s->failed(s->owner);
    }
}

static void
join(struct gw_saver *s)
{
    if (s->busy) {
        (void)pthread_join(s->thread, NULL);
        s->busy = false;
        report(s);
    }
}

static void
on_done(evutil_socket_t fd, short what, void *arg)
{
    uint64_t n;

    (void)what;
    if (read(fd, &n, sizeof(n)) == (ssize_t)sizeof(n)) {
        join(arg);
    }
}

struct gw_saver *
gw_saver_open(const char *path, struct event_base *base, void (*failed)(void *owner), void *owner)
{
    struct gw_saver *s = gw_mem_alloc(sizeof(*s));

    s->path = gw_mem_strdup(path);
    s->failed = failed;
    s->owner = owner;
    s->rest_ms = access(path, F_OK) == 0 ? REST_MS : 0;
    s->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    assert(s->done_fd >= 0);
    s->done = event_new(base, s->done_fd, EV_READ | EV_PERSIST, on_done, s);
    assert(s->done != NULL);
    (void)event_add(s->done, NULL);
    return s;
}

bool
gw_saver_is_busy(const struct gw_saver *s)
{
    return s->busy;
}

unsigned
gw_saver_rest_ms(const struct gw_saver *s)
{
    return s->rest_ms;
}

void
gw_saver_save(struct gw_saver *s, struct gw_snapshot *snapshot)
{
    assert(!s->busy);
    s->snapshot = *snapshot;
    *snapshot = (struct gw_snapshot){0};
    s->busy = true;
    s->rest_ms = s->rest_ms > REST_MS ? s->rest_ms : REST_MS; /* the first one is on its way */
    if (pthread_create(&s->thread, NULL, run, s) != 0) {
        s->busy = false; /* no thread to be had: slowly, then */
        write_it(s);
        report(s);
    }
}

void
gw_saver_close(struct gw_saver *s, struct gw_snapshot *last)
{
    if (s == NULL) {
        return;
    }
    s->failed = NULL;
    join(s);
    if (last != NULL) {
        s->snapshot = *last;
        *last = (struct gw_snapshot){0};
        write_it(s);
        report(s);
    }
    event_free(s->done);
    (void)close(s->done_fd);
    free(s->path);
    free(s);
}
