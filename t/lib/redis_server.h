/*
 * redis_server.h - a real redis-server for tests, on a unix socket in a folder of the test.
 */
#ifndef GW_T_REDIS_SERVER_H
#define GW_T_REDIS_SERVER_H

#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

struct redis_server {
    char folder[64];
    char socket[96];
    char url[128];
    pid_t pid; /* 0: not running */
};

static inline bool
redis_server_is_installed(void)
{
    return access("/usr/bin/redis-server", X_OK) == 0;
}

/* A connection of the test's own, or NULL: nobody answers there yet. */
static inline redisContext *
redis_server_try(const struct redis_server *r)
{
    redisContext *c = redisConnectUnix(r->socket);
    redisReply *reply = c == NULL || c->err != 0 ? NULL : redisCommand(c, "PING");

    if (reply == NULL || reply->type == REDIS_REPLY_ERROR) {
        freeReplyObject(reply);
        redisFree(c);
        return NULL;
    }
    freeReplyObject(reply);
    return c;
}

/* Starts it in a folder and waits until it answers.  name and value: another setting, or NULL. */
static inline void
redis_server_start(struct redis_server *r, const char *at, const char *name, const char *value)
{
    uint64_t end = gw_clock_mono_ms() + 15000;

    if (at != r->folder) { /* else: the same again */
        (void)snprintf(r->folder, sizeof(r->folder), "%s", at);
    }
    (void)snprintf(r->socket, sizeof(r->socket), "%s/redis.sock", at);
    (void)snprintf(r->url, sizeof(r->url), "unix:%s", r->socket);
    pid_t parent = getpid();
    r->pid = fork();
    assert_true(r->pid >= 0);
    if (r->pid == 0) {
        int log = open("/dev/null", O_WRONLY | O_CLOEXEC);
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent || log < 0 ||
            dup2(log, 1) < 0 || dup2(log, 2) < 0) {
            _exit(126);
        }
        execl("/usr/bin/redis-server", "redis-server", "--port", "0", "--unixsocket", r->socket,
              "--dir", at, "--save", "", name, value, (char *)NULL);
        _exit(127);
    }
    redisContext *c = NULL;
    while (c == NULL && gw_clock_mono_ms() < end) {
        c = redis_server_try(r);
        if (c == NULL) { /* it offers nothing to wait for but its answer */
            (void)nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
        }
    }
    if (c == NULL) {
        fail_msg("redis-server did not answer on %s", r->socket);
    }
    redisFree(c);
}

static inline void
redis_server_stop(struct redis_server *r, int signal)
{
    if (r->pid > 0) {
        assert_int_equal(kill(r->pid, signal), 0);
        assert_int_equal(waitpid(r->pid, NULL, 0), r->pid);
        (void)unlink(r->socket);
        r->pid = 0;
    }
}

/* Runs a command of words (ends with NULL) and gives its reply, to be freed. */
static inline redisReply *
redis_server_do(const struct redis_server *r, const char *const *words)
{
    redisContext *c = redis_server_try(r);
    const char *argv[16];
    int n = 0;

    assert_non_null(c);
    while (words[n] != NULL) {
        argv[n] = words[n];
        n++;
    }
    redisReply *reply = redisCommandArgv(c, n, argv, NULL);
    redisFree(c);
    assert_non_null(reply);
    if (reply->type == REDIS_REPLY_ERROR) {
        print_message("# %s: %s\n", words[0], reply->str);
    }
    return reply;
}

#define REDIS_DO(r, ...) \
    freeReplyObject(redis_server_do((r), (const char *const[]){__VA_ARGS__, NULL}))

#endif
