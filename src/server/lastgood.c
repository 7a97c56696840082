#include "server/lastgood.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "gateway/conf.h"

#define FILE_MAX ((size_t)64 * 1024 * 1024) /* as gw_yaml_read_file() */

static void
read_text(struct gw_buf *out, const char *file)
{
    char block[4096];
    ssize_t n = 0;
    int fd = open(file, O_RDONLY | O_CLOEXEC);

    gw_buf_reset(out);
    while (fd >= 0 && out->n < FILE_MAX && (n = read(fd, block, sizeof(block))) > 0) {
        gw_buf_add(out, block, (size_t)n);
    }
    if (fd >= 0) {
        close(fd);
    }
}

static bool
is_usable(const char *file)
{
    struct gw_diag diag = {0};
    struct gw_conf *conf = gw_conf_read(file, &diag);
    struct gw_buf text = {0};

    if (conf == NULL) {
        gw_diag_format(&diag, &text);
        gw_log_error("the configuration file is not usable now: %s", text.n > 0 ? text.p : file);
    }
    gw_buf_fini(&text);
    gw_diag_fini(&diag);
    gw_conf_unref(conf);
    return conf != NULL;
}

/* A file without a name: nobody can edit it. */
static int
as_file(const struct gw_buf *text)
{
    int fd = memfd_create("ksgate.yaml", MFD_CLOEXEC);

    if (fd >= 0 && (write(fd, text->p, text->n) != (ssize_t)text->n || lseek(fd, 0, SEEK_SET))) {
        close(fd);
        fd = -1;
    }
    return fd;
}

int
gw_lastgood_choose(struct gw_lastgood *g, const char *file, bool failed_before)
{
    read_text(&g->tried, file);
    g->kept = false;
    if (g->good.n == 0 || gw_str_eq(gw_buf_text(&g->good), gw_buf_text(&g->tried)) ||
        (!failed_before && is_usable(file))) {
        return -1;
    }
    int fd = as_file(&g->good);
    if (fd >= 0) {
        g->kept = true;
        gw_log_warn("starting with the configuration that worked before; mend %s, then reload",
                    file);
    }
    return fd;
}

void
gw_lastgood_ready(struct gw_lastgood *g)
{
    if (!g->kept) {
        gw_buf_reset(&g->good);
        gw_buf_str(&g->good, gw_buf_text(&g->tried));
    }
}

void
gw_lastgood_fini(struct gw_lastgood *g)
{
    gw_buf_fini(&g->good);
    gw_buf_fini(&g->tried);
}
