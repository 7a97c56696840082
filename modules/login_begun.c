/* login_begun.c - a login that is under way, as the browser keeps it for us. */
#include "base/clock.h"
#include "modules/jwt_cookies.h"
#include "modules/jwt_site.h"
#include "modules/login_cookies.h"
#include "modules/login_ended.h"
#include "modules/login_flow.h"
#include "modules/login_seal.h"

#define RANDOM_TEXT 43 /* of gw_login_random() */
#define FRONT       (8 + RANDOM_TEXT + RANDOM_TEXT)
#define AT_ONCE     8 /* logins in one browser; a head has room for so many, and a user too */

struct gw_str
gw_login_base(const struct gw_req *req, const struct gw_login_settings *s)
{
    bool https = gw_jwt_site_is_https(req);
    struct gw_str host = gw_jwt_site_host(req);
    struct gw_jwt_origin origin;

    if (s->base.n > 0) {
        return s->base;
    }
    if (!gw_jwt_origin_of(https, host, &origin)) {
        return GW_STR_NONE;
    }
    return gw_str_of(
        gw_arena_printf(req->arena, "%s://%.*s", https ? "https" : "http", GW_STR_ARG(host)));
}

/* ---- its bytes ---------------------------------------------------------------------------- */

static struct gw_str
pack(struct gw_arena *a, const struct gw_login_begun *b)
{
    char *bytes = gw_arena_raw(a, FRONT + b->back.n);
    char *at = bytes;

    for (unsigned i = 0; i < 8; i++) {
        *at++ = (char)(unsigned char)(b->at_ms >> (56 - 8 * i));
    }
    memcpy(at, b->nonce.p, RANDOM_TEXT);
    memcpy(at + RANDOM_TEXT, b->verifier.p, RANDOM_TEXT);
    memcpy(bytes + FRONT, b->back.p, b->back.n);
    return (struct gw_str){bytes, FRONT + b->back.n};
}

static bool
unpack(struct gw_str bytes, struct gw_login_begun *b)
{
    *b = (struct gw_login_begun){0};
    if (bytes.n <= FRONT) {
        return false;
    }
    for (unsigned i = 0; i < 8; i++) {
        b->at_ms = b->at_ms << 8 | (unsigned char)bytes.p[i];
    }
    b->nonce = (struct gw_str){bytes.p + 8, RANDOM_TEXT};
    b->verifier = (struct gw_str){bytes.p + 8 + RANDOM_TEXT, RANDOM_TEXT};
    b->back = gw_str_skip(bytes, FRONT);
    return true;
}

/* ---- its cookie --------------------------------------------------------------------------- */

static struct gw_str
front_of(struct gw_req *req, const struct gw_login_settings *s)
{
    return gw_login_cookie_other(req, gw_login_cookie_name(req, s), "begun-");
}

static struct gw_str
name_of(struct gw_req *req, const struct gw_login_settings *s, struct gw_str state)
{
    struct gw_str front = front_of(req, s);

    return gw_str_of(gw_arena_printf(req->arena, "%.*s%.*s", GW_STR_ARG(front), GW_STR_ARG(state)));
}

static bool
open_one(struct gw_req *req, const struct gw_login_settings *s, struct gw_str name,
         struct gw_str text, struct gw_login_begun *b)
{
    struct gw_str bytes;

    return gw_login_open(req->arena, &s->keys, GW_LOGIN_BEGUN, name, text, &bytes) &&
           unpack(bytes, b);
}

/* The newest that there are, the newest first. */
struct newest {
    struct gw_str name[AT_ONCE];
    uint64_t at_ms[AT_ONCE];
    unsigned n;
};

/* The one that there is no room for, or none. */
static struct gw_str
put_in(struct newest *all, struct gw_str name, uint64_t at_ms)
{
    unsigned i = all->n;

    for (; i > 0 && all->at_ms[i - 1] < at_ms; i--) {
        all->name[i] = all->name[i - 1];
        all->at_ms[i] = all->at_ms[i - 1];
    }
    all->name[i] = name;
    all->at_ms[i] = at_ms;
    if (all->n < AT_ONCE - 1) {
        all->n++;
        return GW_STR_NONE;
    }
    return all->name[AT_ONCE - 1];
}

/* A browser that begins again and again and ends nothing would fill its heads with them: the newest
 * stay, of those that are still good for something. */
static void
make_room(struct gw_req *req, const struct gw_login_settings *s)
{
    struct gw_str front = front_of(req, s);
    uint64_t now_ms = gw_clock_wall_ms();
    struct newest all = {.n = 0};
    struct gw_jwt_cookie c = {0};
    struct gw_login_begun b;

    while (gw_jwt_cookie_next(&req->head->headers, &c)) {
        if (!gw_str_has_prefix(c.name, front)) {
            continue;
        }
        bool good =
            open_one(req, s, c.name, c.value, &b) && now_ms < b.at_ms + (uint64_t)s->begin_max_ms;
        struct gw_str gone = good ? put_in(&all, c.name, b.at_ms) : c.name;
        if (gone.n > 0) {
            gw_login_cookie_clear(req, gone);
        }
    }
}

bool
gw_login_begun_give(struct gw_req *req, const struct gw_login_settings *s, struct gw_str state,
                    const struct gw_login_begun *b)
{
    struct gw_str name = name_of(req, s, state);
    struct gw_str text =
        gw_login_seal(req->arena, &s->keys, GW_LOGIN_BEGUN, name, pack(req->arena, b));

    if (text.n == 0) {
        return false;
    }
    make_room(req, s);
    gw_login_cookie_write(req, name, text, s->begin_max_ms / 1000);
    return true;
}

/* It becomes part of a cookie's name. */
static bool
is_state(struct gw_str state)
{
    for (size_t i = 0; i < state.n; i++) {
        char c = state.p[i];

        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
              c == '-' || c == '_')) {
            return false;
        }
    }
    return state.n == RANDOM_TEXT;
}

/* It is random, and ours: the cookie of that name could be opened. */
static uint64_t
number_of(struct gw_str state)
{
    uint64_t number;

    memcpy(&number, state.p, sizeof(number));
    return number;
}

bool
gw_login_begun_take(struct gw_req *req, const struct gw_login_settings *s, struct gw_str state,
                    struct gw_login_begun *b)
{
    uint64_t now_ms = gw_clock_wall_ms();
    bool there;

    if (!is_state(state)) {
        return false;
    }
    struct gw_str name = name_of(req, s, state);
    struct gw_str text = gw_login_cookie_read(req, name, &there);
    if (there) {
        gw_login_cookie_clear(req, name);
    }
    return text.n > 0 && open_one(req, s, name, text, b) &&
           now_ms < b->at_ms + (uint64_t)s->begin_max_ms &&
           gw_login_ended_add(GW_LOGIN_STATES, number_of(state),
                              b->at_ms + (uint64_t)s->begin_max_ms, now_ms);
}
