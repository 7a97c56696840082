/*
 * Keeps a backend registered at ksgate.  C99, POSIX and libcurl:
 *
 *     cc -o register register.c -lcurl
 *     register GATEWAY EXTENSION ID URL [TOKEN_FILE]
 *
 * In a service: keep() in a thread of its own (SIGINT and SIGTERM blocked in all threads), or the
 * program beside it.  LEASE (15) is in seconds; it is renewed at a third of it.  VERSION is
 * which version of the extension it is, if that is to be told.  The token file is read at each
 * request, so it may rotate.
 */
#define _POSIX_C_SOURCE 200809L

#include <curl/curl.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CALL_MS  5000L /* the longest request, however long the lease */
#define LEAVE_MS 2000L /* for the farewell: who stops us may not wait long */

struct registration {
    CURL *curl;
    const char *token_file; /* or NULL */
    char target[2048];      /* of the endpoint */
    char body[1024];
    long lease;     /* seconds */
    char said[512]; /* by the gateway, or by libcurl */
};

/* Keeps the beginning of the answer. */
static size_t
on_answer(char *bytes, size_t one, size_t n, void *arg)
{
    struct registration *r = arg;
    size_t has = strlen(r->said);
    size_t room = sizeof(r->said) - 1 - has;

    (void)one;
    memcpy(r->said + has, bytes, n < room ? n : room);
    r->said[has + (n < room ? n : room)] = '\0';
    return n;
}

/* Adds "Authorization: Bearer " and the first line of the token file.  Without one, or with a part
 * of one, nothing is sent: r->said says so then. */
static struct curl_slist *
add_token(struct registration *r, struct curl_slist *headers)
{
    char line[8192] = "Authorization: Bearer ";
    size_t at = strlen(line);
    FILE *f = r->token_file == NULL ? NULL : fopen(r->token_file, "r");

    if (r->token_file == NULL) {
        return headers;
    }
    if (f == NULL) {
        (void)snprintf(r->said, sizeof(r->said), "%s: %s", r->token_file, strerror(errno));
        return headers;
    }
    if (fgets(line + at, (int)(sizeof(line) - at), f) == NULL) {
        line[at] = '\0';
    }
    (void)fclose(f);
    if (strlen(line) == sizeof(line) - 1 && line[sizeof(line) - 2] != '\n') {
        (void)snprintf(r->said, sizeof(r->said), "%s: the token is longer than %d bytes",
                       r->token_file, (int)(sizeof(line) - at - 3));
    }
    line[at + strcspn(line + at, "\r\n")] = '\0';
    if (line[at] == '\0') {
        (void)snprintf(r->said, sizeof(r->said), "%s: no token is in it", r->token_file);
    }
    return curl_slist_append(headers, line);
}

/* The answer is a Kubernetes Status: its message is for people. */
static void
keep_message(struct registration *r)
{
    const char *from = strstr(r->said, "\"message\":\"");
    char *to = r->said;

    if (from == NULL) {
        return;
    }
    for (from += strlen("\"message\":\""); *from != '\0' && *from != '"'; from++) {
        from += from[0] == '\\' && from[1] != '\0' ? 1 : 0;
        *to++ = *from;
    }
    *to = '\0';
}

/* The status, or 0 when there is no answer within the time; why is in r->said. */
static long
call(struct registration *r, const char *method, long ms)
{
    char why[CURL_ERROR_SIZE] = "";
    long status = 0;

    r->said[0] = '\0';
    struct curl_slist *headers =
        add_token(r, curl_slist_append(NULL, "Content-Type: application/json"));
    if (r->said[0] != '\0') {
        curl_slist_free_all(headers);
        return 0;
    }
    curl_easy_reset(r->curl);
    curl_easy_setopt(r->curl, CURLOPT_URL, r->target);
    curl_easy_setopt(r->curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(r->curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(r->curl, CURLOPT_TIMEOUT_MS, ms);
    curl_easy_setopt(r->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(r->curl, CURLOPT_WRITEFUNCTION, on_answer);
    curl_easy_setopt(r->curl, CURLOPT_WRITEDATA, r);
    curl_easy_setopt(r->curl, CURLOPT_ERRORBUFFER, why);
    curl_easy_setopt(r->curl, CURLOPT_POSTFIELDS, r->body);
    CURLcode code = curl_easy_perform(r->curl);
    if (code != CURLE_OK) {
        (void)snprintf(r->said, sizeof(r->said), "%s",
                       why[0] == '\0' ? curl_easy_strerror(code) : why);
    } else {
        (void)curl_easy_getinfo(r->curl, CURLINFO_RESPONSE_CODE, &status);
        keep_message(r);
    }
    curl_slist_free_all(headers);
    return status;
}

/* What is asked is wrong, and will not become right by asking again. */
static bool
is_refusal(long status)
{
    return status == 400 || status == 409 || status == 413 || status == 422;
}

/* The signal that came within the time, or -1. */
static int
wait_for(const sigset_t *signals, long ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    return sigtimedwait(signals, NULL, &t);
}

/* Leaves.  404: it has gone; 409: another one is there in our place. */
static void
leave(struct registration *r, bool known)
{
    long status = call(r, "DELETE", LEAVE_MS);

    if (known && status != 200 && status != 404 && status != 409) {
        (void)fprintf(stderr,
                      "register: the gateway could not be told: the lease runs out in %ld s\n",
                      r->lease);
    }
}

/* Registers and renews until one of the signals comes (they are blocked), and leaves.  False: it
 * was refused, which was said. */
static bool
keep(struct registration *r, const sigset_t *signals)
{
    long third = r->lease * 1000 / 3;
    bool known = false;
    bool unsure = false; /* no answer, or 5xx: it may have been taken all the same */
    bool trouble = false;
    long pause = 0;

    do {
        long status = call(r, "PUT", third < CALL_MS ? third : CALL_MS);

        if (is_refusal(status)) {
            (void)fprintf(stderr, "register: refused: %ld: %s\n", status, r->said);
            return false;
        }
        if (status == 200 || status == 201) {
            if (!known || trouble) {
                (void)fprintf(stderr, "register: registered%s\n", known ? " again" : "");
            }
            known = true;
            trouble = false;
            pause = third;
        } else {
            if (!trouble) {
                (void)fprintf(stderr, "register: %ld: %s; trying again until it works\n", status,
                              r->said);
            }
            pause = trouble ? 2 * pause : 500;
            pause = pause < third ? pause : third;
            trouble = true;
            unsure = unsure || status == 0 || status >= 500;
        }
    } while (wait_for(signals, pause) < 0);
    if (known || unsure) {
        leave(r, known);
    }
    return true;
}

/* From the environment; 0: it is none, which was said. */
static long
lease_of(const char *text)
{
    char *end = NULL;
    long lease = text == NULL ? 15 : strtol(text, &end, 10);

    if ((end != NULL && (end == text || *end != '\0')) || lease < 2 || lease > 3600) {
        (void)fprintf(stderr, "register: LEASE=%s: it takes 2 to 3600, in seconds\n", text);
        return 0;
    }
    return lease;
}

/* Where the endpoint is.  Names that are wrong arrive as they are, so that the gateway says so. */
static void
set_target(struct registration *r, const char *gateway, const char *extension, const char *id)
{
    size_t n = strlen(gateway);
    char *e = curl_easy_escape(r->curl, extension, 0);
    char *i = curl_easy_escape(r->curl, id, 0);

    while (n > 0 && gateway[n - 1] == '/') {
        n--;
    }
    (void)snprintf(r->target, sizeof(r->target),
                   "%.*s/-/apis/ksgate.io/v1/extensionservices/%s/endpoints/%s", (int)n, gateway, e,
                   i);
    curl_free(e);
    curl_free(i);
}

int
main(int argc, char **argv)
{
    const char *version = getenv("VERSION");
    struct registration r = {.lease = lease_of(getenv("LEASE"))};
    sigset_t signals;

    if (r.lease == 0) {
        return 2;
    }
    if ((argc != 5 && argc != 6) || argv[2][0] == '\0' || argv[3][0] == '\0') {
        (void)fprintf(stderr, "usage: register GATEWAY EXTENSION ID URL [TOKEN_FILE]\n");
        return 2;
    }
    r.token_file = argc == 6 ? argv[5] : NULL;
    (void)snprintf(r.body, sizeof(r.body),
                   "{\"url\": \"%s\", \"leaseSeconds\": %ld, \"version\": \"%s\"}", argv[4],
                   r.lease, version == NULL ? "" : version);
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &signals, NULL);
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    r.curl = curl_easy_init();
    if (r.curl == NULL) {
        return 1;
    }
    set_target(&r, argv[1], argv[2], argv[3]);
    bool ok = keep(&r, &signals);
    curl_easy_cleanup(r.curl);
    curl_global_cleanup();
    return ok ? 0 : 1;
}
