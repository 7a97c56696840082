/* cli_register.c - ksgate register: keeps a backend registered until the command ends. */
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "config/schema.h"
#include "http/url.h"
#include "modules/ext_spec.h"
#include "registry/lease.h"
#include "server/cli_objects.h"

#define LEASE_MS_MIN   (GW_LEASE_SECONDS_MIN * 1000LL) /* what a gateway takes */
#define LEASE_MS_MAX   (GW_LEASE_SECONDS_MAX * 1000LL)
#define FIRST_RETRY_MS 250   /* doubles up to a third of the lease */
#define RETRY_MS_MAX   10000 /* the longest pause, however long the lease */
#define CALL_MS_MAX    5000  /* of one request */
#define BEHIND_MS      1000  /* between two questions whether all gateways have followed */
#define LEAVE_MS       2000  /* for the farewell: who stops us may not wait long */

struct options {
    const char *lease, *weight, *version, *id, *wait;
    struct gw_client_options where;
};

/* clang-format off */
static const struct gw_option options[] = {
    {0, "lease", "DURATION", GW_OPTION_TEXT, offsetof(struct options, lease),
     "How long the gateway believes in the backend without a renewal: 2s to 1h (default 15s)."},
    {0, "weight", "NUMBER", GW_OPTION_TEXT, offsetof(struct options, weight),
     "Its share of the requests (default 1)."},
    {0, "version", "VERSION", GW_OPTION_TEXT, offsetof(struct options, version),
     "The version of the extension that it runs."},
    {0, "id", "ID", GW_OPTION_TEXT, offsetof(struct options, id),
     "The backend's name, unique within the extension (default: the host's name and the process id)."},
    {0, "wait", "live|fleet", GW_OPTION_TEXT, offsetof(struct options, wait),
     "Says that it is registered once every worker of the gateway asked routes to it (live), or every gateway does (fleet)."},
    GW_CLIENT_OPTIONS(struct options, where),
    {0},
};
/* clang-format on */

static const struct gw_usage usage = {
    .arguments = "NAME URL",
    .options = options,
    .min = 2,
    .max = 2,
    .more = "NAME is the extension (its ExtensionService must be there), URL is where the backend "
            "listens.\nThe registration is renewed at a third of its lease.  When the gateway is "
            "away the command\nkeeps trying; when it ends (SIGINT, SIGTERM) the backend is taken "
            "out.  The token file\nis read at each request, so it may be replaced.",
    .examples = "ksgate register devops http://10.0.0.7:8080\n"
                "ksgate register devops http://10.0.0.7:8080 --lease 5s --version v2 &",
};

/* One registration and how it goes. */
struct registration {
    const struct gw_cli *cli;
    struct gw_client client;
    struct gw_client_options *where; /* the client's */
    const char *name;
    struct gw_buf target;
    json_t *body;
    const char *wait; /* for the first time only; NULL: not, or no more */
    long long lease_ms, pause_ms;
    bool registered, away; /* away: the trouble was said */
    bool behind;           /* that is, not at every gateway */
    bool unsure;           /* no answer came, or 5xx: it may be registered all the same */
    char trouble[1024];
};

enum result {
    REGISTERED,
    BEHIND, /* registered, and not known everywhere */
    AWAY,
    REFUSED
};

static long long
least(long long a, long long b)
{
    return a < b ? a : b;
}

static bool
is_behind(const struct gw_client_answer *answer)
{
    json_t *status = answer->status == 504 && answer->body.n > 0
                         ? json_loadb(answer->body.p, answer->body.n, 0, NULL)
                         : NULL;
    const json_t *causes = json_object_get(json_object_get(status, "details"), "causes");
    const char *reason = json_string_value(json_object_get(json_array_get(causes, 0), "reason"));
    bool is = reason != NULL && strcmp(reason, "GatewayBehind") == 0;

    json_decref(status);
    return is;
}

static bool
send_put(struct registration *r, struct gw_client_answer *answer, struct gw_diag *diag)
{
    struct gw_buf target = {0};
    char *text = json_dumps(r->body, JSON_COMPACT);

    gw_buf_printf(&target, "%s%s%s", r->target.p,
                  r->wait == NULL ? "" : "?wait=", r->wait == NULL ? "" : r->wait);
    r->client.timeout_ms = least(r->lease_ms / (r->wait == NULL ? 3 : 2), CALL_MS_MAX);
    bool answered = gw_client_call(&r->client, "PUT", target.p, GW_STR("application/json"),
                                   gw_str_of(text), answer, diag);
    gw_buf_fini(&target);
    free(text);
    return answered;
}

/* Asks the gateway; what it says against it is in r->trouble. */
static enum result
put(struct registration *r)
{
    struct gw_client_answer answer = {0};
    struct gw_diag diag = {0};
    struct gw_buf problem = {0};
    enum result result = AWAY;

    if (!gw_cli_client_token(&r->client, r->where, &diag) || !send_put(r, &answer, &diag)) {
        gw_buf_puts(&problem, gw_diag_first(&diag));
        r->unsure = true;
    } else if (answer.status == 200 || answer.status == 201) {
        result = REGISTERED;
    } else {
        gw_client_problem(&answer, &problem);
        r->unsure = r->unsure || answer.status >= 500;
        result = is_behind(&answer)                                                    ? BEHIND
                 : answer.status < 500 && answer.status != 408 && answer.status != 429 ? REFUSED
                                                                                       : AWAY;
    }
    (void)snprintf(r->trouble, sizeof(r->trouble), "%.*s", GW_STR_ARG(gw_buf_text(&problem)));
    gw_buf_fini(&answer.body);
    gw_buf_fini(&problem);
    gw_diag_fini(&diag);
    return result;
}

static void
note_registered(struct registration *r)
{
    if (!r->registered || r->away) {
        (void)printf("%s is registered%s\n", r->name,
                     r->away && r->registered && !r->behind ? " again" : "");
        (void)fflush(stdout);
    }
    r->registered = true;
    r->away = false;
    r->behind = false;
    r->wait = NULL;
    r->pause_ms = r->lease_ms / 3;
}

/* Said once; the pauses double. */
static void
note_trouble(struct registration *r)
{
    long long most = least(r->lease_ms / 3, RETRY_MS_MAX);

    if (!r->away) {
        (void)gw_cli_fail(r->cli, "%s; trying again until it works", r->trouble);
        r->pause_ms = FIRST_RETRY_MS;
    } else {
        r->pause_ms *= 2;
    }
    r->pause_ms = least(r->pause_ms, most);
    r->away = true;
}

/* Said once.  It is renewed, which asks again. */
static void
note_behind(struct registration *r)
{
    if (!r->behind) {
        (void)gw_cli_fail(r->cli, "%s; asking again until all do", r->trouble);
    }
    r->registered = true;
    r->behind = true;
    r->away = true;
    r->pause_ms = least(r->lease_ms / 3, BEHIND_MS);
}

/* Waits for the time to pass or for a signal that ends us. */
static bool
told_to_stop(const sigset_t *signals, long long ms)
{
    uint64_t until = gw_clock_mono_ms() + (uint64_t)ms;

    for (;;) {
        uint64_t now = gw_clock_mono_ms();
        uint64_t left = now < until ? until - now : 0;
        struct timespec t = {.tv_sec = (time_t)(left / 1000),
                             .tv_nsec = (long)(left % 1000) * 1000000};

        if (sigtimedwait(signals, NULL, &t) > 0) {
            return true;
        }
        if (errno != EINTR) {
            return false;
        }
    }
}

/* A lease that can't be taken back runs out by itself.  What is registered in our place by now
 * (409) stays. */
static int
leave(struct registration *r)
{
    struct gw_client_answer answer;
    struct gw_diag diag = {0};
    bool answered;

    if (!r->registered && !r->unsure) {
        return GW_EXIT_OK;
    }
    r->client.timeout_ms = LEAVE_MS;
    char *text = json_dumps(r->body, JSON_COMPACT);
    assert(text != NULL);
    (void)gw_cli_client_token(&r->client, r->where, &diag);
    answered = gw_client_call(&r->client, "DELETE", r->target.p, GW_STR("application/json"),
                              gw_str_of(text), &answer, &diag);
    if (r->registered &&
        (!answered || (answer.status != 200 && answer.status != 404 && answer.status != 409))) {
        (void)gw_cli_fail(r->cli, "the gateway could not be told: the lease runs out in %llds",
                          r->lease_ms / 1000);
    }
    free(text);
    gw_buf_fini(&answer.body);
    gw_diag_fini(&diag);
    return GW_EXIT_OK;
}

/* What is refused at the start is a mistake of the caller's; later it may become right again
 * (somebody deleted the ExtensionService and is about to create it anew). */
static int
keep_registered(struct registration *r)
{
    sigset_t signals;

    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &signals, NULL);
    do {
        switch (put(r)) {
        case REGISTERED:
            note_registered(r);
            break;
        case BEHIND:
            note_behind(r);
            break;
        case REFUSED:
            if (!r->registered) {
                return gw_cli_fail(r->cli, "%s", r->trouble);
            }
            note_trouble(r);
            break;
        case AWAY:
            note_trouble(r);
            break;
        }
    } while (!told_to_stop(&signals, r->pause_ms));
    return leave(r);
}

/* Names of objects are lower case letters, digits, '-' and '.'. */
static char *
default_id(void)
{
    char host[256] = "backend";
    struct gw_buf id = {0};

    (void)gethostname(host, sizeof(host) - 1);
    for (const char *p = host; *p != '\0' && *p != '.'; p++) {
        char letter = (char)(*p >= 'A' && *p <= 'Z' ? *p - 'A' + 'a' : *p);
        bool fine = (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9');

        gw_buf_add(&id, fine ? &letter : "-", 1);
    }
    gw_buf_printf(&id, "-%d", (int)getpid());
    return id.p;
}

/* Fills lease and body.  GW_CLI_GO, or the exit code. */
static int
read_options(struct registration *r, const struct options *o, const char *url)
{
    struct gw_url parsed;
    const char *why = "";
    uint64_t weight = 1;

    r->wait = o->wait;
    if (o->wait != NULL && strcmp(o->wait, "live") != 0 && strcmp(o->wait, "fleet") != 0) {
        return gw_cli_misuse(r->cli, "--wait %s: it takes live or fleet", o->wait);
    }

    r->lease_ms = 15000;
    if (o->lease != NULL &&
        (!gw_parse_duration(gw_str_of(o->lease), &r->lease_ms) || r->lease_ms % 1000 != 0 ||
         r->lease_ms < LEASE_MS_MIN || r->lease_ms > LEASE_MS_MAX)) {
        return gw_cli_misuse(r->cli, "--lease %s: it takes 2s to 1h, in whole seconds", o->lease);
    }
    if (o->weight != NULL && !gw_str_u64(gw_str_of(o->weight), &weight)) {
        return gw_cli_misuse(r->cli, "--weight %s: it takes a number", o->weight);
    }
    if (!gw_url_parse(gw_str_of(url), &parsed, &why)) {
        return gw_cli_misuse(r->cli, "%s: %s", url, why);
    }
    r->body = json_pack("{s:s, s:I, s:I}", "url", url, "weight", (json_int_t)weight, "leaseSeconds",
                        (json_int_t)(r->lease_ms / 1000));
    if (o->version != NULL) {
        (void)json_object_set_new(r->body, "version", json_string(o->version));
    }
    r->pause_ms = FIRST_RETRY_MS;
    return GW_CLI_GO;
}

int
gw_cli_register(const struct gw_cli *c)
{
    struct options o = {0};
    struct registration r = {.cli = c, .where = &o.where};
    struct gw_words args;
    char *id;
    int code = gw_cli_parse(c, &usage, &o, &args);

    if (code != GW_CLI_GO) {
        return code;
    }
    r.name = args.list[0];
    code = read_options(&r, &o, args.list[1]);
    gw_words_fini(&args);
    if (code == GW_CLI_GO) {
        code = gw_cli_client(&r.client, c, &o.where);
    }
    if (code == GW_CLI_GO) {
        id = o.id == NULL ? default_id() : gw_mem_strdup(o.id);
        gw_buf_puts(&r.target, "/-/apis/ksgate.io/v1/extensionservices/");
        gw_client_escape(&r.target, gw_str_of(r.name));
        gw_buf_puts(&r.target, "/endpoints/");
        gw_client_escape(&r.target, gw_str_of(id));
        code = keep_registered(&r);
        free(id);
    }
    json_decref(r.body);
    gw_buf_fini(&r.target);
    gw_client_options_fini(&o.where);
    return code;
}
