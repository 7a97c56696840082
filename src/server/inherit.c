#include "server/inherit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/listener.h"

static bool
open_admin(struct gw_inherit *h, const struct gw_settings *s, char why[200])
{
    if (s->admin.socket == NULL || s->admin.socket[0] == '\0') {
        return true;
    }
    h->admin_fd =
        gw_listener_bind_unix(s->admin.socket, (unsigned)strtoul(s->admin.mode, NULL, 8), why);
    return h->admin_fd >= 0;
}

bool
gw_inherit_open(struct gw_inherit *h, const struct gw_settings *s, char why[200])
{
    const struct gw_listener_settings *list = s->listeners.items;

    h->n_fds = 0;
    h->admin_fd = h->ready_fd = h->config_fd = -1;
    if (s->listeners.n * s->n_workers > GW_INHERIT_FDS) {
        (void)snprintf(why, 200, "listeners times workers may not exceed %d", GW_INHERIT_FDS);
        return false;
    }
    for (size_t i = 0; i < s->listeners.n; i++) {
        for (unsigned k = 0; k < s->n_workers; k++) {
            int fd = gw_listener_bind(list[i].address, k == 0, why);

            if (fd < 0) {
                return false;
            }
            h->fds[h->n_fds++] = fd;
        }
    }
    return open_admin(h, s, why);
}

void
gw_inherit_write(const struct gw_inherit *h, struct gw_buf *out)
{
    gw_buf_puts(out, GW_INHERIT_ENV "=listen=");
    for (size_t i = 0; i < h->n_fds; i++) {
        gw_buf_printf(out, "%s%d", i == 0 ? "" : ",", h->fds[i]);
    }
    gw_buf_printf(out, " admin=%d ready=%d config=%d", h->admin_fd, h->ready_fd, h->config_fd);
}

/* A descriptor that is open, closed again on any further exec. */
static bool
take_fd(struct gw_str text, int *fd)
{
    uint64_t n;

    if (gw_str_eq(text, GW_STR("-1"))) {
        *fd = -1;
        return true;
    }
    if (!gw_str_u64(text, &n) || n > 65535 || fcntl((int)n, F_SETFD, FD_CLOEXEC) != 0) {
        return false;
    }
    *fd = (int)n;
    return true;
}

static bool
take_list(struct gw_inherit *h, struct gw_str list)
{
    while (list.n > 0) {
        if (h->n_fds == GW_INHERIT_FDS || !take_fd(gw_str_cut(&list, ','), &h->fds[h->n_fds++])) {
            return false;
        }
    }
    return true;
}

bool
gw_inherit_read(struct gw_inherit *h)
{
    struct gw_str rest = gw_str_of(getenv(GW_INHERIT_ENV));

    *h = (struct gw_inherit){.admin_fd = -1, .ready_fd = -1, .config_fd = -1};
    if (rest.n == 0) {
        return false;
    }
    while (rest.n > 0) {
        struct gw_str value = gw_str_cut(&rest, ' ');
        struct gw_str name = gw_str_cut(&value, '=');
        bool ok = gw_str_eq(name, GW_STR("listen"))   ? take_list(h, value)
                  : gw_str_eq(name, GW_STR("admin"))  ? take_fd(value, &h->admin_fd)
                  : gw_str_eq(name, GW_STR("ready"))  ? take_fd(value, &h->ready_fd)
                  : gw_str_eq(name, GW_STR("config")) ? take_fd(value, &h->config_fd)
                                                      : false;
        if (!ok) {
            return false;
        }
    }
    return true;
}
