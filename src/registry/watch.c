#include "registry/watch.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "registry/files.h"

#define SETTLE_MS 40    /* a file that was written just now may not be whole yet */
#define LOOK_MS   10000 /* at everything, whatever inotify said */

/* One file and what it held when it was last good. */
struct source {
    char *path;
    struct stat st;
    struct gw_objects objects;
    bool listed; /* in the scan that is under way */
};

struct gw_watch {
    char **paths;            /* NULL-terminated */
    bool *missing;           /* of each path: it was logged */
    struct source **sources; /* in the order of the last scan */
    size_t n;
    struct gw_map *objects; /* key to object, with a reference */
    int inotify;
    struct event *readable, *timer;
    bool soon; /* the timer is no longer than SETTLE_MS */
    gw_watch_changed_fn *changed;
    void *owner;
};

static void
set_timer(struct gw_watch *w, bool soon)
{
    const struct timeval tv = gw_clock_timeval(soon ? SETTLE_MS : LOOK_MS);

    w->soon = soon;
    (void)event_add(w->timer, &tv);
}

static void
log_findings(const struct gw_diag *diag)
{
    for (size_t i = 0; i < diag->n; i++) {
        const struct gw_finding *f = &diag->findings[i];

        gw_log_line(f->severity == GW_ERROR ? GW_LOG_ERROR : GW_LOG_WARN, "registry: %s:%d:%d: %s",
                    f->place.file == NULL ? "" : f->place.file, f->place.line, f->place.column,
                    f->text);
    }
}

static void
free_object(void *o)
{
    gw_object_unref(o);
}

static void
free_source(struct source *s)
{
    free(s->path);
    gw_objects_fini(&s->objects);
    free(s);
}

static bool
is_as_before(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static bool
is_settled(const struct stat *st)
{
    uint64_t written =
        (uint64_t)st->st_mtim.tv_sec * 1000 + (uint64_t)st->st_mtim.tv_nsec / 1000000;
    uint64_t now = gw_clock_wall_ms();

    return written > now || now - written >= SETTLE_MS;
}

/* Reads the file anew; a broken one keeps its objects. */
static void
read_source(struct source *s)
{
    struct gw_objects fresh = {0};
    struct gw_diag diag = {0};
    struct gw_seen seen;

    gw_seen_init(&seen);
    if (gw_objects_read_file(&fresh, s->path, &seen, &diag)) {
        struct gw_objects old = s->objects;
        s->objects = fresh;
        fresh = old;
        gw_log_info("registry: %s: %zu objects", s->path, s->objects.n);
    } else {
        gw_log_error("registry: %s is not used because of %zu errors; %zu objects of it are kept",
                     s->path, diag.errors, s->objects.n);
    }
    log_findings(&diag);
    gw_seen_fini(&seen);
    gw_objects_fini(&fresh);
    gw_diag_fini(&diag);
}

static struct source *
find_source(const struct gw_watch *w, const char *path)
{
    for (size_t i = 0; i < w->n; i++) {
        if (strcmp(w->sources[i]->path, path) == 0) {
            return w->sources[i];
        }
    }
    return NULL;
}

/* What a look at the sources has found. */
struct found {
    bool news;  /* something was read, or is gone */
    bool again; /* something may still be being written: look again soon */
};

static void
look_at(struct source *s, bool patient, struct found *found)
{
    struct stat st;

    if (stat(s->path, &st) != 0 || is_as_before(&st, &s->st)) {
        return;
    }
    if (patient && !is_settled(&st)) {
        found->again = true;
        return;
    }
    s->st = st;
    read_source(s);
    found->news = true;
}

static void
watch_folder(struct gw_watch *w, const char *path)
{
    (void)inotify_add_watch(w->inotify, path,
                            IN_CLOSE_WRITE | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE |
                                IN_DELETE_SELF | IN_MOVE_SELF | IN_ATTRIB | IN_ONLYDIR);
}

/* The folder itself, and the one that it or the file is in: they may be replaced. */
static void
watch_path(struct gw_watch *w, const char *path)
{
    char *parent = gw_mem_strdup(path);
    size_t n = strlen(parent);

    while (n > 1 && parent[n - 1] == '/') {
        n--;
    }
    while (n > 0 && parent[n - 1] != '/') {
        n--;
    }
    parent[n] = '\0';
    watch_folder(w, n == 0 ? "." : parent);
    watch_folder(w, path);
    free(parent);
}

/* The files that the paths stand for now. */
static void
expand(struct gw_watch *w, struct gw_paths *files)
{
    for (size_t i = 0; w->paths[i] != NULL; i++) {
        bool ok = gw_paths_add(files, w->paths[i]);

        if (!ok && !w->missing[i]) {
            gw_log_warn("registry: %s can't be read: %s; waiting for it", w->paths[i],
                        strerror(errno));
        }
        w->missing[i] = !ok;
        watch_path(w, w->paths[i]);
    }
}

/* Puts the objects of all sources into one table and tells what is different. */
static void
merge(struct gw_watch *w)
{
    struct gw_map *before = w->objects;
    struct gw_change *changes = NULL;
    size_t n = 0;
    size_t most = gw_map_count(before);
    size_t at = 0;
    struct gw_str key;
    void *value;

    w->objects = gw_map_of_values();
    for (size_t i = 0; i < w->n; i++) {
        most += w->sources[i]->objects.n;
    }
    changes = gw_mem_alloc((most + 1) * sizeof(*changes));
    for (size_t i = 0; i < w->n; i++) {
        const struct gw_objects *list = &w->sources[i]->objects;

        for (size_t j = 0; j < list->n; j++) {
            struct gw_object *o = list->items[j];

            if (gw_map_get(w->objects, gw_str_of(o->key)) != NULL) {
                gw_log_warn("registry: %s: %s is in an earlier file, too: that one counts",
                            w->sources[i]->path, o->key);
                continue;
            }
            (void)gw_map_put(w->objects, gw_str_of(o->key), gw_object_ref(o));
            struct gw_object *old = gw_map_get(before, gw_str_of(o->key));
            if (old == NULL || !gw_object_equal(old, o)) {
                changes[n++] = (struct gw_change){.key = o->key, .object = o, .before = old};
            }
        }
    }
    while (gw_map_next(before, &at, &key, &value)) {
        if (gw_map_get(w->objects, key) == NULL) {
            struct gw_object *old = value;

            changes[n++] = (struct gw_change){.key = old->key, .before = old};
        }
    }
    if (n > 0 && w->changed != NULL) {
        w->changed(w->owner, changes, n);
    }
    free(changes);
    gw_map_free(before, free_object);
}

/* Their order counts, too: of two objects the first one wins. */
static bool
same_sources(struct source *const *a, size_t n_a, struct source *const *b, size_t n_b)
{
    bool same = n_a == n_b;

    for (size_t i = 0; same && i < n_a; i++) {
        same = a[i] == b[i];
    }
    return same;
}

/* patient: files may be in the middle of being written. */
static void
scan(struct gw_watch *w, bool patient)
{
    struct gw_paths files = {0};
    struct found found = {0};

    expand(w, &files);
    struct source **now = gw_mem_alloc((files.n + 1) * sizeof(struct source *));
    size_t n = 0;
    for (size_t i = 0; i < files.n; i++) {
        struct source *s = find_source(w, files.items[i]);

        if (s == NULL) {
            s = gw_mem_alloc(sizeof(*s));
            s->path = gw_mem_strdup(files.items[i]);
        }
        if (!s->listed) { /* a file may be named twice */
            s->listed = true;
            now[n++] = s;
            look_at(s, patient, &found);
        }
    }
    struct source **old = w->sources;
    size_t n_old = w->n;
    w->sources = now;
    w->n = n;
    found.news = found.news || !same_sources(old, n_old, now, n);
    if (found.news) {
        merge(w);
    }
    for (size_t i = 0; i < n_old; i++) {
        if (!old[i]->listed) {
            gw_log_info("registry: %s is gone, and its %zu objects", old[i]->path,
                        old[i]->objects.n);
            free_source(old[i]);
        }
    }
    for (size_t i = 0; i < n; i++) {
        now[i]->listed = false;
    }
    free(old);
    gw_paths_fini(&files);
    set_timer(w, found.again);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    scan(arg, true);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct gw_watch *w = arg;
    char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));

    (void)what;
    while (read(fd, events, sizeof(events)) > 0) {
        /* which file it was does not matter: they are few, and a scan looks at their times */
    }
    if (!w->soon) { /* never put off: where a folder is always busy, nothing would be seen */
        set_timer(w, true);
    }
}

struct gw_watch *
gw_watch_open(const char *const *paths, struct event_base *base, gw_watch_changed_fn *changed,
              void *owner)
{
    struct gw_watch *w = gw_mem_alloc(sizeof(*w));
    size_t n = 0;

    while (paths[n] != NULL) {
        n++;
    }
    w->paths = gw_mem_alloc((n + 1) * sizeof(char *));
    w->missing = gw_mem_alloc(n + 1);
    for (size_t i = 0; i < n; i++) {
        w->paths[i] = gw_mem_strdup(paths[i]);
    }
    w->objects = gw_map_of_values();
    w->timer = event_new(base, -1, 0, on_timer, w);
    assert(w->timer != NULL);
    w->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (w->inotify >= 0) {
        w->readable = event_new(base, w->inotify, EV_READ | EV_PERSIST, on_readable, w);
        assert(w->readable != NULL);
        (void)event_add(w->readable, NULL);
    } else {
        gw_log_warn("registry: no inotify (%s): files are looked at every %d s only",
                    strerror(errno), LOOK_MS / 1000);
    }
    scan(w, false);
    w->changed = changed;
    w->owner = owner;
    return w;
}

void
gw_watch_close(struct gw_watch *w)
{
    if (w == NULL) {
        return;
    }
    event_free(w->timer);
    if (w->readable != NULL) {
        event_free(w->readable);
        (void)close(w->inotify);
    }
    for (size_t i = 0; i < w->n; i++) {
        free_source(w->sources[i]);
    }
    free(w->sources);
    gw_map_free(w->objects, free_object);
    for (size_t i = 0; w->paths[i] != NULL; i++) {
        free(w->paths[i]);
    }
    free(w->paths);
    free(w->missing);
    free(w);
}

struct gw_object *
gw_watch_get(const struct gw_watch *w, const char *key)
{
    return w == NULL ? NULL : gw_map_get(w->objects, gw_str_of(key));
}

bool
gw_watch_next(const struct gw_watch *w, size_t *at, struct gw_object **o)
{
    void *value;

    if (w == NULL || !gw_map_next(w->objects, at, NULL, &value)) {
        return false;
    }
    *o = value;
    return true;
}

size_t
gw_watch_count(const struct gw_watch *w)
{
    return w == NULL ? 0 : gw_map_count(w->objects);
}
