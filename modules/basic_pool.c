#include "modules/basic_pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include <openssl/crypto.h>

#include "base/clock.h"
#include "base/log.h"
#include "modules/basic_failures.h"

#define IDLE_S 30 /* without work, until a thread ends */
#define NICE   5  /* requests of those who are known come first */

/* The process's; all of it behind the lock, which nobody keeps for longer than a list takes. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct gw_basic_job *first, **last; /* the queue; last: where the next goes */
    struct gw_basic_job *running;
    _Atomic(struct gw_basic_failures *) failures; /* made with the first check, and never again */
    long long n_queued, n_running, n_threads, n_idle, most_threads;
    unsigned long long right, wrong;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .work = PTHREAD_COND_INITIALIZER};

static void
lock(void)
{
    (void)pthread_mutex_lock(&pool.lock);
}

static void
unlock(void)
{
    (void)pthread_mutex_unlock(&pool.lock);
}

static void
wipe(struct gw_basic_job *job)
{
    if (job->password != NULL) {
        OPENSSL_cleanse(job->password, strlen(job->password));
        free(job->password);
        job->password = NULL;
    }
}

void
gw_basic_job_free(struct gw_basic_job *job)
{
    wipe(job);
    free(job);
}

static struct gw_basic_window
window_of(const struct gw_basic_job *job)
{
    return (struct gw_basic_window){
        .now_ms = gw_clock_mono_ms(), .window_ms = job->window_ms, .tracked = job->tracked};
}

/* ---- the queue ---------------------------------------------------------------------------- */

static void
push(struct gw_basic_job *job)
{
    job->state = GW_JOB_QUEUED;
    job->next = NULL;
    if (pool.first == NULL) {
        pool.last = &pool.first;
    }
    *pool.last = job;
    pool.last = &job->next;
    pool.n_queued++;
}

/* Out of the list that begins at *at. */
static void
unlink_job(struct gw_basic_job **at, const struct gw_basic_job *job)
{
    while (*at != job) {
        at = &(*at)->next;
    }
    *at = job->next;
    if (pool.last == &job->next) {
        pool.last = at;
    }
}

static struct gw_basic_job *
same_in(struct gw_basic_job *list, const unsigned char digest[GW_BASIC_DIGEST])
{
    while (list != NULL && CRYPTO_memcmp(list->digest, digest, GW_BASIC_DIGEST) != 0) {
        list = list->next;
    }
    return list;
}

/* Is the same being found out already? */
static bool
follow(struct gw_basic_job *job)
{
    struct gw_basic_job *leader = same_in(pool.running, job->digest);

    leader = leader == NULL ? same_in(pool.first, job->digest) : leader;
    if (leader == NULL) {
        return false;
    }
    wipe(job);
    job->state = GW_JOB_FOLLOWS;
    job->next = leader->behind;
    leader->behind = job;
    return true;
}

/* ---- answers ------------------------------------------------------------------------------ */

/* On the worker, or where its mailbox ends. */
static void
come_home(struct gw_mail *mail, void *receiver)
{
    struct gw_basic_job *job = (struct gw_basic_job *)mail;

    (void)receiver;
    if (job->home == NULL) {
        gw_basic_job_free(job);
        return;
    }
    job->done(job);
}

static void
send_home(struct gw_basic_job *job, bool right)
{
    job->right = right;
    job->state = GW_JOB_ENDED;
    if (job->home == NULL) {
        gw_basic_job_free(job);
        return;
    }
    job->mail.run = come_home;
    gw_world_send(job->home, &job->mail);
}

/* The same wrong word from many at once is one guess for its user, and one for each address. */
static void
settle(struct gw_basic_job *job, bool right)
{
    struct gw_basic_window w = window_of(job);
    uint64_t address = job->address_key;

    gw_basic_failures_end(pool.failures, job->user_key);
    pool.right += right;
    pool.wrong += !right;
    if (!right) {
        gw_basic_failures_add(pool.failures, job->user_key, &w);
        gw_basic_failures_add(pool.failures, address, &w);
    }
    struct gw_basic_job *behind = job->behind;
    job->behind = NULL;
    send_home(job, right);
    while (behind != NULL) {
        struct gw_basic_job *next = behind->next;

        if (!right && behind->address_key != address) {
            gw_basic_failures_add(pool.failures, behind->address_key, &w);
        }
        send_home(behind, right);
        behind = next;
    }
}

/* ---- threads ------------------------------------------------------------------------------ */

/* Waits for work; NULL: there was none for a while, or there are too many of us. */
static struct gw_basic_job *
take(void)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += IDLE_S;
    while (pool.first == NULL && pool.n_threads <= pool.most_threads) {
        pool.n_idle++;
        int error = pthread_cond_timedwait(&pool.work, &pool.lock, &until);
        pool.n_idle--;
        if (error != 0 && pool.first == NULL) {
            return NULL;
        }
    }
    if (pool.n_threads > pool.most_threads) {
        if (pool.first != NULL) {
            (void)pthread_cond_signal(
                &pool.work); /* it may have woken us instead of one who stays */
        }
        return NULL;
    }
    struct gw_basic_job *job = pool.first;
    unlink_job(&pool.first, job);
    pool.n_queued--;
    pool.n_running++;
    job->state = GW_JOB_RUNS;
    job->next = pool.running;
    pool.running = job;
    return job;
}

static void *
run(void *arg)
{
    struct gw_bcrypt *b = gw_bcrypt_new();

    (void)arg;
    gw_log_name("passwords");
    (void)setpriority(PRIO_PROCESS, 0, NICE); /* of this thread alone */
    lock();
    for (struct gw_basic_job *job = take(); job != NULL; job = take()) {
        unlock();
        bool right = gw_bcrypt_check(b, job->password, job->hash) && job->known;
        wipe(job);
        lock();
        unlink_job(&pool.running, job);
        pool.n_running--;
        settle(job, right);
    }
    pool.n_threads--;
    unlock();
    gw_bcrypt_free(b);
    return NULL;
}

/* One more, when all are busy and there may be more.  False: there is none at all. */
static bool
have_thread(void)
{
    pthread_attr_t attr;
    pthread_t thread;

    if (pool.n_idle >= pool.n_queued || pool.n_threads >= pool.most_threads) {
        return true;
    }
    (void)pthread_attr_init(&attr);
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &attr, run, NULL) == 0) {
        pool.n_threads++;
    }
    (void)pthread_attr_destroy(&attr);
    return pool.n_threads > 0;
}

/* ---- the workers' side -------------------------------------------------------------------- */

uint64_t
gw_basic_pool_wait(const struct gw_basic_settings *s, struct gw_str address)
{
    struct gw_basic_failures *failures = pool.failures;
    uint64_t key = gw_basic_failures_key(GW_BASIC_OF_ADDRESS, address);

    if (failures == NULL || gw_basic_failures_none(failures, key)) {
        return 0;
    }
    struct gw_basic_window w = {.now_ms = gw_clock_mono_ms(), .window_ms = (uint64_t)s->window_ms};
    lock();
    uint64_t wait_ms = gw_basic_failures_wait(failures, key, s->address_failures, &w);
    unlock();
    return wait_ms;
}

/* Before it may follow: who would be refused with other words must not learn by the answer that
 * these are the ones that somebody else is let in by. */
static enum gw_basic_answer
refuse(const struct gw_basic_job *job, const struct gw_basic_settings *s, uint64_t *wait_ms)
{
    struct gw_basic_window w = window_of(job);

    *wait_ms = gw_basic_failures_wait(pool.failures, job->user_key, s->user_failures, &w);
    if (*wait_ms > 0) {
        return GW_BASIC_TOO_MANY_USER;
    }
    *wait_ms = gw_basic_failures_wait(pool.failures, job->address_key, s->address_failures, &w);
    if (*wait_ms > 0) {
        return GW_BASIC_TOO_MANY_ADDRESS;
    }
    *wait_ms = 1000;
    return pool.n_queued >= s->pending ? GW_BASIC_BUSY : GW_BASIC_ASKED;
}

static enum gw_basic_answer
ask(struct gw_basic_job *job, const struct gw_basic_settings *s, uint64_t *wait_ms)
{
    if (pool.failures == NULL) {
        pool.failures = gw_basic_failures_new();
    }
    pool.most_threads = s->threads;
    enum gw_basic_answer answer = refuse(job, s, wait_ms);
    if (answer != GW_BASIC_ASKED) {
        return answer;
    }
    if (follow(job)) {
        return GW_BASIC_ASKED;
    }
    struct gw_basic_window w = window_of(job);
    push(job);
    if (!have_thread()) {
        unlink_job(&pool.first, job);
        pool.n_queued--;
        return GW_BASIC_BUSY;
    }
    gw_basic_failures_begin(pool.failures, job->user_key, &w);
    (void)pthread_cond_signal(&pool.work);
    return GW_BASIC_ASKED;
}

enum gw_basic_answer
gw_basic_pool_ask(struct gw_basic_job *job, struct gw_world *home,
                  const struct gw_basic_settings *s, struct gw_str name, struct gw_str address,
                  uint64_t *wait_ms)
{
    job->home = home;
    job->user_key = gw_basic_failures_key(GW_BASIC_OF_USER, name);
    job->address_key = gw_basic_failures_key(GW_BASIC_OF_ADDRESS, address);
    job->window_ms = (uint64_t)s->window_ms;
    job->tracked = (size_t)s->tracked;
    lock();
    enum gw_basic_answer answer = ask(job, s, wait_ms);
    unlock();
    return answer;
}

bool
gw_basic_pool_withdraw(struct gw_basic_job *job)
{
    lock();
    bool back = job->state == GW_JOB_QUEUED && job->behind == NULL;
    if (back) {
        unlink_job(&pool.first, job);
        pool.n_queued--;
        gw_basic_failures_end(pool.failures, job->user_key);
    }
    unlock();
    return back;
}

void
gw_basic_pool_leave(struct gw_basic_job *job)
{
    if (gw_basic_pool_withdraw(job)) {
        gw_basic_job_free(job);
        return;
    }
    lock();
    job->home = NULL;
    unlock();
}

void
gw_basic_pool_stats(struct gw_basic_pool_stats *out)
{
    lock();
    *out = (struct gw_basic_pool_stats){
        .waiting = (unsigned long long)pool.n_queued,
        .running = (unsigned long long)pool.n_running,
        .tracked = pool.failures == NULL ? 0 : gw_basic_failures_count(pool.failures),
        .right = pool.right,
        .wrong = pool.wrong,
    };
    unlock();
}
