#include "registry/redis_script.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/evp.h>

#include "base/mem.h"
#include "registry/store.h"

#define WORDS (4 + GW_SCRIPT_ARGS) /* EVALSHA sha 1 prefix args... */

struct call {
    struct gw_redis *r; /* borrowed: a connection answers before it goes */
    char *words[WORDS];
    int n;
    gw_redis_done_fn *done;
    void *arg;
};

static char sha[41];
static pthread_once_t sha_once = PTHREAD_ONCE_INIT;

static void
make_sha(void)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    if (EVP_Digest(gw_store_redis_script, strlen(gw_store_redis_script), digest, &n, EVP_sha1(),
                   NULL) != 1) {
        return; /* no SHA-1 here: Redis will not know "", and EVAL does the work */
    }
    for (unsigned i = 0; i < n && i < 20; i++) {
        (void)snprintf(sha + (size_t)i * 2, 3, "%02x", digest[i]);
    }
}

static void
free_call(struct call *c)
{
    for (int i = 0; i < c->n; i++) {
        free(c->words[i]);
    }
    free(c);
}

static void on_answer(void *arg, const redisReply *reply, const char *error);

static void
dispatch(struct call *c, const char *verb, const char *script)
{
    const char *argv[WORDS];

    argv[0] = verb;
    argv[1] = script;
    for (int i = 2; i < c->n; i++) {
        argv[i] = c->words[i];
    }
    struct gw_redis_command cmd = {.argc = c->n, .argv = argv};
    gw_redis_send(c->r, &cmd, on_answer, c);
}

static void
on_answer(void *arg, const redisReply *reply, const char *error)
{
    struct call *c = arg;

    if (reply != NULL && reply->type == REDIS_REPLY_ERROR &&
        strncmp(reply->str, "NOSCRIPT", 8) == 0) {
        dispatch(c, "EVAL", gw_store_redis_script);
        return;
    }
    c->done(c->arg, reply, error);
    free_call(c);
}

void
gw_script_call(struct gw_redis *r, const char *prefix, const char *const *argv,
               gw_redis_done_fn *done, void *arg)
{
    struct call *c = gw_mem_alloc(sizeof(*c));

    (void)pthread_once(&sha_once, make_sha);
    c->r = r;
    c->done = done;
    c->arg = arg;
    c->words[2] = gw_mem_strdup("1");
    c->words[3] = gw_mem_strdup(prefix);
    c->n = 4;
    for (; *argv != NULL; argv++) {
        assert(c->n < WORDS);
        c->words[c->n++] = gw_mem_strdup(*argv);
    }
    dispatch(c, "EVALSHA", sha);
}
