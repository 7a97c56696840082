/*
 * supervisor.c - the tiny parent (decision 9).
 *
 * Owns the listening sockets and the privileges, and nothing that can break: it parses no
 * request and opens no connection.  A server that dies is started again at once on the same
 * sockets; meanwhile new connections wait in the kernel's queue and are not refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "gateway/conf.h"
#include "server/cli.h"
#include "server/cli_util.h"
#include "server/inherit.h"
#include "server/lastgood.h"
#include "server/privilege.h"

/* A server that dies before it was ready will do so again: wait, longer each time. */
#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS   5000
/* Beyond timeouts.drain: then a server that does not end is killed. */
#define STOP_GRACE_MS 3000

struct supervisor {
    const struct gw_cli *cli;
    struct gw_inherit inherit;
    long long drain_ms;
    int signals; /* signalfd */
    int ready;   /* our end of the child's pipe; -1: none, or it has spoken */
    pid_t child;
    uint64_t started_ms;
    int backoff_ms;
    struct gw_lastgood lastgood;
    bool was_ready, stopping;
    uint64_t kill_ms; /* when to stop waiting; 0: not stopping */
    int code;
};

static void
keep_over_exec(int fd)
{
    if (fd >= 0) {
        fcntl(fd, F_SETFD, 0);
    }
}

/* In the child, up to the exec. */
static void
become_server(struct supervisor *s, pid_t parent)
{
    struct gw_buf env = {0};
    sigset_t held;
    char *argv[] = {(char *)(uintptr_t)s->cli->program, (char *)(uintptr_t) "-c",
                    (char *)(uintptr_t)s->cli->config, (char *)(uintptr_t) "server", NULL};

    /* What comes before the server listens to signals waits for it, instead of killing it. */
    sigemptyset(&held);
    sigaddset(&held, SIGHUP);
    sigaddset(&held, SIGTERM);
    sigaddset(&held, SIGINT);
    sigprocmask(SIG_SETMASK, &held, NULL);
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* an orphan drains and ends */
    if (getppid() != parent) {
        _exit(GW_EXIT_FAILED);
    }
    for (size_t i = 0; i < s->inherit.n_fds; i++) {
        keep_over_exec(s->inherit.fds[i]);
    }
    keep_over_exec(s->inherit.admin_fd);
    keep_over_exec(s->inherit.ready_fd);
    keep_over_exec(s->inherit.config_fd);
    gw_inherit_write(&s->inherit, &env);
    putenv(env.p); /* the process image is about to be replaced: nobody frees it */
    execv("/proc/self/exe", argv);
    gw_log_error("can't start the server process: %s", strerror(errno));
    _exit(GW_EXIT_FAILED);
}

static bool
start_server(struct supervisor *s)
{
    int pipe_fds[2];
    pid_t self = getpid();

    if (pipe2(pipe_fds, O_CLOEXEC) != 0) {
        gw_log_error("can't start the server process: %s", strerror(errno));
        return false;
    }
    s->inherit.ready_fd = pipe_fds[1];
    s->inherit.config_fd = gw_lastgood_choose(&s->lastgood, s->cli->config, s->backoff_ms > 0);
    s->child = fork();
    if (s->child == 0) {
        become_server(s, self);
    }
    close(pipe_fds[1]);
    if (s->inherit.config_fd >= 0) {
        close(s->inherit.config_fd);
    }
    s->ready = pipe_fds[0];
    s->started_ms = gw_clock_mono_ms();
    s->was_ready = false;
    if (s->child < 0) {
        gw_log_error("can't start the server process: %s", strerror(errno));
        close(s->ready);
        s->ready = -1;
        s->child = 0;
        return false;
    }
    return true;
}

static void
note_ready(struct supervisor *s)
{
    char byte;

    s->was_ready = read(s->ready, &byte, 1) == 1;
    close(s->ready);
    s->ready = -1;
    if (s->was_ready) {
        s->backoff_ms = 0;
        gw_lastgood_ready(&s->lastgood);
        gw_log_info("the server (pid %d) is ready after %llu ms", (int)s->child,
                    (unsigned long long)(gw_clock_mono_ms() - s->started_ms));
    }
}

static void
describe_end(char out[64], int status)
{
    if (WIFSIGNALED(status)) {
        (void)snprintf(out, 64, "was killed by signal %d (%s)", WTERMSIG(status),
                       strsignal(WTERMSIG(status)));
    } else {
        (void)snprintf(out, 64, "ended with code %d", WEXITSTATUS(status));
    }
}

static void
start_again(struct supervisor *s, const char *how)
{
    if (s->was_ready) {
        gw_log_error("the server %s: starting it again", how);
        s->backoff_ms = 0;
    } else {
        s->backoff_ms = s->backoff_ms == 0 ? BACKOFF_FIRST_MS : s->backoff_ms * 2;
        s->backoff_ms = s->backoff_ms > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : s->backoff_ms;
        gw_log_error("the server %s before it was ready: next try in %d ms", how, s->backoff_ms);
        return; /* the poll below waits */
    }
    if (!start_server(s)) {
        s->backoff_ms = BACKOFF_FIRST_MS;
    }
}

/* A first start that fails is the administrator's to see, not to be repeated for ever. */
static void
on_child_end(struct supervisor *s, int status, bool first)
{
    char how[64];

    if (s->ready >= 0) {
        note_ready(s);
    }
    s->child = 0;
    describe_end(how, status);
    if (s->stopping) {
        s->code = WIFEXITED(status) ? WEXITSTATUS(status) : GW_EXIT_FAILED;
        return;
    }
    if (first && !s->was_ready && WIFEXITED(status)) {
        gw_log_error("the server %s before it was ready", how);
        s->stopping = true;
        s->code = GW_EXIT_FAILED;
        return;
    }
    start_again(s, how);
}

static void
stop(struct supervisor *s)
{
    if (s->stopping) {
        if (s->child > 0) {
            kill(s->child, SIGTERM); /* asked twice: the server stops waiting, too */
        }
        return;
    }
    s->stopping = true;
    s->kill_ms = gw_clock_mono_ms() + (uint64_t)s->drain_ms + STOP_GRACE_MS;
    for (size_t i = 0; i < s->inherit.n_fds; i++) {
        close(s->inherit.fds[i]); /* the server accepts what is queued, then closes its own */
    }
    if (s->child > 0) {
        kill(s->child, SIGTERM);
    }
}

static void
on_signal(struct supervisor *s, bool *first)
{
    struct signalfd_siginfo info;
    int status;

    if (read(s->signals, &info, sizeof(info)) != (ssize_t)sizeof(info)) {
        return;
    }
    switch (info.ssi_signo) {
    case SIGCHLD:
        while (s->child > 0 && waitpid(s->child, &status, WNOHANG) == s->child) {
            on_child_end(s, status, *first);
            *first = false;
        }
        break;
    case SIGHUP:
        if (s->child > 0) {
            kill(s->child, SIGHUP);
        }
        break;
    case SIGTERM:
    case SIGINT:
        stop(s);
        break;
    default:
        break;
    }
}

static int
poll_ms(const struct supervisor *s)
{
    if (s->stopping) {
        uint64_t now = gw_clock_mono_ms();

        return s->kill_ms <= now ? 0 : (int)(s->kill_ms - now);
    }
    return s->child == 0 ? s->backoff_ms : -1;
}

static void
watch(struct supervisor *s)
{
    bool first = true;

    while (!(s->stopping && s->child == 0)) {
        struct pollfd fds[2] = {{.fd = s->signals, .events = POLLIN},
                                {.fd = s->ready, .events = POLLIN}};
        int n = poll(fds, s->ready >= 0 ? 2 : 1, poll_ms(s));

        if (n == 0 && s->stopping) {
            gw_log_error("the server does not stop: it is killed");
            kill(s->child, SIGKILL);
            s->kill_ms = gw_clock_mono_ms() + STOP_GRACE_MS;
        } else if (n == 0 && s->child == 0) {
            start_server(s);
        }
        if (s->ready >= 0 && fds[1].revents != 0) {
            note_ready(s);
            first = first && !s->was_ready;
        }
        if (n > 0 && fds[0].revents != 0) {
            on_signal(s, &first);
        }
    }
}

static bool
open_all(struct supervisor *s, const struct gw_conf *conf)
{
    const struct gw_settings *settings = &conf->settings;
    struct gw_account account;
    char why[200];

    if (gw_privilege_find(&account, settings, why) && gw_privilege_prepare(&account, conf, why) &&
        gw_inherit_open(&s->inherit, settings, why)) {
        /* The socket's mode speaks of its owner: that is who the server runs as. */
        if (account.change && s->inherit.admin_fd >= 0 &&
            chown(settings->admin.socket, account.uid, account.gid) != 0) {
            gw_log_warn("the admin socket stays root's: %s", strerror(errno));
        }
        gw_privilege_open_files(settings);
        s->drain_ms = settings->timeouts.drain;
        return true;
    }
    gw_log_error("%s", why);
    return false;
}

int
gw_cli_serve(const struct gw_cli *cli)
{
    struct supervisor s = {.cli = cli, .ready = -1};
    struct gw_diag diag = {0};
    struct gw_conf *conf = gw_conf_read(cli->config, &diag);
    sigset_t set;

    gw_log_name("supervisor");
    if (conf == NULL) {
        (void)gw_cli_findings(&diag);
        (void)fprintf(stderr, "%s: %s is not usable: nothing was started\n", cli->program,
                      cli->config);
        return GW_EXIT_FAILED;
    }
    gw_diag_fini(&diag); /* warnings: the server finds them again, and logs them */
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    s.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (!open_all(&s, conf) || !start_server(&s)) {
        gw_lastgood_fini(&s.lastgood);
        gw_conf_unref(conf);
        return GW_EXIT_FAILED;
    }
    watch(&s);
    if (s.inherit.admin_fd >= 0) {
        unlink(conf->settings.admin.socket);
    }
    gw_lastgood_fini(&s.lastgood);
    gw_conf_unref(conf);
    return s.code;
}
