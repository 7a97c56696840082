#include "net/redis_login.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define PASSWORD_BYTES 1024

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

static void
say(struct gw_redis_steps *steps, struct gw_redis_link *link, int argc, const char **argv)
{
    assert(steps->n < GW_REDIS_STEPS);
    steps->n++;
    gw_redis_link_say(link, argc, argv);
}

bool
gw_redis_login_say(const struct gw_redis_login *l, struct gw_redis_link *link,
                   struct gw_redis_steps *steps, char *text, size_t size)
{
    char password[PASSWORD_BYTES] = "";
    char db[16];

    *steps = (struct gw_redis_steps){0};
    if (l->password != NULL) {
        (void)snprintf(password, sizeof(password), "%s", l->password);
    }
    if (l->password_file != NULL &&
        !read_password(l->password_file, password, (int)sizeof(password))) {
        (void)snprintf(text, size, "password_file %s can't be read: %s", l->password_file,
                       strerror(errno));
        return false;
    }
    if (l->user != NULL) {
        say(steps, link, 3, (const char *[]){"AUTH", l->user, password});
    } else if (password[0] != '\0') {
        say(steps, link, 2, (const char *[]){"AUTH", password});
    }
    explicit_bzero(password, sizeof(password));
    if (l->db != 0) {
        (void)snprintf(db, sizeof(db), "%d", l->db);
        say(steps, link, 2, (const char *[]){"SELECT", db});
    }
    say(steps, link, 1, (const char *[]){"PING"});
    return true;
}

enum gw_redis_step
gw_redis_login_reply(struct gw_redis_steps *steps, const redisReply *reply, char *text, size_t size)
{
    if (reply->type == REDIS_REPLY_ERROR) {
        (void)snprintf(text, size, "%s", reply->str);
        return GW_REDIS_STEP_BAD;
    }
    steps->at++;
    return steps->at < steps->n ? GW_REDIS_STEP_MORE : GW_REDIS_STEP_DONE;
}
