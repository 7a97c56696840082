#include "modules/login_answer.h"

#include <stdlib.h>

#include <jansson.h>
#include <openssl/crypto.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/refs.h"
#include "config/json.h"
#include "modules/jwt_token.h"

#define USUAL_LIFE_MS 300000 /* of a token that does not say when it ends */
#define SECONDS_MAX   315360000LL
#define GW_LOGIN_WORD 48

struct gw_login_answer *
gw_login_answer_new(enum gw_login_outcome outcome, const char *trouble)
{
    struct gw_login_answer *a = gw_mem_alloc(sizeof(*a));

    atomic_init(&a->refs, 1);
    a->outcome = outcome;
    a->trouble = trouble;
    a->got_ms = gw_clock_wall_ms();
    return a;
}

struct gw_login_answer *
gw_login_answer_ref(struct gw_login_answer *a)
{
    gw_refs_take(&a->refs);
    return a;
}

static void
forget(struct gw_login_grant *g)
{
    if (g->text != NULL) {
        OPENSSL_cleanse(g->text, strlen(g->text));
    }
    free(g->text);
}

void
gw_login_answer_unref(struct gw_login_answer *a)
{
    if (a == NULL || !gw_refs_drop(&a->refs)) {
        return;
    }
    for (unsigned e = 0; e < GW_LOGIN_N_ENDPOINTS; e++) {
        free(a->url[e]);
    }
    forget(&a->access);
    forget(&a->id);
    forget(&a->refresh);
    free(a);
}

/* ---- errors ------------------------------------------------------------------------------- */

void
gw_login_error_word(struct gw_str word, char out[GW_LOGIN_WORD])
{
    bool good = word.n > 0 && word.n < GW_LOGIN_WORD;

    for (size_t i = 0; good && i < word.n; i++) {
        char c = word.p[i];

        good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
    }
    if (!good) {
        word = GW_STR("?");
    }
    memcpy(out, word.p, word.n);
    out[word.n] = '\0';
}

static struct gw_str
text_of(const json_t *root, const char *name)
{
    return gw_json_text(json_object_get(root, name));
}

/* That we are not known, or not allowed to ask so, is not what the session is to blame for. */
static struct gw_login_answer *
read_error(long status, const json_t *root)
{
    struct gw_str word = text_of(root, "error");
    bool denied = gw_str_eq(word, GW_STR("invalid_grant"));
    struct gw_login_answer *a;

    if (status >= 500 || status == 429) {
        a = gw_login_answer_new(GW_LOGIN_AWAY, "the provider is in trouble (its status is 429, or "
                                               "500 and above)");
    } else if (word.n == 0) {
        return gw_login_answer_new(GW_LOGIN_ODD, "the answer is neither tokens nor an error");
    } else if (denied) {
        a = gw_login_answer_new(GW_LOGIN_DENIED, "the provider says invalid_grant");
    } else {
        a = gw_login_answer_new(GW_LOGIN_AWAY,
                                "the provider does not take the gateway's question "
                                "(login.client_id, client_secret_file, client_auth)");
    }
    if (word.n > 0) {
        gw_login_error_word(word, a->error);
    }
    return a;
}

/* ---- tokens ------------------------------------------------------------------------------- */

/* It becomes part of a header. */
static bool
is_token(struct gw_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] <= 0x20 || (unsigned char)s.p[i] >= 0x7f) {
            return false;
        }
    }
    return s.n > 0 && s.n <= GW_JWT_TOKEN_MAX;
}

/* When the token itself says that it ends; 0: it does not. */
static uint64_t
end_of(struct gw_str token)
{
    struct gw_arena *arena = gw_arena_new();
    struct gw_jwt_token parts;
    const char *why;
    uint64_t ms = 0;

    if (gw_jwt_token_split(&parts, arena, token, &why) == GW_ERR_OK) {
        const struct gw_jwt_json *exp = gw_jwt_json_get(parts.claims, "exp");

        if (gw_jwt_json_is(exp, GW_JWT_JSON_INTEGER) && exp->number.integer > 0 &&
            exp->number.integer < INT64_MAX / 2000) {
            ms = (uint64_t)exp->number.integer * 1000;
        }
    }
    gw_arena_free(arena);
    return ms;
}

/* False: it is there, and no token. */
static bool
take(struct gw_login_grant *g, const json_t *root, const char *name, uint64_t otherwise_ms)
{
    struct gw_str text = text_of(root, name);

    if (json_object_get(root, name) == NULL) {
        return true;
    }
    if (!is_token(text)) {
        return false;
    }
    uint64_t end_ms = end_of(text);
    g->text = gw_mem_strndup(text);
    g->expires_ms = end_ms > 0 ? end_ms : otherwise_ms;
    return true;
}

static bool
is_bearer(const json_t *root)
{
    return json_object_get(root, "token_type") == NULL ||
           gw_str_eq_nocase(text_of(root, "token_type"), GW_STR("Bearer"));
}

static struct gw_login_answer *
read_tokens(const json_t *root, uint64_t now_ms)
{
    struct gw_login_answer *a = gw_login_answer_new(GW_LOGIN_GOOD, NULL);
    const json_t *in = json_object_get(root, "expires_in");
    long long s = json_is_integer(in) ? (long long)json_integer_value(in) : 0;
    uint64_t end_ms =
        now_ms + (s > 0 && s < SECONDS_MAX ? (uint64_t)s * 1000 : (uint64_t)USUAL_LIFE_MS);

    a->got_ms = now_ms;
    if (!is_bearer(root)) {
        a->outcome = GW_LOGIN_ODD;
        a->trouble = "the token_type is not Bearer";
    } else if (!take(&a->access, root, "access_token", end_ms) ||
               !take(&a->id, root, "id_token", end_ms) ||
               !take(&a->refresh, root, "refresh_token", UINT64_MAX) || a->access.text == NULL) {
        a->outcome = GW_LOGIN_ODD;
        a->trouble = "a token is missing, not text, or longer than 16 KiB";
    }
    return a;
}

struct gw_login_answer *
gw_login_answer_read(long status, struct gw_str body, uint64_t now_ms)
{
    json_t *root = json_loadb(body.p == NULL ? "" : body.p, body.n, JSON_REJECT_DUPLICATES, NULL);
    struct gw_login_answer *a =
        status != 200          ? read_error(status, root)
        : json_is_object(root) ? read_tokens(root, now_ms)
                               : gw_login_answer_new(GW_LOGIN_ODD, "the answer is no JSON object "
                                                                   "without duplicate members");

    a->got_ms = now_ms;
    json_decref(root);
    return a;
}
