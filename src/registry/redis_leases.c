#include "registry/redis_leases.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"

#define MOST 1000 /* keys in one command: Redis serves nobody else meanwhile */

/* One question, in as many commands as it takes. */
struct question {
    size_t open; /* commands that are not answered yet */
    bool failed;
    gw_store_leases_fn *done;
    void *arg;
    uint64_t until_ms[];
};

struct part {
    struct question *of;
    size_t from, n;
};

static void
answered(struct question *q)
{
    if (--q->open > 0) {
        return;
    }
    q->done(q->arg, q->failed ? NULL : q->until_ms);
    free(q);
}

/* A Redis before 6.2 does not know the command, and a user may lack it: nothing else depends on
 * it, so that is said once. */
static void
note_refusal(const redisReply *reply)
{
    static bool told; /* control thread */

    if (!told) {
        told = true;
        gw_log_warn("registry: when leases end can't be told: %s",
                    reply->type == REDIS_REPLY_ERROR ? reply->str
                                                     : "Redis answered something unexpected");
    }
}

/* A deadline is a whole number of ms, which Redis gives as a text of a double; nil: no lease. */
static void
on_scores(void *arg, const redisReply *reply, const char *error)
{
    struct part *p = arg;
    struct question *q = p->of;

    (void)error;
    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY || reply->elements != p->n) {
        q->failed = true;
        if (reply != NULL) {
            note_refusal(reply);
        }
    } else {
        for (size_t i = 0; i < p->n; i++) {
            const redisReply *one = reply->element[i];
            double ms = one->type == REDIS_REPLY_STRING ? strtod(one->str, NULL) : 0;

            q->until_ms[p->from + i] = ms > 0 && ms < 1e15 ? (uint64_t)ms : 0;
        }
    }
    free(p);
    answered(q);
}

void
gw_redis_leases(struct gw_redis *r, const char *prefix, const char *const *keys, size_t n,
                gw_store_leases_fn *done, void *arg)
{
    struct question *q = gw_mem_alloc(sizeof(*q) + n * sizeof(q->until_ms[0]));
    const char **argv = gw_mem_alloc((MOST + 2) * sizeof(const char *));
    struct gw_buf set = {0};

    q->done = done;
    q->arg = arg;
    q->open = 1 + (n + MOST - 1) / MOST; /* an answer may come from within the call */
    gw_buf_printf(&set, "%sleases", prefix);
    argv[0] = "ZMSCORE";
    argv[1] = set.p;
    for (size_t from = 0; from < n; from += MOST) {
        struct part *p = gw_mem_alloc(sizeof(*p));

        *p = (struct part){.of = q, .from = from, .n = n - from < MOST ? n - from : MOST};
        memcpy(argv + 2, keys + from, p->n * sizeof(const char *));
        struct gw_redis_command c = {.argc = (int)p->n + 2, .argv = argv};
        gw_redis_send(r, &c, on_scores, p);
    }
    gw_buf_fini(&set);
    free(argv);
    answered(q);
}
