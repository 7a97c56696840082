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

static const char *
name_of(const char *file)
{
    return strcmp(file, "-") == 0 ? "standard input" : file;
}

bool
gw_yaml_file_text(struct gw_buf *text, const char *file, struct gw_diag *diag)
{
    bool from_stdin = strcmp(file, "-") == 0;
    struct gw_place at = {.file = name_of(file)};
    int fd = from_stdin ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        gw_diag_error(diag, at, "can't open it: %s", strerror(errno));
        return false;
    }
    bool good = read_all(fd, text);
    if (!good && errno == EFBIG) {
        gw_diag_error(diag, at, "it is larger than %zu MiB", LARGEST >> 20);
    } else if (!good) {
        gw_diag_error(diag, at, "can't read it: %s", strerror(errno));
    }
    if (!from_stdin) {
        (void)close(fd);
    }
    return good;
}

static bool
read_file(struct gw_yaml *y, const char *file, gw_yaml_each_fn *each, void *arg,
          struct gw_diag *diag)
{
    struct gw_buf text = {0};

    *y = (struct gw_yaml){0};
    bool good = gw_yaml_file_text(&text, file, diag) &&
                gw_yaml_read_each(y, name_of(file), gw_buf_text(&text), each, arg, diag);
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
