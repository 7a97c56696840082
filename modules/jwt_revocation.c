#include "modules/jwt_revocation.h"

#include <assert.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "config/json.h"
#include "config/schema.h"
#include "modules/jwt_revoked.h"
#include "modules/jwt_token.h"

#define SOON_MS 60000 /* the clock of whoever wrote it may be ahead by that */

/* -- keys ----------------------------------------------------------------------------------- */

struct gw_revoked_key
gw_revoked_key_of(enum gw_revoked_what what, struct gw_str a, struct gw_str b)
{
    uint64_t parts[5] = {what}; /* hashes of hashes: no two pairs of texts are run together */
    uint64_t out[2];

    gw_hash128(a, &parts[1]);
    gw_hash128(b, &parts[3]);
    gw_hash128((struct gw_str){(const char *)parts, sizeof(parts)}, out);
    return (struct gw_revoked_key){.high = out[0], .low = (out[1] & ~(uint64_t)3) | what};
}

static struct gw_revoked_key
key_of_digest(const unsigned char digest[GW_JWT_HASH])
{
    return gw_revoked_key_of(GW_REVOKED_TOKEN, (struct gw_str){(const char *)digest, GW_JWT_HASH},
                             GW_STR_NONE);
}

void
gw_revoked_keys_of_digests(const unsigned char digests[2][GW_JWT_HASH],
                           struct gw_revoked_key keys[2])
{
    keys[0] = key_of_digest(digests[0]);
    keys[1] = key_of_digest(digests[1]);
}

void
gw_jwt_token_hash(struct gw_str token, char text[GW_JWT_HASH_TEXT + 1])
{
    unsigned char digests[2][GW_JWT_HASH];
    struct gw_buf out = {0};

    gw_jwt_hash_token(token, digests);
    gw_base64url_add(&out, digests[0], GW_JWT_HASH);
    assert(out.n == GW_JWT_HASH_TEXT);
    memcpy(text, out.p, out.n);
    text[out.n] = '\0';
    gw_buf_fini(&out);
}

/* -- the rows -------------------------------------------------------------------------------- */

/* What the rows fill. */
struct filled {
    const char *jti, *issuer, *user, *reason;
    struct gw_str hash; /* 32 bytes */
    uint64_t before_ms, expires_ms;
};

static gw_set_fn set_time, set_hash;

/* clang-format off */
static const struct gw_setting rows[] = {
    {.name = "jti", .set = gw_set_text, .at = offsetof(struct filled, jti), .example = "7f0c6ad9",
     .help = "The claim jti of the token; needs issuer."},
    {.name = "issuer", .set = gw_set_text, .at = offsetof(struct filled, issuer),
     .example = "https://idp.example.com", .help = "The claim iss of the token."},
    {.name = "tokenHash", .set = set_hash, .at = offsetof(struct filled, hash), .type = "a SHA-256",
     .help = "The SHA-256 of the whole token, in hex or base64url."},
    {.name = "user", .set = gw_set_text, .at = offsetof(struct filled, user), .example = "alice",
     .help = "All tokens of this user that were issued before `before`."},
    {.name = "before", .set = set_time, .at = offsetof(struct filled, before_ms), .type = "a time",
     .example = "2026-11-30T08:00:00Z", .help = "A token without iat counts as issued long before."},
    {.name = "expires", .set = set_time, .at = offsetof(struct filled, expires_ms), .type = "a time",
     .help = "When the tokens have ended by themselves, and this may be forgotten."},
    {.name = "reason", .set = gw_set_text, .at = offsetof(struct filled, reason),
     .help = "For people."},
    {0},
};
/* clang-format on */

static bool
set_time(struct gw_loader *l, void *field, const json_t *value, const struct gw_setting *row,
         const char *path)
{
    uint64_t ms = 0;
    struct gw_str text = gw_json_text(value);

    (void)row;
    if (!json_is_string(value) || !gw_clock_read_rfc3339(text, &ms)) {
        gw_schema_error(l, value, path,
                        "expected a time such as 2026-11-30T08:00:00Z (RFC 3339, 1970 to 2105), "
                        "got %s",
                        gw_schema_got(l, value));
        return false;
    }
    *(uint64_t *)field = ms;
    return true;
}

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
read_hex(struct gw_arena *a, struct gw_str text, struct gw_str *bytes)
{
    char *out = gw_arena_raw(a, text.n / 2);

    for (size_t i = 0; i < text.n / 2; i++) {
        int high = hex_digit(text.p[2 * i]);
        int low = hex_digit(text.p[2 * i + 1]);

        if (high < 0 || low < 0) {
            return false;
        }
        out[i] = (char)(unsigned char)(high << 4 | low);
    }
    *bytes = (struct gw_str){out, text.n / 2};
    return true;
}

/* The length tells which of the two it is. */
static bool
set_hash(struct gw_loader *l, void *field, const json_t *value, const struct gw_setting *row,
         const char *path)
{
    struct gw_str text = gw_json_text(value);
    struct gw_str bytes = {0};

    (void)row;
    if ((text.n == (size_t)2 * GW_JWT_HASH && read_hex(l->arena, text, &bytes)) ||
        (text.n == GW_JWT_HASH_TEXT && gw_jwt_base64url(l->arena, text, &bytes))) {
        *(struct gw_str *)field = bytes;
        return true;
    }
    gw_schema_error(l, value, path,
                    "expected the SHA-256 of a token, as 64 hex digits or 43 of base64url (what "
                    "`ksgate token --decode` shows), got %s",
                    gw_schema_got(l, value));
    return false;
}

/* -- the object -------------------------------------------------------------------------------- */

static bool
is_given(const json_t *spec, const char *name)
{
    const json_t *value = json_object_get(spec, name);

    return value != NULL && !json_is_null(value) &&
           !(json_is_string(value) && json_string_length(value) == 0);
}

static bool
refuse(struct gw_loader *l, const json_t *spec, const char *name, const char *why)
{
    struct gw_place at = gw_yaml_key_place(l->source, spec, name);

    gw_diag_error(l->diag, at.line > 0 ? at : gw_yaml_place(l->source, spec), "spec.%s: %s", name,
                  why);
    return false;
}

/* Which of the three it is, and with all that belongs to it. */
static bool
check_shape(struct gw_loader *l, const json_t *spec)
{
    bool id = is_given(spec, "jti");
    bool user = is_given(spec, "user");

    if (id + user + is_given(spec, "tokenHash") != 1) {
        gw_diag_error(l->diag, gw_yaml_place(l->source, spec),
                      "spec: exactly one of jti, tokenHash and user says what is revoked");
        return false;
    }
    if (id && !is_given(spec, "issuer")) {
        return refuse(l, spec, "issuer",
                      "is needed with jti, which is an issuer's own numbering of its tokens");
    }
    if (!id && is_given(spec, "issuer")) {
        return refuse(l, spec, "issuer", "goes with jti only");
    }
    if (user && !is_given(spec, "before")) {
        return refuse(l, spec, "before",
                      "is needed with user: tokens that were issued before that time are revoked");
    }
    if (!user && is_given(spec, "before")) {
        return refuse(l, spec, "before", "goes with user only");
    }
    return true;
}

static void
warn_of_times(struct gw_loader *l, const json_t *spec, const struct filled *f)
{
    uint64_t now = gw_clock_wall_ms();

    if (f->before_ms > now + SOON_MS) {
        gw_diag_warn(l->diag, gw_yaml_key_place(l->source, spec, "before"),
                     "spec.before: is in the future: until then, what %s logs in for is refused at "
                     "once",
                     f->user);
    }
    if (f->expires_ms != 0 && f->expires_ms <= now) {
        gw_diag_warn(l->diag, gw_yaml_key_place(l->source, spec, "expires"),
                     "spec.expires: is in the past: nothing is revoked by it");
    }
}

static uint32_t
seconds_up(uint64_t ms)
{
    return (uint32_t)((ms + 999) / 1000); /* a time is before 2106 */
}

static struct gw_revoked_entry
entry_of(const struct filled *f)
{
    struct gw_revoked_entry e = {.before_s = UINT32_MAX, .until_s = UINT32_MAX};

    if (f->user != NULL && f->user[0] != '\0') {
        e.key = gw_revoked_key_of(GW_REVOKED_USER, gw_str_of(f->user), GW_STR_NONE);
        e.before_s = seconds_up(f->before_ms);
    } else if (f->hash.n > 0) {
        e.key = key_of_digest((const unsigned char *)f->hash.p);
    } else {
        e.key = gw_revoked_key_of(GW_REVOKED_ID, gw_str_of(f->issuer), gw_str_of(f->jti));
    }
    if (f->expires_ms != 0) {
        e.until_s = seconds_up(f->expires_ms);
    }
    return e;
}

static void
free_revocation(struct gw_piece *p)
{
    free(p);
}

struct gw_piece *
gw_jwt_revocation_compile(const struct gw_kind *kind, const json_t *json,
                          const struct gw_yaml *source, struct gw_diag *diag)
{
    struct gw_loader l = {.arena = gw_arena_new(), .source = source, .diag = diag};
    json_t *spec = json_object_get(json, "spec");
    struct filled f = {0};
    struct gw_revocation *r = NULL;

    (void)kind;
    if (spec == NULL) {
        gw_diag_error(diag, gw_yaml_place(source, json), "spec: is required");
    } else if (gw_schema_load(&l, &f, spec, rows, "spec", NULL) && check_shape(&l, spec)) {
        warn_of_times(&l, spec, &f);
        r = gw_mem_alloc(sizeof(*r));
        atomic_init(&r->piece.refs, 1);
        r->piece.free = free_revocation;
        r->entry = entry_of(&f);
    }
    gw_arena_free(l.arena);
    return r == NULL ? NULL : &r->piece;
}
