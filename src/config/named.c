#include "config/named.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/map.h"
#include "base/mem.h"
#include "config/schema.h"

#define LARGEST ((size_t)1 << 20)

/* Of a pipe or a device, nothing: to look would take away what is there for somebody else. */
static int
open_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;

    if (fd >= 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))) {
        (void)close(fd);
        errno = ENOTSUP;
        return -1;
    }
    return fd;
}

struct gw_file_look
gw_file_look_at(const char *path)
{
    struct gw_file_look look = {0};
    int fd = open_file(path);
    char *bytes = fd < 0 ? NULL : gw_mem_alloc(LARGEST);
    size_t n = 0;
    ssize_t got = fd < 0 ? -1 : 1;

    while (got > 0 && n < LARGEST) {
        got = read(fd, bytes + n, LARGEST - n);
        n += got > 0 ? (size_t)got : 0;
    }
    if (got < 0) {
        look.error = errno;
    } else {
        gw_hash128((struct gw_str){bytes, n}, look.hash);
    }
    if (fd >= 0) {
        (void)close(fd);
        explicit_bzero(bytes, n); /* it may be a key */
    }
    free(bytes);
    return look;
}

void
gw_named_add(struct gw_named **list, struct gw_arena *a, const char *path)
{
    while (*list != NULL && strcmp((*list)->path, path) != 0) {
        list = &(*list)->next;
    }
    if (*list == NULL) {
        *list = gw_arena_alloc(a, sizeof(**list));
        **list = (struct gw_named){.path = path, .look = gw_file_look_at(path)};
    }
}

static void
note_file(struct gw_loader *l, const char *path)
{
    if (l->named != NULL && path[0] != '\0') {
        gw_named_add(l->named, l->arena, path);
    }
}

bool
gw_set_file(struct gw_loader *l, void *field, const json_t *value, const struct gw_setting *row,
            const char *path)
{
    bool good = gw_set_text(l, field, value, row, path);

    if (good) {
        note_file(l, *(const char **)field);
    }
    return good;
}

bool
gw_set_file_list(struct gw_loader *l, void *field, const json_t *value,
                 const struct gw_setting *row, const char *path)
{
    bool good = gw_set_text_list(l, field, value, row, path);

    for (const char *const *p = good ? *(const char *const **)field : NULL; p != NULL && *p != NULL;
         p++) {
        note_file(l, *p);
    }
    return good;
}
