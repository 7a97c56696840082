#include "gateway/balance.h"

#include <math.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/map.h"
#include "gateway/upstream.h"

/* Weights are counted in these, so that a slowly starting endpoint can have a part of one. */
#define WEIGHT_ONE 1024

/* A slowly starting endpoint gets a tenth of its share at once: with nothing it never warms up. */
#define SLOW_START_LEAST 10

static uint64_t
random_bits(void)
{
    static _Thread_local uint64_t state;

    if (state == 0) {
        state = gw_hash((struct gw_str){(const char *)&state, sizeof(void *)}) ^
                (uint64_t)(uintptr_t)&state;
        state |= 1;
    }
    state ^= state << 13; /* xorshift64: good enough to spread load */
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* -- who may be taken ---------------------------------------------------------------------------
 */

/* One question, as the policies see it. */
struct ask {
    const struct gw_destination *to;
    uint64_t tried, now_ms;
    bool need_up, need_room;
};

/* It was tried already, or is not to be. */
static bool
is_out(const struct ask *ask, unsigned i)
{
    return (i < 64 && (ask->tried >> i & 1) != 0) || gw_endpoint_refuses(ask->to->endpoints[i]);
}

static bool
has_room(const struct gw_destination *to, const struct gw_endpoint *e)
{
    return to->max_connections == 0 || e->busy < to->max_connections;
}

static bool
fits(const struct ask *ask, unsigned i)
{
    const struct gw_endpoint *e = ask->to->endpoints[i];

    return !is_out(ask, i) && (!ask->need_up || gw_endpoint_up(e)) &&
           (!ask->need_room || has_room(ask->to, e));
}

/* Sets what is asked for to the most that somebody fulfils; false: nobody is left. */
static bool
settle_for(struct ask *ask)
{
    const struct gw_destination *to = ask->to;
    unsigned up = 0;
    unsigned left = 0;
    unsigned left_up = 0;
    unsigned left_room = 0;
    unsigned left_both = 0;

    for (unsigned i = 0; i < to->n_endpoints; i++) {
        bool is_up = gw_endpoint_up(to->endpoints[i]);
        bool room = has_room(to, to->endpoints[i]);

        up += is_up;
        if (!is_out(ask, i)) {
            left++;
            left_up += is_up;
            left_room += room;
            left_both += is_up && room;
        }
    }
    unsigned panic = to->balancer == NULL ? 0 : to->balancer->panic_percent;
    ask->need_up = left_up > 0 && (uint64_t)up * 100 >= (uint64_t)panic * to->n_endpoints;
    ask->need_room = ask->need_up ? left_both > 0 : left_room > 0;
    return left > 0;
}

static uint64_t
weight_of(const struct ask *ask, unsigned i)
{
    const struct gw_destination *to = ask->to;
    uint64_t w = (to->weights == NULL ? 1 : to->weights[i]) * (uint64_t)WEIGHT_ONE;
    uint64_t slow = to->balancer == NULL ? 0 : to->balancer->slow_start_ms;
    uint64_t age = ask->now_ms - to->endpoints[i]->up_since_ms;

    if (slow == 0 || age >= slow) {
        return w;
    }
    uint64_t least = w / SLOW_START_LEAST;
    uint64_t share = w * age / slow;

    return share > least ? share : least;
}

/* What it has to do: requests on connections, and those that wait for one. */
static uint64_t
load_of(const struct gw_endpoint *e)
{
    return (uint64_t)e->busy + e->n_pending;
}

/* -- the policies: each an index, or n_endpoints ------------------------------------------------
 */

/* One of those that fit, by weight. */
static unsigned
draw(const struct ask *ask)
{
    unsigned n = ask->to->n_endpoints;
    uint64_t sum = 0;

    for (unsigned i = 0; i < n; i++) {
        sum += fits(ask, i) ? weight_of(ask, i) : 0;
    }
    if (sum == 0) {
        return n;
    }
    uint64_t at = random_bits() % sum;
    for (unsigned i = 0; i < n; i++) {
        uint64_t w = fits(ask, i) ? weight_of(ask, i) : 0;

        if (at < w) {
            return i;
        }
        at -= w;
    }
    return n;
}

static unsigned
less_loaded(const struct ask *ask, unsigned a, unsigned b)
{
    uint64_t load_a = load_of(ask->to->endpoints[a]) * weight_of(ask, b);
    uint64_t load_b = load_of(ask->to->endpoints[b]) * weight_of(ask, a);

    return load_b < load_a ? b : a;
}

/* Power of two choices: of two drawn, the one with less to do for its weight. */
static unsigned
two_choices(const struct ask *ask)
{
    unsigned a = draw(ask);
    unsigned b = draw(ask);

    return a == ask->to->n_endpoints || a == b ? a : less_loaded(ask, a, b);
}

/* The same when all are alike, without looking at any but the two: they are believed when both
 * are up, however many are. */
static unsigned
two_alike(const struct ask *ask)
{
    uint64_t n = ask->to->n_endpoints;
    uint64_t bits = random_bits();
    unsigned a = (unsigned)((bits >> 32) % n);
    unsigned b = (unsigned)((bits & UINT32_MAX) % (n - 1));

    b += b >= a; /* another one */
    return fits(ask, a) && fits(ask, b) ? less_loaded(ask, a, b) : ask->to->n_endpoints;
}

/* Smooth weighted round robin: each gets its weight as credit, the richest is taken and pays for
 * all.  So of weights 5, 1, 1 come a a b a c a a, and not a a a a a b c. */
static unsigned
round_robin(const struct ask *ask)
{
    unsigned n = ask->to->n_endpoints;
    long long *credit = ask->to->turns;
    unsigned best = n;
    long long sum = 0;

    for (unsigned i = 0; i < n; i++) {
        if (fits(ask, i)) {
            long long w = (long long)weight_of(ask, i);

            credit[i] += w;
            sum += w;
            best = best == n || credit[i] > credit[best] ? i : best;
        }
    }
    if (best < n) {
        credit[best] -= sum;
    }
    return best;
}

/* The least to do for its weight; of several, one is drawn: else the first would get all that
 * comes while nobody has anything to do. */
static unsigned
least_loaded(const struct ask *ask)
{
    unsigned n = ask->to->n_endpoints;
    unsigned best = n;
    uint64_t sum = 0;

    for (unsigned i = 0; i < n; i++) {
        if (!fits(ask, i)) {
            continue;
        }
        uint64_t w = weight_of(ask, i);
        uint64_t mine = best == n ? 0 : load_of(ask->to->endpoints[i]) * weight_of(ask, best);
        uint64_t its = best == n ? 0 : load_of(ask->to->endpoints[best]) * w;

        if (best == n || mine < its) {
            best = i;
            sum = w;
        } else if (mine == its) {
            sum += w;
            best = random_bits() % sum < w ? i : best;
        }
    }
    return best;
}

/* splitmix64's last step: each bit of the sum moves half of the result's. */
uint64_t
gw_balance_mix(uint64_t x)
{
    x ^= x >> 30;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 27;
    x *= UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* Rendezvous hashing: each endpoint draws a number for the key, and the highest wins.  Whoever
 * leaves takes only its own keys away, whoever joins takes its share from all alike, and a weight
 * w makes the draw u^(1/w), which is exactly w times as likely to win.  No ring is kept. */
static unsigned
by_key(const struct ask *ask, uint64_t key)
{
    const struct gw_destination *to = ask->to;
    unsigned best = to->n_endpoints;
    uint64_t highest = 0;
    double best_score = 0;

    for (unsigned i = 0; i < to->n_endpoints; i++) {
        uint64_t drawn = gw_balance_mix(key ^ to->endpoints[i]->hash);

        if (!fits(ask, i)) {
            continue;
        }
        if (to->weights == NULL) {
            if (best == to->n_endpoints || drawn > highest) {
                best = i;
                highest = drawn;
            }
            continue;
        }
        /* in (0, 1): 53 bits are what a double holds, the half keeps log() from 0 */
        double u = ((double)(drawn >> 11) + 0.5) / 9007199254740992.0;
        double score = (double)to->weights[i] / -log(u);

        if (best == to->n_endpoints || score > best_score) {
            best = i;
            best_score = score;
        }
    }
    return best;
}

unsigned
gw_balance_choose(const struct gw_destination *to, uint64_t tried, uint64_t key, uint64_t now_ms)
{
    struct ask ask = {to, tried, now_ms, true, true};
    enum gw_policy policy = to->balancer == NULL ? GW_POLICY_P2C : to->balancer->policy;
    bool alike = to->weights == NULL && (to->balancer == NULL || to->balancer->slow_start_ms == 0);

    if (to->n_endpoints == 1) {
        return tried == 0 ? 0 : 1;
    }
    if (policy == GW_POLICY_HASH && key == 0) {
        policy = GW_POLICY_P2C;
    }
    if (policy == GW_POLICY_P2C && alike && to->n_endpoints > 1) {
        unsigned i = two_alike(&ask);

        if (i < to->n_endpoints) {
            return i;
        }
    }
    if (!settle_for(&ask)) {
        return to->n_endpoints;
    }
    switch (policy) {
    case GW_POLICY_P2C:
        return two_choices(&ask);
    case GW_POLICY_ROUND_ROBIN:
        return to->turns == NULL ? two_choices(&ask) : round_robin(&ask);
    case GW_POLICY_LEAST_CONN:
        return least_loaded(&ask);
    case GW_POLICY_HASH:
        ask.need_room = false; /* a key waits for its own */
        return by_key(&ask, key);
    }
    return to->n_endpoints;
}

/* -- keys ---------------------------------------------------------------------------------------
 */

uint64_t
gw_balance_hash(struct gw_str s)
{
    return XXH3_64bits(s.n == 0 ? "" : s.p, s.n);
}

/* "a=1; name=value": the value, as sent. */
static struct gw_str
cookie_in(struct gw_str line, struct gw_str name)
{
    while (line.n > 0) {
        struct gw_str pair = gw_str_trim(gw_str_cut(&line, ';'));

        if (pair.n > name.n && pair.p[name.n] == '=' && gw_str_has_prefix(pair, name)) {
            return gw_str_skip(pair, name.n + 1);
        }
    }
    return GW_STR_NONE;
}

static struct gw_str
cookie(const struct gw_headers *h, struct gw_str name)
{
    struct gw_str value = GW_STR_NONE;

    for (unsigned i = 0; i < h->n && value.n == 0; i++) {
        if (h->list[i].id == GW_H_COOKIE) {
            value = cookie_in(h->list[i].value, name);
        }
    }
    return value;
}

static struct gw_str
hashed_part(const struct gw_balancer *b, const struct gw_headers *h, struct gw_str client_ip)
{
    const struct gw_header *field = NULL;

    switch (b->hash_by) {
    case GW_HASH_HEADER:
        field = gw_headers_find(h, b->hash_name);
        return field == NULL ? GW_STR_NONE : field->value;
    case GW_HASH_COOKIE:
        return cookie(h, b->hash_name);
    case GW_HASH_IP:
        return client_ip;
    }
    return GW_STR_NONE;
}

uint64_t
gw_balance_key(const struct gw_balancer *b, const struct gw_headers *h, struct gw_str client_ip)
{
    if (b == NULL || b->policy != GW_POLICY_HASH) {
        return 0;
    }
    struct gw_str value = hashed_part(b, h, client_ip);
    return value.n == 0 ? 0 : gw_balance_hash(value) | 1; /* 0 means none */
}
