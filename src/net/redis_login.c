#include "net/redis_login.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define PASSWORD_BYTES 1024

enum kind {
    PLAIN, /* anything but an error */
    ROLE,
    KEY
};

/* Its first line.  False and errno; EMSGSIZE: it is longer.  A part of a password must not be sent:
 * the server would say that it is wrong, and not why. */
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
    bool whole = !ok || strchr(out, '\n') != NULL || getc(f) == EOF;
    (void)fclose(f);
    if (ok) {
        out[strcspn(out, "\r\n")] = '\0';
    }
    errno = whole ? why : EMSGSIZE;
    ok = ok && whole;
    return ok;
}

static void
say(struct gw_redis_steps *steps, struct gw_redis_link *link, enum kind kind, int argc,
    const char **argv)
{
    assert(steps->n < GW_REDIS_STEPS);
    steps->kinds[steps->n++] = (int)kind;
    gw_redis_link_say(link, argc, argv);
}

bool
gw_redis_login_say(const struct gw_redis_login *l, struct gw_redis_link *link,
                   struct gw_redis_steps *steps, char *text, size_t size)
{
    char password[PASSWORD_BYTES] = "";
    char db[16];

    *steps = (struct gw_redis_steps){0};
    if (l->password != NULL && strlen(l->password) >= sizeof(password)) {
        (void)snprintf(text, size, "the password is longer than %d bytes", PASSWORD_BYTES - 1);
        return false;
    }
    if (l->password != NULL) {
        (void)snprintf(password, sizeof(password), "%s", l->password);
    }
    if (l->password_file != NULL &&
        !read_password(l->password_file, password, (int)sizeof(password))) {
        if (errno == EMSGSIZE) {
            (void)snprintf(text, size,
                           "password_file %s: its first line is longer than %d bytes; it has to be "
                           "the password and nothing else",
                           l->password_file, PASSWORD_BYTES - 2);
        } else {
            (void)snprintf(text, size, "password_file %s can't be read: %s", l->password_file,
                           strerror(errno));
        }
        explicit_bzero(password, sizeof(password));
        return false;
    }
    if (l->user != NULL) {
        say(steps, link, PLAIN, 3, (const char *[]){"AUTH", l->user, password});
    } else if (password[0] != '\0') {
        say(steps, link, PLAIN, 2, (const char *[]){"AUTH", password});
    }
    explicit_bzero(password, sizeof(password));
    if (l->db != 0) {
        (void)snprintf(db, sizeof(db), "%d", l->db);
        say(steps, link, PLAIN, 2, (const char *[]){"SELECT", db});
    }
    say(steps, link, PLAIN, 1, (const char *[]){"PING"});
    if (l->writes && l->key == NULL) { /* a replica in a Cluster says MOVED */
        say(steps, link, ROLE, 1, (const char *[]){"ROLE"});
    }
    if (l->key != NULL) {
        say(steps, link, KEY, 2, (const char *[]){"EXISTS", l->key});
    }
    return true;
}

static bool
is_text(const redisReply *r)
{
    return r->type == REDIS_REPLY_STRING || r->type == REDIS_REPLY_STATUS;
}

/* {"slave", host, port, ...}: false, and text. */
static bool
judge_role(const redisReply *reply, char *text, size_t size)
{
    if (reply->type == REDIS_REPLY_ERROR) {
        return true; /* a user without that permission, or a proxy: the first write tells */
    }
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 1 || !is_text(reply->element[0])) {
        (void)snprintf(text, size, "ROLE was answered by something unexpected");
        return false;
    }
    if (strcmp(reply->element[0]->str, "master") == 0) {
        return true;
    }
    if (reply->elements >= 3 && is_text(reply->element[1]) &&
        reply->element[2]->type == REDIS_REPLY_INTEGER) {
        (void)snprintf(text, size, "it is a replica (of %s:%lld) and takes no writes",
                       reply->element[1]->str, reply->element[2]->integer);
    } else {
        (void)snprintf(text, size, "it is no master (%s)", reply->element[0]->str);
    }
    return false;
}

enum gw_redis_step
gw_redis_login_reply(struct gw_redis_steps *steps, const redisReply *reply, char *text, size_t size)
{
    bool good = true;

    if (reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "MOVED ", 6) == 0) {
        (void)snprintf(text, size, "%s", reply->str);
        return GW_REDIS_STEP_MOVED;
    }
    if (steps->kinds[steps->at] == ROLE) {
        good = judge_role(reply, text, size);
    } else if (reply->type == REDIS_REPLY_ERROR) {
        (void)snprintf(text, size, "%s", reply->str);
        good = false;
    }
    if (!good) {
        return GW_REDIS_STEP_BAD;
    }
    steps->at++;
    return steps->at < steps->n ? GW_REDIS_STEP_MORE : GW_REDIS_STEP_DONE;
}
