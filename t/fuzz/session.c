/* Any bytes from two clients and their backends, in any order, with pauses, ends, reloads and
 * changes between them.  The input is a script, a letter for each thing that happens; see steps.
 * Whatever happens, a backend reads whole requests and a client whole answers, nothing but the
 * gateway says who asks, and in the end nothing is left open. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/conf.h"
#include "gateway/session.h"
#include "gateway/upstream.h"
#include "t/lib/http_stream.h"
#include "t/lib/own_clock.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define CLIENTS  2
#define BACKENDS 16
#define BUFFER   4096 /* of a client's socket: answers soon wait */
#define FILLER   1024
#define BUDGET   ((size_t)2 << 20) /* bytes of one run, so that it ends soon */

/* The other end of a connection of the gateway. */
struct end {
    int fd; /* 0: closed */
    bool deaf;
    struct stream said, heard;
};

static struct gw_loop *loop;
static struct gw_world *world;
static struct gw_sessions sessions;
static struct gw_conf *confs[2];
static struct gw_batch *batches[2];
static char dir[] = "/tmp/ksgate-fuzz-XXXXXX";
static int listeners[2];
static struct end clients[CLIENTS], backends[BACKENDS];
static struct end *client, *backend; /* whom the script speaks of */
static size_t budget;

static const struct gw_parse_limits same = {
    .head_bytes = 8192, .target_bytes = 2048, .headers = 40};
static const struct gw_parse_limits ample = {
    .head_bytes = 65536, .target_bytes = 65536, .headers = 200};

/* -- the world ----------------------------------------------------------------------------------
 */

static struct gw_conf *
load(const char *core, const char *more)
{
    struct gw_diag diag = {0};
    char path[64];

    (void)snprintf(path, sizeof(path), "%s/ksgate.yaml", dir);
    FILE *f = fopen(path, "we");
    assert(f != NULL);
    (void)fprintf(f,
                  "listeners: [{address: '127.0.0.1:1'}]\n"
                  "core: {url: 'unix:%s/%s', console: 'unix:%s/a'}\n"
                  "authorization: {mode: allow_all}\n"
                  "log: {access: 'off', level: error}\n"
                  "timeouts: {tunnel_idle: 60s}\n%s",
                  dir, core, dir, more);
    (void)fclose(f);
    struct gw_conf *c = gw_conf_load(path, &diag);
    if (c == NULL) {
        (void)fprintf(stderr, "%s\n", gw_diag_first(&diag));
    }
    gw_diag_fini(&diag);
    unlink(path);
    assert(c != NULL);
    return c;
}

/* The extension x with two backends. */
static struct gw_batch *
batch(const char *one, const char *two, const char *more)
{
    struct gw_diag diag = {0};
    struct gw_change change = {.revision = 1};
    char text[512];

    (void)snprintf(text, sizeof(text),
                   "{\"apiVersion\": \"ksgate.io/v1\", \"kind\": \"ExtensionService\","
                   "\"metadata\": {\"name\": \"x\"}, \"spec\": {\"access\": \"public\","
                   "\"endpoints\": [{\"url\": \"unix:%s/%s\"}, {\"url\": \"unix:%s/%s\"}],"
                   "%s}}",
                   dir, one, dir, two, more);
    json_t *json = json_loads(text, 0, NULL);
    change.object = gw_object_new(json, NULL, &diag);
    assert(change.object != NULL);
    change.key = change.object->key;
    struct gw_batch *b = gw_batch_compile(NULL, &change, 1, 1, true, &diag);
    assert(b->n >= 1 && b->items[0].piece != NULL);
    gw_object_unref(change.object);
    json_decref(json);
    gw_diag_fini(&diag);
    return b;
}

static int
listen_at(const char *name)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    (void)snprintf(un.sun_path, sizeof(un.sun_path), "%s/%s", dir, name);
    bool ok = bind(fd, (struct sockaddr *)&un, sizeof(un)) == 0 && listen(fd, BACKENDS) == 0;
    assert(ok);
    return fd;
}

static void
clean_up(void)
{
    char path[64];

    for (const char *name = "ab"; *name != '\0'; name++) {
        (void)snprintf(path, sizeof(path), "%s/%c", dir, *name);
        unlink(path);
    }
    rmdir(dir);
}

/* Once. */
static void
set_up(void)
{
    bool ok = mkdtemp(dir) != NULL;
    assert(ok);
    (void)atexit(clean_up);
    (void)signal(SIGPIPE, SIG_IGN); /* as the program does: splice() to who has gone raises it */
    listeners[0] = listen_at("a");
    listeners[1] = listen_at("b");
    confs[0] = load("a", "limits: {head: 8KiB, target: 2KiB, headers: 40}\n");
    confs[1] = load("b", "limits: {head: 8KiB, target: 2KiB, headers: 40, body: 30KiB, pool: 1}\n"
                         "trusted_proxies: ['::/128']\n");
    batches[0] = batch("a", "b", "\"path\": {\"prepend\": \"/app\"}, \"retry\": {\"attempts\": 2}");
    batches[1] = batch("b", "none", "\"limits\": {\"connections\": 1}");
    loop = gw_loop_new();
    event_del(loop->tick); /* the wheel turns when the script says so */
    world = gw_world_new(0, loop, &world, 1);
    sessions.world = world;
}

/* -- both ends ----------------------------------------------------------------------------------
 */

static void
hang_up(struct end *e)
{
    if (e->fd != 0) {
        close(e->fd);
    }
    stream_fini(&e->said);
    stream_fini(&e->heard);
    *e = (struct end){.fd = 0};
}

static void
open_client(struct end *e)
{
    const struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
    const int small = BUFFER;
    int pair[2];

    hang_up(e);
    bool ok = socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0 &&
              setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)) == 0;
    assert(ok);
    *e = (struct end){.fd = pair[0],
                      .said = {.kind = GW_PARSE_REQUEST, .limits = &same, .lenient = true},
                      .heard = {.kind = GW_PARSE_RESPONSE, .limits = &ample, .asked = &e->said}};
    gw_session_open(&sessions, pair[1], &peer, false);
}

/* Does a backend that folds names take it for one that says who asks?  Kept apart from
 * gw_header_is_identity(), to be of another opinion when that is wrong. */
static bool
says_who(struct gw_str name)
{
    static const char *const names[] = {"x-remote-user",    "x-remote-uid", "x-remote-group",
                                        "x-remote-extra-*", "x-ksgate-*",   "impersonate-*"};
    struct gw_edits all = {0};
    struct gw_str rule;
    char folded[64] = "";

    for (size_t i = 0; i < name.n && i < sizeof(folded) - 1; i++) {
        folded[i] = (char)(name.p[i] == '_' || name.p[i] == '.' ? '-' : name.p[i]);
    }
    all.remove = &rule;
    all.n_remove = 1;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        rule = gw_str_of(names[i]);
        if (gw_edits_removes(&all, gw_str_of(folded))) {
            return true;
        }
    }
    return false;
}

static void
check_identity(const struct gw_head *head)
{
    for (unsigned i = 0; i < head->headers.n; i++) {
        const struct gw_header *h = &head->headers.list[i];

        assert(!says_who(h->name) || gw_str_eq(h->value, GW_STR("system:anonymous")) ||
               gw_str_eq(h->value, GW_STR("system:unauthenticated")));
    }
}

static void
accept_from(int listener)
{
    for (unsigned i = 0; i < BACKENDS; i++) {
        struct end *e = &backends[i];

        if (e->fd != 0) {
            continue;
        }
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            return;
        }
        *e = (struct end){
            .fd = fd,
            .heard = {.kind = GW_PARSE_REQUEST, .limits = &ample, .on_head = check_identity}};
        backend = e;
    }
}

static void
listen_to(struct end *e)
{
    static char bytes[1 << 16];
    ssize_t n = 1;

    while (e->fd != 0 && !e->deaf && n > 0) {
        n = read(e->fd, bytes, sizeof(bytes));
        if (n > 0) {
            stream_feed(&e->heard, bytes, (size_t)n);
        } else if (n == 0 || errno != EAGAIN) {
            hang_up(e);
        }
    }
}

static void
turn(void)
{
    own_now_us += 100;
    event_base_loop(loop->base, EVLOOP_NONBLOCK);
    accept_from(listeners[0]);
    accept_from(listeners[1]);
    for (unsigned i = 0; i < CLIENTS; i++) {
        listen_to(&clients[i]);
    }
    for (unsigned i = 0; i < BACKENDS; i++) {
        listen_to(&backends[i]);
    }
}

static void
pass_time(uint64_t ms)
{
    own_now_us += ms * 1000;
    gw_loop_turn(loop);
    gw_wheel_run(&loop->wheel, gw_loop_now_ms(loop));
}

static void
say(struct end *e, const char *p, size_t n)
{
    n = n < budget ? n : budget;
    ssize_t sent = e->fd == 0 ? -1 : send(e->fd, p, n, MSG_NOSIGNAL);

    if (sent > 0) {
        budget -= (size_t)sent;
        if (e == client) {
            stream_feed(&e->said, p, (size_t)sent);
        }
    }
}

static void
say_filler(struct end *e, size_t n)
{
    static char bytes[FILLER * 256];

    memset(bytes, 'x', sizeof(bytes));
    say(e, bytes, n * FILLER);
}

static void
use(unsigned conf)
{
    gw_world_use(world, confs[conf % 2]);
    gw_world_apply(world, batches[conf / 2 % 2]);
}

/* -- the script ---------------------------------------------------------------------------------
 */

/* A letter and a number; texts have as many bytes as that says.  Returns what is left. */
static struct gw_str
step(char what, unsigned char n, struct gw_str rest)
{
    size_t text = n < rest.n ? n : rest.n;

    switch (what) {
    case 'c': /* the client says something */
        say(client, rest.p, text);
        return gw_str_skip(rest, text);
    case 'b': /* the backend does */
        say(backend, rest.p, text);
        return gw_str_skip(rest, text);
    case 'f':
        say_filler(client, n);
        break;
    case 'g':
        say_filler(backend, n);
        break;
    case 'n': /* another client, or a new one */
        client = &clients[n % CLIENTS];
        if (client->fd == 0 || n >= 128) {
            open_client(client);
        }
        break;
    case 'e': /* another of the backend's connections */
        backend = &backends[n % BACKENDS];
        break;
    case 'h':
        shutdown(client->fd, SHUT_WR);
        break;
    case 'i':
        shutdown(backend->fd, SHUT_WR);
        break;
    case 'q':
        hang_up(client);
        break;
    case 'r':
        hang_up(backend);
        break;
    case 'd':
        client->deaf = n % 2 != 0;
        break;
    case 'k':
        backend->deaf = n % 2 != 0;
        break;
    case 'w': /* time passes */
        pass_time((uint64_t)n * 100);
        break;
    case 'v': /* the configuration and the objects are others */
        use(n);
        break;
    case 'z':
        gw_sessions_drain(&sessions);
        break;
    case 'x':
        gw_sessions_close(&sessions);
        break;
    default:
        turn();
    }
    return rest;
}

/* Everybody leaves; then every deadline passes. */
static void
end_all(void)
{
    const struct gw_world_stats *stats = gw_world_stats(world);

    for (unsigned i = 0; i < CLIENTS; i++) {
        hang_up(&clients[i]);
    }
    for (unsigned i = 0; i < BACKENDS; i++) {
        backends[i].deaf = false;
    }
    for (unsigned i = 0; i < 8; i++) {
        turn();
        pass_time(100000);
    }
    turn();
    assert(sessions.all == NULL && sessions.count == 0);
    assert(stats->connections == 0 && stats->idle == 0 && stats->requests == 0);
    assert(stats->tunnels == 0 && stats->backend_connections == 0 && stats->backend_idle == 0);
    assert(gw_world_core(world)->busy == 0 && gw_world_core(world)->open == 0);
    for (unsigned i = 0; i < BACKENDS; i++) {
        assert(backends[i].fd == 0); /* its end was seen */
    }
}

static int
lowest_free(void)
{
    int fd = dup(0);

    close(fd);
    return fd;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct gw_str rest = {(const char *)data, n};

    if (world == NULL) {
        set_up();
    }
    int free_before = lowest_free();

    budget = BUDGET;
    sessions.draining = false;
    use(0);
    backend = &backends[0];
    client = &clients[0];
    open_client(client);
    while (rest.n >= 2) {
        char what = rest.p[0];
        unsigned char number = (unsigned char)rest.p[1];

        rest = step((char)(what & 0x7f), number, gw_str_skip(rest, 2));
        if ((what & 0x80) == 0) { /* else the next comes in the same moment */
            turn();
            turn();
        }
    }
    end_all();
    struct gw_pipes *pipes = &gw_world_loop(world)->pipes;
    assert(pipes->n_lent == 0);
    gw_pipes_close(pipes); /* those at hand may have come into a gap among the others */
    assert(lowest_free() == free_before);
    return 0;
}
