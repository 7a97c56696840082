#include "net/redis.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <event2/dns.h>
#include <event2/util.h>
#include <hiredis/async.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/redis_link.h"
#include "net/redis_url.h"

#define FIRST_PAUSE_MS   100
#define LONGEST_PAUSE_MS 2000
#define STEADY_MS        5000 /* up for so long: the next pause is the first one again */

enum state {
    CONNECTING,
    UP,
    PAUSING
};

struct command {
    struct command *next;
    gw_redis_done_fn *done;
    void *arg;
    uint64_t deadline_ms; /* mono */
    char *wire;           /* hiredis' memory; NULL once it was handed over */
    size_t n;
    bool with_hiredis; /* its callback will come, with or without a reply */
    bool answered;
};

/* One question to the resolver; outlives the gw_redis that asked. */
struct lookup {
    struct gw_redis *r; /* NULL: nobody wants to know any more */
};

struct gw_redis {
    struct gw_redis_url url;
    char *password_file, *password;
    uint64_t timeout_ms;
    size_t reply_bytes;
    struct event_base *base;
    struct gw_redis_events events;
    void *owner;
    enum state state;
    struct gw_redis_link *link; /* NULL: none */
    int hellos;                 /* answers that are missing before it is up */
    struct command *first, **last;
    struct event *timer;    /* of the state: connect deadline, or end of the pause */
    struct event *deadline; /* of the commands */
    struct evdns_base *dns;
    struct lookup *lookup;
    char address[INET6_ADDRSTRLEN]; /* what the name stands for */
    unsigned tries;
    uint64_t up_ms;
    char why[256];
    bool sent;     /* the command that is being answered */
    unsigned busy; /* calls into our owner that have not come back */
    bool closed;
};

static void fail(struct gw_redis *r, const char *text);

static void
set_timer(struct event *e, uint64_t ms)
{
    struct timeval tv = {.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};

    (void)event_add(e, &tv);
}

static void
enter(struct gw_redis *r)
{
    r->busy++;
}

/* The last one out frees it. */
static void
leave(struct gw_redis *r)
{
    if (--r->busy > 0 || !r->closed) {
        return;
    }
    gw_redis_url_fini(&r->url);
    free(r->password_file);
    if (r->password != NULL) {
        explicit_bzero(r->password, strlen(r->password));
        free(r->password);
    }
    free(r);
}

/* hiredis keeps the command until it has called back. */
static void
drop(struct command *c)
{
    if (!c->with_hiredis) {
        free(c);
    }
}

static void
on_reply(redisAsyncContext *ac, void *reply, void *arg)
{
    struct command *c = arg;
    struct gw_redis_link *link = ac->data;

    c->with_hiredis = false;
    if (c->answered) {
        free(c);
        return;
    }
    if (reply == NULL) {
        return; /* the connection is going down; fail() answers */
    }
    struct gw_redis *r = gw_redis_link_owner(link);
    assert(r != NULL && r->first == c); /* Redis answers in order */
    gw_redis_link_begin_reply(link);
    r->first = c->next;
    if (r->first == NULL) {
        r->last = &r->first;
    }
    enter(r);
    c->done(c->arg, reply, NULL);
    leave(r);
    free(c);
}

static void
hand_over(struct gw_redis *r, struct command *c)
{
    c->with_hiredis = true;
    if (redisAsyncFormattedCommand(gw_redis_link_context(r->link), on_reply, c, c->wire, c->n) !=
        REDIS_OK) {
        c->with_hiredis = false; /* its deadline ends the connection */
    }
    redisFreeCommand(c->wire);
    c->wire = NULL;
}

static void
answer_all(struct gw_redis *r, const char *text)
{
    while (r->first != NULL) {
        struct command *c = r->first;

        r->first = c->next;
        if (r->first == NULL) {
            r->last = &r->first;
        }
        c->answered = true;
        r->sent = c->wire == NULL;
        if (!r->sent) {
            redisFreeCommand(c->wire);
        }
        c->done(c->arg, NULL, text);
        drop(c);
    }
}

static void
forget_lookup(struct gw_redis *r)
{
    if (r->lookup != NULL) {
        r->lookup->r = NULL;
        r->lookup = NULL;
    }
    if (r->dns != NULL) {
        evdns_base_free(r->dns, 1);
        r->dns = NULL;
    }
}

/* 100 ms, 200 ms ... 2 s, each between its half and its whole: a fleet must not come back in
 * step. */
static uint64_t
pause_ms(struct gw_redis *r)
{
    uint64_t whole = LONGEST_PAUSE_MS;
    uint16_t random;

    if (r->tries < 8 && ((uint64_t)FIRST_PAUSE_MS << r->tries) < whole) {
        whole = (uint64_t)FIRST_PAUSE_MS << r->tries;
    }
    r->tries++;
    evutil_secure_rng_get_bytes(&random, sizeof(random));
    return whole / 2 + random % (whole / 2);
}

/* Ends the connection, or the try to make one. */
static void
fail(struct gw_redis *r, const char *text)
{
    if (r->closed || r->state == PAUSING) {
        return;
    }
    if (r->state == UP && gw_clock_mono_ms() - r->up_ms > STEADY_MS) {
        r->tries = 0;
    }
    r->state = PAUSING;
    (void)snprintf(r->why, sizeof(r->why), "%s: %s", r->url.text, text);
    struct gw_redis_link *link = r->link;
    r->link = NULL;
    set_timer(r->timer, pause_ms(r));

    enter(r);
    answer_all(r, r->why);
    gw_redis_link_free(link);
    if (!r->closed && r->events.down != NULL) {
        r->events.down(r->owner, r->why);
    }
    leave(r);
}

static void
on_link_down(void *owner, const char *text)
{
    fail(owner, text);
}

static void
on_hello(redisAsyncContext *ac, void *arg_reply, void *arg)
{
    struct gw_redis *r = gw_redis_link_owner(ac->data);
    const redisReply *reply = arg_reply;

    (void)arg;
    if (r == NULL || reply == NULL) {
        return;
    }
    gw_redis_link_begin_reply(r->link);
    if (reply->type == REDIS_REPLY_ERROR) {
        fail(r, reply->str);
        return;
    }
    if (--r->hellos > 0) {
        return;
    }
    r->state = UP;
    r->up_ms = gw_clock_mono_ms();
    (void)event_del(r->timer);
    for (struct command *c = r->first; c != NULL; c = c->next) {
        hand_over(r, c);
    }
    enter(r);
    if (r->events.up != NULL) {
        r->events.up(r->owner);
    }
    leave(r);
}

static void
hello(struct gw_redis *r, int argc, const char **argv)
{
    r->hellos++;
    (void)redisAsyncCommandArgv(gw_redis_link_context(r->link), on_hello, NULL, argc, argv, NULL);
}

/* Its first line.  False and errno. */
static bool
read_password(const char *path, char *out, int size)
{
    FILE *f = fopen(path, "re");

    if (f == NULL) {
        return false;
    }
    errno = EINVAL; /* empty */
    bool ok = fgets(out, size, f) != NULL;
    int why = errno;
    (void)fclose(f);
    if (ok) {
        out[strcspn(out, "\r\n")] = '\0';
    }
    errno = why;
    return ok;
}

/* Logs in, chooses the database, and sees that somebody is there at all: the kernel accepts
 * connections for a frozen server, too. */
static void
say_hello(struct gw_redis *r)
{
    char password[1024] = "";
    char text[256];

    r->hellos = 0;
    if (r->password != NULL) {
        (void)snprintf(password, sizeof(password), "%s", r->password);
    }
    if (r->password_file != NULL &&
        !read_password(r->password_file, password, (int)sizeof(password))) {
        (void)snprintf(text, sizeof(text), "password_file %s can't be read: %s", r->password_file,
                       strerror(errno));
        fail(r, text);
        return;
    }
    if (r->url.user != NULL) {
        hello(r, 3, (const char *[]){"AUTH", r->url.user, password});
    } else if (password[0] != '\0') {
        hello(r, 2, (const char *[]){"AUTH", password});
    }
    explicit_bzero(password, sizeof(password));
    if (r->url.db != 0) {
        (void)snprintf(text, sizeof(text), "%d", r->url.db);
        hello(r, 2, (const char *[]){"SELECT", text});
    }
    hello(r, 1, (const char *[]){"PING"});
}

static void
dial(struct gw_redis *r, const char *address)
{
    char text[200];
    redisAsyncContext *ac = r->url.path != NULL ? redisAsyncConnectUnix(r->url.path)
                                                : redisAsyncConnect(address, r->url.port);

    if (ac == NULL || ac->err != 0) {
        (void)snprintf(text, sizeof(text), "%s", ac == NULL ? "out of memory" : ac->errstr);
        if (ac != NULL) {
            redisAsyncFree(ac);
        }
        fail(r, text);
        return;
    }
    r->link = gw_redis_link_new(ac, r->base, r->reply_bytes, on_link_down, r);
    say_hello(r);
}

/* Only notes what came: our owner may not close us from within the resolver. */
static void
on_address(int error, struct evutil_addrinfo *found, void *arg)
{
    struct lookup *l = arg;
    struct gw_redis *r = l->r;

    free(l);
    if (r != NULL) {
        r->lookup = NULL;
        if (error != 0 || found == NULL) {
            (void)snprintf(r->why, sizeof(r->why), "the name %s is not known: %s", r->url.host,
                           evutil_gai_strerror(error));
        } else if (found->ai_family == AF_INET) {
            const void *sa = found->ai_addr;
            const struct sockaddr_in *in = sa;
            (void)inet_ntop(AF_INET, &in->sin_addr, r->address, sizeof(r->address));
        } else {
            const void *sa = found->ai_addr;
            const struct sockaddr_in6 *in = sa;
            (void)inet_ntop(AF_INET6, &in->sin6_addr, r->address, sizeof(r->address));
        }
        set_timer(r->timer, 0);
    }
    if (found != NULL) {
        evutil_freeaddrinfo(found);
    }
}

static void
look_up(struct gw_redis *r)
{
    struct evutil_addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};

    forget_lookup(r);
    r->dns = evdns_base_new(r->base,
                            EVDNS_BASE_INITIALIZE_NAMESERVERS | EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    if (r->dns == NULL) {
        /* no nameserver is configured: /etc/hosts still answers */
        r->dns = evdns_base_new(r->base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
        if (r->dns == NULL) {
            fail(r, "no resolver could be made");
            return;
        }
        (void)evdns_base_load_hosts(r->dns, "/etc/hosts");
    }
    r->why[0] = '\0';
    r->lookup = gw_mem_alloc(sizeof(*r->lookup));
    r->lookup->r = r;
    (void)evdns_getaddrinfo(r->dns, r->url.host, NULL, &hints, on_address, r->lookup);
}

static bool
is_numeric(const char *host)
{
    struct in6_addr any;

    return inet_pton(AF_INET, host, &any) == 1 || inet_pton(AF_INET6, host, &any) == 1;
}

static void
connect_now(struct gw_redis *r)
{
    r->state = CONNECTING;
    r->address[0] = '\0';
    set_timer(r->timer, r->timeout_ms);
    if (r->url.host == NULL || is_numeric(r->url.host)) {
        dial(r, r->url.host);
    } else {
        look_up(r);
    }
}

/* The state's time is up: the pause, the resolver's answer, or the connect's deadline. */
static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct gw_redis *r = arg;
    char text[64];

    (void)fd;
    (void)what;
    if (r->state == PAUSING || (r->link == NULL && r->dns == NULL)) {
        connect_now(r); /* again, or for the first time */
    } else if (r->link == NULL && r->address[0] != '\0') {
        set_timer(r->timer, r->timeout_ms);
        dial(r, r->address);
    } else if (r->link == NULL && r->lookup == NULL && r->why[0] != '\0') {
        char why[sizeof(r->why)];
        memcpy(why, r->why, sizeof(why));
        fail(r, why);
    } else {
        (void)snprintf(text, sizeof(text), "no connection within %llu ms",
                       (unsigned long long)r->timeout_ms);
        forget_lookup(r);
        fail(r, text);
    }
}

/* One answer is late: all behind it are, and nobody knows what became of them. */
static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
    struct gw_redis *r = arg;
    uint64_t now = gw_clock_mono_ms();
    uint64_t next = UINT64_MAX;
    char text[64];

    (void)fd;
    (void)what;
    for (const struct command *c = r->first; c != NULL; c = c->next) {
        if (c->deadline_ms < next) {
            next = c->deadline_ms;
        }
    }
    if (next <= now) {
        (void)snprintf(text, sizeof(text), "no answer within %llu ms",
                       (unsigned long long)r->timeout_ms);
        fail(r, text);
    } else if (next != UINT64_MAX) {
        set_timer(r->deadline, next - now);
    }
}

bool
gw_redis_check_url(const char *url, struct gw_diag *diag)
{
    struct gw_redis_url parts;
    bool good = gw_redis_url_read(&parts, url, diag);

    if (good) {
        gw_redis_url_fini(&parts);
    }
    return good;
}

struct gw_redis *
gw_redis_open(const struct gw_redis_conf *conf, struct event_base *base,
              const struct gw_redis_events *events, void *owner, struct gw_diag *diag)
{
    struct gw_redis_url url;

    if (!gw_redis_url_read(&url, conf->url, diag)) {
        return NULL;
    }
    struct gw_redis *r = gw_mem_alloc(sizeof(*r));
    r->url = url;
    r->password_file = gw_mem_strdup(conf->password_file);
    r->password = gw_mem_strdup(conf->password);
    r->timeout_ms = conf->timeout_ms > 0 ? (uint64_t)conf->timeout_ms : 1;
    r->reply_bytes = conf->reply_bytes;
    r->base = base;
    r->owner = owner;
    if (events != NULL) {
        r->events = *events;
    }
    r->last = &r->first;
    r->state = CONNECTING;
    (void)snprintf(r->why, sizeof(r->why), "%s: not connected yet", r->url.text);
    r->timer = event_new(base, -1, 0, on_timer, r);
    r->deadline = event_new(base, -1, 0, on_deadline, r);
    assert(r->timer != NULL && r->deadline != NULL);
    set_timer(r->timer, 0);
    return r;
}

void
gw_redis_close(struct gw_redis *r)
{
    if (r == NULL || r->closed) {
        return;
    }
    enter(r);
    r->closed = true;
    event_free(r->timer);
    event_free(r->deadline);
    forget_lookup(r);
    answer_all(r, "the connection to Redis was closed");
    gw_redis_link_free(r->link);
    r->link = NULL;
    leave(r);
}

void
gw_redis_send(struct gw_redis *r, const struct gw_redis_command *cmd, gw_redis_done_fn *done,
              void *arg)
{
    struct command *c;
    uint64_t now = gw_clock_mono_ms();

    if (r->closed || r->state == PAUSING) {
        r->sent = false;
        done(arg, NULL, r->why);
        return;
    }
    c = gw_mem_alloc(sizeof(*c));
    c->done = done;
    c->arg = arg;
    c->deadline_ms = now + r->timeout_ms + (uint64_t)cmd->extra_ms;
    int n = (int)redisFormatCommandArgv(&c->wire, cmd->argc, cmd->argv, cmd->argvlen);
    assert(n > 0); /* fails only without memory */
    c->n = (size_t)n;
    *r->last = c;
    r->last = &c->next;
    if (r->state == UP) {
        hand_over(r, c);
    }
    /* a shorter deadline behind a longer one is found when its turn comes at the latest */
    struct timeval tv;
    if (event_pending(r->deadline, EV_TIMEOUT, &tv) == 0 || r->first == c) {
        set_timer(r->deadline, c->deadline_ms - now);
    }
}

bool
gw_redis_was_sent(const struct gw_redis *r)
{
    return r->sent;
}

bool
gw_redis_is_up(const struct gw_redis *r)
{
    return r->state == UP && !r->closed;
}

const char *
gw_redis_name(const struct gw_redis *r)
{
    return r->url.text;
}

const char *
gw_redis_why(const struct gw_redis *r)
{
    return r->why;
}
