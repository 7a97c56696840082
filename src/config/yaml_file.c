#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "config/yaml.h"

#define LARGEST ((size_t)64 << 20)

/* Reads fd to its end; false with errno, or with EFBIG. */
static bool
read_all(int fd, struct gw_buf *text)
{
    char piece[16384];

    for (;;) {
        ssize_t n = read(fd, piece, sizeof(piece));

        if (n == 0) {
            return true;
        }
        if (n < 0 && errno != EINTR) {
            return false;
        }
        gw_buf_add(text, piece, n > 0 ? (size_t)n : 0);
        if (text->n > LARGEST) {
            errno = EFBIG;
            return false;
        }
    }
}

static bool
read_file(struct gw_yaml *y, const char *file, gw_yaml_each_fn *each, void *arg,
          struct gw_diag *diag)
{
    bool from_stdin = strcmp(file, "-") == 0;
    const char *name = from_stdin ? "standard input" : file;
    struct gw_place at = {.file = name};
    struct gw_buf text = {0};
    bool good = false;

    *y = (struct gw_yaml){0};
    int fd = from_stdin ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        gw_diag_error(diag, at, "can't open it: %s", strerror(errno));
        return false;
    }
    if (read_all(fd, &text)) {
        good = gw_yaml_read_each(y, name, gw_buf_text(&text), each, arg, diag);
    } else if (errno == EFBIG) {
        gw_diag_error(diag, at, "it is larger than %zu MiB", LARGEST >> 20);
    } else {
        gw_diag_error(diag, at, "can't read it: %s", strerror(errno));
    }
    if (!from_stdin) {
        (void)close(fd);
    }
    gw_buf_fini(&text);
    return good;
}

bool
gw_yaml_read_file(struct gw_yaml *y, const char *file, struct gw_diag *diag)
{
    return read_file(y, file, NULL, NULL, diag);
}

bool
gw_yaml_each(const char *file, gw_yaml_each_fn *each, void *arg, struct gw_diag *diag)
{
    struct gw_yaml y;
    bool good = read_file(&y, file, each, arg, diag);

    gw_yaml_fini(&y);
    return good;
}
