#include "server/descriptors.h"

#include <dirent.h>
#include <sys/resource.h>

#include "base/log.h"
#include "net/pipe.h"

/* Beyond what is open already: the registry's files, key and log files while they are replaced,
 * an epoll and a mailbox for each worker, the first few health checks, and the admin socket's
 * connections. */
#define RESERVE            48
#define RESERVE_PER_WORKER 8
/* Health checks at a time: a small part of all there may be open, and not more than helps. */
#define CHECKS_PART  64
#define CHECKS_LEAST 4
#define CHECKS_MOST  256
/* A server for fewer clients than this is not one. */
#define LEAST 8
/* Of one worker: all that it lends and keeps. */
#define PIPES ((rlim_t)(GW_PIPES_LENT + GW_PIPES_SPARE))

static rlim_t
count_open(void)
{
    DIR *d = opendir("/proc/self/fd");
    rlim_t n = 0;

    if (d == NULL) {
        return 64; /* a guess for systems without it */
    }
    while (readdir(d) != NULL) {
        n++;
    }
    closedir(d);
    return n;
}

static rlim_t
raise_limit(rlim_t wanted)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) != 0) {
        return 1024;
    }
    if (r.rlim_cur < wanted && r.rlim_cur < r.rlim_max) {
        r.rlim_cur = wanted < r.rlim_max ? wanted : r.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &r) != 0 && getrlimit(RLIMIT_NOFILE, &r) != 0) {
            return 1024;
        }
    }
    return r.rlim_cur;
}

static rlim_t
checks_of(rlim_t files)
{
    rlim_t n = files / CHECKS_PART;

    return n < CHECKS_LEAST ? CHECKS_LEAST : n < CHECKS_MOST ? n : CHECKS_MOST;
}

struct gw_descriptors
gw_descriptors_prepare(const struct gw_settings *s)
{
    rlim_t n = s->n_workers;
    rlim_t reserve = count_open() + RESERVE + RESERVE_PER_WORKER * n;
    rlim_t wanted = 2 * (rlim_t)s->limits.connections + 2 * PIPES * n + reserve;

    wanted += checks_of(wanted) - CHECKS_LEAST;
    rlim_t have = raise_limit(wanted);
    rlim_t checks = checks_of(have);
    reserve += checks - CHECKS_LEAST;
    rlim_t left = have > reserve ? have - reserve : 0;
    rlim_t pipes = left / 4 / 2 / n; /* a quarter for them, two each */

    pipes = pipes < PIPES ? pipes : PIPES;
    pipes = pipes > 0 ? pipes : 1;
    left = left > 2 * pipes * n ? left - 2 * pipes * n : 0;
    rlim_t clients = left / 2 > LEAST * n ? left / 2 : LEAST * n;
    if (have < wanted) {
        gw_log_warn("limits.connections is %lld, but only %llu files may be open: %llu client "
                    "connections are possible; raise the limit of open files to %llu (LimitNOFILE= "
                    "of a systemd unit, ulimit -n)",
                    s->limits.connections, (unsigned long long)have, (unsigned long long)clients,
                    (unsigned long long)wanted);
    }
    return (struct gw_descriptors){
        .clients = (size_t)(clients / n), .pipes = (unsigned)pipes, .checks = (unsigned)checks};
}
