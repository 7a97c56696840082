#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

static atomic_int most = GW_LOG_INFO;
static atomic_bool as_json;
static _Thread_local const char *part = "ksgate";

static const char *const level_names[] = {
    [GW_LOG_ERROR] = "error",
    [GW_LOG_WARN] = "warn",
    [GW_LOG_INFO] = "info",
    [GW_LOG_DEBUG] = "debug",
};

void
gw_log_name(const char *name)
{
    part = name;
}

void
gw_log_level(enum gw_log_level level)
{
    atomic_store_explicit(&most, (int)level, memory_order_relaxed);
}

bool
gw_log_json(bool on)
{
    return atomic_exchange_explicit(&as_json, on, memory_order_relaxed);
}

/* A message may quote what a client sent: it must not be able to forge a second line or to
 * speak to the reader's terminal. */
static void
add_visible(struct gw_buf *line, struct gw_str message)
{
    for (size_t i = 0; i < message.n; i++) {
        unsigned char c = (unsigned char)message.p[i];

        if (c == '\n') {
            gw_buf_puts(line, "\\n");
        } else if ((c < 0x20 && c != '\t') || c == 0x7f) {
            gw_buf_printf(line, "\\x%02x", (unsigned)c);
        } else {
            gw_buf_add(line, &message.p[i], 1);
        }
    }
}

static void
format_text(struct gw_buf *line, const char *level, struct gw_str message)
{
    gw_clock_rfc3339(line, gw_clock_wall_ms());
    gw_buf_printf(line, " %-5s %s: ", level, part);
    add_visible(line, message);
}

static void
format_json(struct gw_buf *line, const char *level, struct gw_str message)
{
    gw_buf_puts(line, "{\"time\":\"");
    gw_clock_rfc3339(line, gw_clock_wall_ms());
    gw_buf_printf(line, "\",\"level\":\"%s\",\"part\":", level);
    gw_buf_json(line, gw_str_of(part));
    gw_buf_puts(line, ",\"message\":");
    gw_buf_json(line, message);
    gw_buf_puts(line, "}");
}

/* A log that nobody can take (closed, full and non-blocking) is dropped: there is nowhere
 * left to say so. */
static void
write_line(struct gw_str line)
{
    while (line.n > 0) {
        ssize_t n = write(STDERR_FILENO, line.p, line.n);

        if (n < 0 && errno != EINTR) {
            return;
        }
        line = gw_str_skip(line, n > 0 ? (size_t)n : 0);
    }
}

void
gw_log_line(enum gw_log_level level, const char *fmt, ...)
{
    int saved = errno; /* callers log first and look at errno afterwards */
    struct gw_buf line = {0};
    char *message = NULL;
    va_list ap;

    if ((int)level > atomic_load_explicit(&most, memory_order_relaxed)) {
        return;
    }
    va_start(ap, fmt);
    if (vasprintf(&message, fmt, ap) < 0) {
        message = NULL;
    }
    va_end(ap);
    if (atomic_load_explicit(&as_json, memory_order_relaxed)) {
        format_json(&line, level_names[level], gw_str_of(message));
    } else {
        format_text(&line, level_names[level], gw_str_of(message));
    }
    gw_buf_add(&line, "\n", 1);
    write_line(gw_buf_text(&line));
    gw_buf_fini(&line);
    free(message);
    errno = saved;
}
