#include "modules/access_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define RETRY_MS 5000 /* between two tries to open the file, and between two warnings */

struct block {
    struct block *next;
    struct gw_buf text;
    unsigned n_lines;
};

struct gw_access_sink {
    pthread_mutex_t lock; /* for all that follows up to the next comment */
    pthread_cond_t work, idle;
    unsigned refs; /* of users; the thread has none */
    struct block *first, **last;
    size_t waiting, most; /* bytes */
    bool running, busy;   /* the thread is there; it is writing a block */
    /* set once */
    char *path;
    /* the thread's own */
    int fd;
    uint64_t tried_ms, warned_ms;
};

static atomic_ullong written, dropped;

unsigned long long
gw_access_sink_written(void)
{
    return atomic_load_explicit(&written, memory_order_relaxed);
}

unsigned long long
gw_access_sink_dropped(void)
{
    return atomic_load_explicit(&dropped, memory_order_relaxed);
}

static void
count_dropped(unsigned n_lines)
{
    atomic_fetch_add_explicit(&dropped, n_lines, memory_order_relaxed);
}

struct gw_access_sink *
gw_access_sink_new(const char *path, size_t most)
{
    struct gw_access_sink *s = gw_mem_alloc(sizeof(*s));
    pthread_condattr_t attr;

    (void)pthread_mutex_init(&s->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&s->work, &attr);
    (void)pthread_cond_init(&s->idle, &attr);
    (void)pthread_condattr_destroy(&attr);
    s->refs = 1;
    s->path = gw_mem_strdup(path);
    s->most = most;
    s->last = &s->first;
    s->fd = -1;
    return s;
}

/* Nobody knows it any more: no user, no thread, no block. */
static void
free_sink(struct gw_access_sink *s)
{
    if (s->fd > STDERR_FILENO) {
        (void)close(s->fd);
    }
    (void)pthread_cond_destroy(&s->work);
    (void)pthread_cond_destroy(&s->idle);
    (void)pthread_mutex_destroy(&s->lock);
    free(s->path);
    free(s);
}

struct gw_access_sink *
gw_access_sink_ref(struct gw_access_sink *s)
{
    (void)pthread_mutex_lock(&s->lock);
    s->refs++;
    (void)pthread_mutex_unlock(&s->lock);
    return s;
}

void
gw_access_sink_unref(struct gw_access_sink *s)
{
    if (s == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&s->lock);
    bool last = --s->refs == 0;
    bool running = s->running;
    (void)pthread_cond_signal(&s->work); /* the thread ends it */
    (void)pthread_mutex_unlock(&s->lock);
    if (last && !running) {
        free_sink(s);
    }
}

static void
warn(struct gw_access_sink *s, const char *what)
{
    int why = errno;
    uint64_t now_ms = gw_clock_mono_ms();

    if (s->warned_ms == 0 || now_ms - s->warned_ms >= RETRY_MS) {
        s->warned_ms = now_ms;
        gw_log_warn("access log %s: %s: %s; lines are dropped meanwhile", s->path, what,
                    strerror(why));
    }
}

static bool
open_file(struct gw_access_sink *s)
{
    uint64_t now_ms = gw_clock_mono_ms();

    if (s->fd >= 0) {
        return true;
    }
    if (strcmp(s->path, "stdout") == 0) {
        s->fd = STDOUT_FILENO;
        return true;
    }
    if (s->tried_ms != 0 && now_ms - s->tried_ms < RETRY_MS) {
        return false;
    }
    s->tried_ms = now_ms;
    /* A FIFO that nobody reads is an error to say, not a reader to wait for. */
    s->fd = open(s->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
    if (s->fd < 0) {
        warn(s, "can't be opened");
        return false;
    }
    (void)fcntl(s->fd, F_SETFL, O_APPEND); /* only the thread waits for a slow disk */
    return true;
}

/* A block is whole lines, and O_APPEND puts it at the end even when others write there too. */
static bool
write_all(struct gw_access_sink *s, struct gw_str text)
{
    while (text.n > 0) {
        ssize_t n = write(s->fd, text.p, text.n);

        if (n < 0 && errno != EINTR) {
            warn(s, "can't be written");
            return false;
        }
        text = gw_str_skip(text, n > 0 ? (size_t)n : 0);
    }
    return true;
}

static void
write_block(struct gw_access_sink *s, struct block *b)
{
    if (open_file(s) && write_all(s, gw_buf_text(&b->text))) {
        atomic_fetch_add_explicit(&written, b->n_lines, memory_order_relaxed);
    } else {
        count_dropped(b->n_lines);
    }
}

static void
free_block(struct block *b)
{
    gw_buf_fini(&b->text);
    free(b);
}

static void *
run(void *arg)
{
    struct gw_access_sink *s = arg;

    gw_log_name("access-log");
    (void)pthread_mutex_lock(&s->lock);
    while (s->first != NULL || s->refs > 0) {
        struct block *b = s->first;

        if (b == NULL) {
            (void)pthread_cond_wait(&s->work, &s->lock);
            continue;
        }
        s->first = b->next;
        s->last = s->first == NULL ? &s->first : s->last;
        s->busy = true;
        (void)pthread_mutex_unlock(&s->lock);
        write_block(s, b);
        (void)pthread_mutex_lock(&s->lock);
        s->busy = false;
        s->waiting -= b->text.n;
        free_block(b);
        if (s->first == NULL) {
            (void)pthread_cond_broadcast(&s->idle);
        }
    }
    (void)pthread_mutex_unlock(&s->lock);
    free_sink(s);
    return NULL;
}

/* With the lock.  The thread gets no signals: they are for those who wait for them. */
static bool
start(struct gw_access_sink *s)
{
    pthread_t thread;
    pthread_attr_t attr;
    sigset_t all;
    sigset_t before;

    if (s->running) {
        return true;
    }
    (void)sigfillset(&all);
    (void)pthread_attr_init(&attr);
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    s->running = pthread_create(&thread, &attr, run, s) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attr);
    return s->running;
}

void
gw_access_sink_write(struct gw_access_sink *s, struct gw_buf *block, unsigned n_lines)
{
    struct block *b = NULL;

    (void)pthread_mutex_lock(&s->lock);
    if (s->waiting + block->n <= s->most && start(s)) {
        b = gw_mem_alloc(sizeof(*b));
        *b = (struct block){.text = *block, .n_lines = n_lines};
        *block = (struct gw_buf){0};
        s->waiting += b->text.n;
        *s->last = b;
        s->last = &b->next;
        (void)pthread_cond_signal(&s->work);
    }
    (void)pthread_mutex_unlock(&s->lock);
    if (b == NULL) {
        count_dropped(n_lines);
        gw_buf_reset(block);
    }
}

void
gw_access_sink_drain(struct gw_access_sink *s, unsigned ms)
{
    struct timespec until;
    int timed_out = 0;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    (void)pthread_mutex_lock(&s->lock);
    while ((s->first != NULL || s->busy) && timed_out == 0) {
        timed_out = pthread_cond_timedwait(&s->idle, &s->lock, &until);
    }
    (void)pthread_mutex_unlock(&s->lock);
}
