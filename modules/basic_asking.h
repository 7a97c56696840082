/*
 * basic_asking.h - a request whose password is being checked, and what comes of it; for basic.c.
 *
 * The pool's threads check it; the request waits, but not for ever, and its client may leave.
 */
#ifndef GW_MODULES_BASIC_ASKING_H
#define GW_MODULES_BASIC_ASKING_H

#include "base/wheel.h"
#include "modules/basic_pool.h"
#include "modules/basic_users.h"

struct gw_basic_asking;

/* The module's state of a worker: it stays where it is as long as the world. */
struct gw_basic_worker {
    struct gw_basic_asking *asking; /* all that the pool has of ours */
    struct gw_basic_memory *memory;
    long long entries, remember_ms; /* of it, as was set */
    atomic_ullong remembered, limited, busy;
};

struct gw_basic_asking {
    struct gw_basic_job job; /* first */
    struct gw_timer timer;
    struct gw_basic_asking *next, **prev; /* of the worker's */
    struct gw_basic_worker *worker;
    struct gw_req *req; /* NULL: it no longer waits */
    struct gw_str name; /* the request's */
    struct gw_basic_proof proof;
    long long remember_ms;
};

/* For the name's user, or NULL: nobody's, of whom nothing is told either.  proof, job.digest and
 * job.password are the caller's to fill in; until it is sent, gw_basic_job_free() ends it. */
struct gw_basic_asking *gw_basic_asking_new(struct gw_req *req, const struct gw_basic_settings *s,
                                            struct gw_str name, const struct gw_basic_user *u);

/* GW_WAIT; or GW_NEXT, when the pool can't be asked: then the request is refused.  Takes it. */
enum gw_verdict gw_basic_asking_send(struct gw_basic_asking *a, struct gw_basic_worker *w,
                                     const struct gw_basic_settings *s, struct gw_str network);

/* The worker ends: nothing is asked any more. */
void gw_basic_asking_stop(struct gw_basic_worker *w);

/* What becomes of a request. */
void gw_basic_refuse(struct gw_req *req, enum gw_err err);
/* The password was right; whether its user may come is another question. */
void gw_basic_let_in(struct gw_req *req, struct gw_basic_user *u, const char *how);
/* It was not even asked. */
void gw_basic_refuse_to_ask(struct gw_req *req, struct gw_basic_worker *w,
                            const struct gw_basic_settings *s, enum gw_basic_answer answer,
                            uint64_t wait_ms);

#endif
