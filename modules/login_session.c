#include "modules/login_session.h"

#include "base/base64.h"
#include "modules/jwt_token.h"

#define LENGTH_MAX 65535
#define AS_IT_IS   0
#define AS_PARTS   1 /* three of base64url, with dots between them */

/* ---- written ------------------------------------------------------------------------------ */

static void
put_number(struct gw_buf *out, uint64_t v, unsigned bytes)
{
    while (bytes > 0) {
        unsigned char c = (unsigned char)(v >> (8 * --bytes));

        gw_buf_add(out, &c, 1);
    }
}

static void
put_text(struct gw_buf *out, struct gw_str s)
{
    put_number(out, s.n, 2);
    gw_buf_str(out, s);
}

/* Only one way to write it, or it would not be the same token again. */
static bool
put_parts(struct gw_buf *out, struct gw_arena *a, struct gw_str token)
{
    struct gw_str part[3];

    for (unsigned i = 0; i < 3; i++) {
        struct gw_str text = i < 2 ? gw_str_cut(&token, '.') : token;

        if (text.n == 0 || !gw_jwt_base64url(a, text, &part[i])) {
            return false;
        }
    }
    put_number(out, AS_PARTS, 1);
    for (unsigned i = 0; i < 3; i++) {
        put_text(out, part[i]);
    }
    return true;
}

static unsigned
dots_in(struct gw_str s)
{
    unsigned n = 0;

    for (size_t i = 0; i < s.n; i++) {
        n += s.p[i] == '.';
    }
    return n;
}

static void
put_token(struct gw_buf *out, struct gw_arena *a, struct gw_str token)
{
    if (dots_in(token) != 2 || !put_parts(out, a, token)) {
        put_number(out, AS_IT_IS, 1);
        put_text(out, token);
    }
}

static bool
fits(struct gw_str s)
{
    return s.n <= LENGTH_MAX;
}

struct gw_str
gw_login_session_pack(struct gw_arena *a, const struct gw_login_session *s,
                      const unsigned char tag[GW_LOGIN_TAG])
{
    struct gw_buf out = {0};

    if (!fits(s->token) || !fits(s->refresh) || !fits(s->id_token) || !fits(s->user) ||
        !fits(s->subject)) {
        return GW_STR_NONE;
    }
    gw_buf_add(&out, tag, GW_LOGIN_TAG);
    put_number(&out, s->id, 8);
    put_number(&out, s->begun_ms, 8);
    put_number(&out, s->got_ms, 8);
    put_number(&out, s->expires_ms, 8);
    put_token(&out, a, s->token);
    put_token(&out, a, s->refresh);
    put_token(&out, a, s->id_token);
    put_text(&out, s->user);
    put_text(&out, s->subject);
    struct gw_str bytes = gw_arena_str(a, gw_buf_text(&out));
    gw_buf_fini(&out);
    return bytes;
}

/* ---- read --------------------------------------------------------------------------------- */

static bool
take_number(struct gw_str *in, unsigned bytes, uint64_t *v)
{
    if (in->n < bytes) {
        return false;
    }
    *v = 0;
    for (unsigned i = 0; i < bytes; i++) {
        *v = *v << 8 | (unsigned char)in->p[i];
    }
    *in = gw_str_skip(*in, bytes);
    return true;
}

static bool
take_text(struct gw_str *in, struct gw_str *s)
{
    uint64_t n = 0;

    if (!take_number(in, 2, &n) || in->n < n) {
        return false;
    }
    *s = (struct gw_str){in->p, (size_t)n};
    *in = gw_str_skip(*in, (size_t)n);
    return true;
}

static bool
take_parts(struct gw_str *in, struct gw_arena *a, struct gw_str *token)
{
    struct gw_buf text = {0};
    struct gw_str part = GW_STR_NONE;
    bool good = true;

    for (unsigned i = 0; good && i < 3; i++) {
        good = take_text(in, &part);
        gw_buf_puts(&text, i == 0 ? "" : ".");
        gw_base64url_add(&text, part.p, good ? part.n : 0);
    }
    *token = gw_arena_str(a, gw_buf_text(&text));
    gw_buf_fini(&text);
    return good;
}

static bool
take_token(struct gw_str *in, struct gw_arena *a, struct gw_str *token)
{
    uint64_t how = 0;

    if (!take_number(in, 1, &how)) {
        return false;
    }
    return how == AS_PARTS ? take_parts(in, a, token) : how == AS_IT_IS && take_text(in, token);
}

bool
gw_login_session_unpack(struct gw_arena *a, struct gw_str bytes,
                        const unsigned char tag[GW_LOGIN_TAG], struct gw_login_session *s)
{
    *s = (struct gw_login_session){0};
    if (bytes.n < GW_LOGIN_TAG || memcmp(bytes.p, tag, GW_LOGIN_TAG) != 0) {
        return false;
    }
    bytes = gw_str_skip(bytes, GW_LOGIN_TAG);
    return take_number(&bytes, 8, &s->id) && take_number(&bytes, 8, &s->begun_ms) &&
           take_number(&bytes, 8, &s->got_ms) && take_number(&bytes, 8, &s->expires_ms) &&
           take_token(&bytes, a, &s->token) && take_token(&bytes, a, &s->refresh) &&
           take_token(&bytes, a, &s->id_token) && take_text(&bytes, &s->user) &&
           take_text(&bytes, &s->subject) && bytes.n == 0 && s->token.n > 0;
}
