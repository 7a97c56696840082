#include "server/follow.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define SETTLE_MS 40
#define PATIENCE  12 /* times SETTLE_MS that a file may go on being written to */
#define LOOK_MS   10000
#define FOLDER_SIGNS                                                                         \
    (IN_CLOSE_WRITE | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | \
     IN_MOVE_SELF | IN_ATTRIB | IN_ONLYDIR)

struct followed {
    char *path;
    struct gw_file_look look; /* what was told last */
    struct gw_file_look now;
};

struct gw_follow {
    struct event_base *base;
    struct followed *files;
    size_t n;
    int inotify; /* -1: there is none */
    struct event *readable, *timer;
    bool soon; /* the timer is no longer than SETTLE_MS */
    unsigned waited;
    gw_follow_changed_fn *changed;
    void *owner;
};

static void
set_timer(struct gw_follow *f, bool soon)
{
    const struct timeval tv = gw_clock_timeval(soon ? SETTLE_MS : LOOK_MS);

    f->soon = soon;
    (void)event_add(f->timer, &tv);
}

/* It does not matter what has happened; one read for each call, or a busy writer would keep us. */
static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct gw_follow *f = arg;
    _Alignas(struct inotify_event) char events[4096];

    (void)what;
    if (read(fd, events, sizeof(events)) > 0 && !f->soon) {
        set_timer(f, true);
    }
}

static void
open_inotify(struct gw_follow *f)
{
    f->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (f->inotify < 0) {
        gw_log_warn("no inotify (%s): files that settings name are looked at every %d s only",
                    strerror(errno), LOOK_MS / 1000);
        return;
    }
    f->readable = event_new(f->base, f->inotify, EV_READ | EV_PERSIST, on_readable, f);
    assert(f->readable != NULL);
    (void)event_add(f->readable, NULL);
}

static void
close_inotify(struct gw_follow *f)
{
    if (f->readable != NULL) {
        event_free(f->readable);
        (void)close(f->inotify);
    }
    f->readable = NULL;
    f->inotify = -1;
}

/* What can't be watched is looked at all the same, every LOOK_MS. */
static void
watch_folder(void *arg, const char *folder)
{
    (void)inotify_add_watch(((struct gw_follow *)arg)->inotify, folder, FOLDER_SIGNS);
}

/* Folders and links may be others than a moment ago. */
static void
watch_all(struct gw_follow *f)
{
    for (size_t i = 0; i < f->n && f->inotify >= 0; i++) {
        gw_follow_way(f->files[i].path, watch_folder, f);
    }
}

static bool
was_just_written(const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0) {
        return true; /* it is about to come back */
    }
    uint64_t written = (uint64_t)st.st_mtim.tv_sec * 1000 + (uint64_t)st.st_mtim.tv_nsec / 1000000;
    uint64_t now = gw_clock_wall_ms();
    return written <= now && now - written < SETTLE_MS;
}

/* Which are not as they were, with commas between; *again: one of these is being written. */
static void
look_at_all(struct gw_follow *f, struct gw_buf *paths, bool *again)
{
    for (size_t i = 0; i < f->n; i++) {
        struct followed *file = &f->files[i];

        file->now = gw_file_look_at(file->path);
        if (!gw_file_looks_same(&file->now, &file->look)) {
            gw_buf_printf(paths, "%s%s", paths->n == 0 ? "" : ", ", file->path);
            *again = *again || was_just_written(file->path);
        }
    }
}

/* They are read after that: a change meanwhile is another one. */
static void
remember_all(struct gw_follow *f)
{
    for (size_t i = 0; i < f->n; i++) {
        f->files[i].look = f->files[i].now;
    }
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct gw_follow *f = arg;
    struct gw_buf paths = {0};
    bool again = false;

    (void)fd;
    (void)what;
    watch_all(f); /* before the look: what changes after it is seen */
    look_at_all(f, &paths, &again);
    if (again && ++f->waited <= PATIENCE) {
        set_timer(f, true);
    } else {
        f->waited = 0;
        set_timer(f, false);
        if (paths.n > 0) {
            remember_all(f);
            f->changed(f->owner, paths.p);
        }
    }
    gw_buf_fini(&paths);
}

struct gw_follow *
gw_follow_new(struct event_base *base, gw_follow_changed_fn *changed, void *owner)
{
    struct gw_follow *f = gw_mem_alloc(sizeof(*f));

    *f = (struct gw_follow){.base = base, .inotify = -1, .changed = changed, .owner = owner};
    f->timer = event_new(base, -1, 0, on_timer, f);
    assert(f->timer != NULL);
    return f;
}

static void
forget_all(struct gw_follow *f)
{
    for (size_t i = 0; i < f->n; i++) {
        free(f->files[i].path);
    }
    free(f->files);
    f->files = NULL;
    f->n = 0;
}

void
gw_follow_free(struct gw_follow *f)
{
    if (f == NULL) {
        return;
    }
    close_inotify(f);
    event_free(f->timer);
    forget_all(f);
    free(f);
}

void
gw_follow_use(struct gw_follow *f, const struct gw_named *files)
{
    size_t n = 0;

    forget_all(f);
    close_inotify(f); /* folders of before are of no interest */
    for (const struct gw_named *file = files; file != NULL; file = file->next) {
        n++;
    }
    f->files = gw_mem_alloc((n + 1) * sizeof(*f->files));
    for (const struct gw_named *file = files; file != NULL; file = file->next) {
        f->files[f->n++] = (struct followed){.path = gw_mem_strdup(file->path), .look = file->look};
    }
    if (n == 0) {
        (void)event_del(f->timer);
        return;
    }
    open_inotify(f);
    watch_all(f);
    f->waited = 0;
    set_timer(f, true); /* they may have changed since */
}
