/*
 * basic_pool.h - passwords are checked by threads of their own: bcrypt takes 50 ms and more, and a
 * worker has other clients.
 *
 * One pool for the process, so that its limits are those of all workers.  Checks of the same name
 * and password at the same time are one check.  Threads come with the work and end without it.
 */
#ifndef GW_MODULES_BASIC_POOL_H
#define GW_MODULES_BASIC_POOL_H

#include "base/mailbox.h"
#include "gateway/world.h"
#include "modules/basic_hash.h"
#include "modules/basic_memory.h"
#include "modules/basic_settings.h"

/* One check.  Heap memory, which may be the beginning of something larger. */
struct gw_basic_job {
    struct gw_mail mail; /* first */
    /* filled in by the caller */
    char hash[GW_BCRYPT_CHARS + 1];
    bool known;     /* somebody has that hash; else it is only for the time that it takes */
    char *password; /* owned, NUL-terminated; wiped as soon as it was checked */
    unsigned char digest[GW_BASIC_DIGEST];  /* of name, hash and password, wherever from */
    void (*done)(struct gw_basic_job *job); /* worker: it was checked, and is the caller's again */
    bool right;                             /* the answer */
    /* the pool's */
    enum gw_basic_job_state {
        GW_JOB_QUEUED,
        GW_JOB_RUNS,
        GW_JOB_FOLLOWS, /* another one with the same digest */
        GW_JOB_ENDED,
    } state;
    struct gw_basic_job *next;   /* in the queue, of those that run, or behind the same */
    struct gw_basic_job *behind; /* those that follow this one */
    struct gw_world *home;       /* NULL: its worker has ended */
    uint64_t user_key, address_key, window_ms;
    size_t tracked;
};

enum gw_basic_answer {
    GW_BASIC_ASKED,         /* done() will be called */
    GW_BASIC_TOO_MANY_USER, /* failures of this user */
    GW_BASIC_TOO_MANY_ADDRESS,
    GW_BASIC_BUSY, /* as many wait as may */
};

/* Worker: before anything of the client's words is looked at.  In how many ms may this address try
 * again?  0: now.  Takes the lock only when something may be kept of it. */
uint64_t gw_basic_pool_wait(const struct gw_basic_settings *s, struct gw_str address);

/* Worker.  name, address: who is counted.  home: the worker's own world.  When it is not ASKED,
 * the job is still the caller's, and *wait_ms says when another try may be worth it. */
enum gw_basic_answer gw_basic_pool_ask(struct gw_basic_job *job, struct gw_world *home,
                                       const struct gw_basic_settings *s, struct gw_str name,
                                       struct gw_str address, uint64_t *wait_ms);

/* Worker: nobody waits for the answer any more.  True: it was still in the queue, and is the
 * caller's again; false: it will be done() all the same. */
bool gw_basic_pool_withdraw(struct gw_basic_job *job);

/* Before the worker's world ends: the job is the pool's, which frees it. */
void gw_basic_pool_leave(struct gw_basic_job *job);

/* One that is the caller's; wipes the password. */
void gw_basic_job_free(struct gw_basic_job *job);

struct gw_basic_pool_stats {
    unsigned long long waiting, running, tracked; /* now */
    unsigned long long right, wrong;
};
void gw_basic_pool_stats(struct gw_basic_pool_stats *out);

#endif
