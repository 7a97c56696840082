/*
 * log.h - what the operator reads: one line per event, on stderr.
 *
 * Levels as in syslog's everyday subset.  A line says what, why and what to do; it
 * never holds a secret.  Any thread may call it; a line is written by one write().
 */
#ifndef GW_BASE_LOG_H
#define GW_BASE_LOG_H

#include <stdbool.h>

enum gw_log_level {
    GW_LOG_ERROR,
    GW_LOG_WARN,
    GW_LOG_INFO,
    GW_LOG_DEBUG
};

/* Names the process part in each line: "supervisor", "server", "worker-1". */
void gw_log_name(const char *name); /* this thread's; borrowed for ever */
void gw_log_level(enum gw_log_level level);
bool gw_log_json(bool on); /* JSON lines instead of text; returns what it was */

#define gw_log_error(...) gw_log_line(GW_LOG_ERROR, __VA_ARGS__)
#define gw_log_warn(...)  gw_log_line(GW_LOG_WARN, __VA_ARGS__)
#define gw_log_info(...)  gw_log_line(GW_LOG_INFO, __VA_ARGS__)
#define gw_log_debug(...) gw_log_line(GW_LOG_DEBUG, __VA_ARGS__)

void gw_log_line(enum gw_log_level level, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
