#include "modules/jwt_claims.h"

#include "modules/jwt_token.h"

#define SECONDS_MAX 9007199254740992LL /* 2^53: what a JSON number holds exactly */
#define EXTRA_MAX   256                /* values; they become headers */

static const struct gw_str authenticated[] = {{"system:authenticated", 20}};
static const struct gw_str unauthenticated[] = {{"system:unauthenticated", 22}};

void
gw_jwt_anonymous(struct gw_subject *s)
{
    *s = (struct gw_subject){
        .name = GW_STR("system:anonymous"),
        .groups = unauthenticated,
        .n_groups = 1,
        .anonymous = true,
    };
}

/* A NumericDate in seconds; `none` when it is absent; false when it is no such number. */
static bool
read_date(const struct gw_jwt_json *claims, const char *name, long long none, long long *seconds)
{
    const struct gw_jwt_json *value = gw_jwt_json_get(claims, name);

    *seconds = none;
    if (value == NULL) {
        return true;
    }
    if (value->type == GW_JWT_JSON_INTEGER) {
        *seconds = value->number.integer;
    } else if (value->type == GW_JWT_JSON_REAL && value->number.real > -(double)SECONDS_MAX &&
               value->number.real < (double)SECONDS_MAX) {
        *seconds = (long long)value->number.real;
    } else {
        return false;
    }
    return *seconds > -SECONDS_MAX && *seconds < SECONDS_MAX;
}

static enum gw_err
check_times(struct gw_jwt_claims *out, const struct gw_jwt_json *claims, bool may_last,
            uint64_t now_ms, const char **why)
{
    long long now = (long long)now_ms;
    long long leeway = out->issuer->leeway_ms;
    long long exp = 0;
    long long nbf = 0;
    long long iat = 0;

    if (!read_date(claims, "exp", SECONDS_MAX, &exp) || !read_date(claims, "nbf", 0, &nbf) ||
        !read_date(claims, "iat", 0, &iat)) {
        *why = "exp, nbf or iat is not a number of seconds";
        return GW_ERR_TOKEN_CLAIM;
    }
    if (exp == SECONDS_MAX && !may_last) {
        *why = "exp is missing; only a static_token may live for ever";
        return GW_ERR_TOKEN_CLAIM;
    }
    if (exp < SECONDS_MAX && now >= exp * 1000 + leeway) {
        *why = "exp is in the past";
        return GW_ERR_TOKEN_EXPIRED;
    }
    if (nbf * 1000 - leeway > now || iat * 1000 - leeway > now) {
        *why = "nbf or iat is in the future";
        return GW_ERR_TOKEN_NOT_YET;
    }
    out->issued_ms = iat > 0 ? (uint64_t)iat * 1000 : 0;
    out->expires_ms = exp == SECONDS_MAX ? UINT64_MAX : (uint64_t)(exp * 1000 + leeway);
    return GW_ERR_OK;
}

static bool
is_text(const struct gw_jwt_json *value)
{
    return gw_jwt_json_is(value, GW_JWT_JSON_TEXT);
}

static bool
is_in(const char *const *list, const struct gw_jwt_json *value)
{
    for (; is_text(value) && *list != NULL; list++) {
        if (gw_str_eq(value->text, gw_str_of(*list))) {
            return true;
        }
    }
    return false;
}

static bool
is_asked(const char *const *list)
{
    return list != NULL && list[0] != NULL;
}

static bool
audience_fits(const char *const *audiences, const struct gw_jwt_json *aud)
{
    const struct gw_jwt_json *one;

    if (!gw_jwt_json_is(aud, GW_JWT_JSON_ARRAY)) {
        return is_in(audiences, aud);
    }
    for (one = gw_jwt_json_first(aud); one != NULL; one = gw_jwt_json_next(aud, one)) {
        if (is_in(audiences, one)) {
            return true;
        }
    }
    return false;
}

/* Names go into headers, logs and decisions. */
static bool
is_name(const struct gw_jwt_json *value)
{
    if (!is_text(value) || value->text.n == 0 || value->text.n > GW_JWT_NAME_MAX) {
        return false;
    }
    for (size_t i = 0; i < value->text.n; i++) {
        if ((unsigned char)value->text.p[i] < 0x20 || value->text.p[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

/* The claim's groups, and system:authenticated.  Groups of the system's own are not an issuer's
 * to give, and are left out. */
static bool
read_groups(struct gw_subject *s, struct gw_arena *a, const struct gw_jwt_json *list)
{
    size_t most = list == NULL ? 1 : list->size;
    struct gw_str *groups = gw_arena_alloc(a, most * sizeof(*groups));
    const struct gw_jwt_json *group;

    if (list != NULL && list->type != GW_JWT_JSON_ARRAY) {
        return false;
    }
    groups[s->n_groups++] = authenticated[0];
    for (group = gw_jwt_json_first(list); group != NULL; group = gw_jwt_json_next(list, group)) {
        if (!is_name(group)) {
            return false;
        }
        if (!gw_str_has_prefix(group->text, GW_STR("system:"))) {
            groups[s->n_groups++] = group->text;
        }
    }
    s->groups = groups;
    return true;
}

/* One entry for each value of a key. */
static bool
read_values(struct gw_subject *s, struct gw_subject_extra *list, const struct gw_jwt_json *values)
{
    const struct gw_jwt_json *value;

    if (values->type != GW_JWT_JSON_ARRAY || values->key.n == 0) {
        return false;
    }
    for (value = gw_jwt_json_first(values); value != NULL;
         value = gw_jwt_json_next(values, value)) {
        if (!is_text(value) || s->n_extra == EXTRA_MAX) {
            return false;
        }
        list[s->n_extra++] = (struct gw_subject_extra){.key = values->key, .value = value->text};
    }
    return true;
}

/* {"key": ["value", ...], ...} */
static bool
read_extra(struct gw_subject *s, struct gw_arena *a, const struct gw_jwt_json *extra)
{
    const struct gw_jwt_json *values;

    if (extra == NULL || extra->type == GW_JWT_JSON_NULL) {
        return true;
    }
    if (extra->type != GW_JWT_JSON_OBJECT) {
        return false;
    }
    struct gw_subject_extra *list = gw_arena_alloc(a, EXTRA_MAX * sizeof(*list));
    s->extra = list;
    for (values = gw_jwt_json_first(extra); values != NULL;
         values = gw_jwt_json_next(extra, values)) {
        if (!read_values(s, list, values)) {
            return false;
        }
    }
    return true;
}

/* kubesphere.md 5.3: a service account, which is known by `sub`, and a user who is about to
 * register have no groups. */
static bool
has_no_groups(struct gw_str name, const struct gw_jwt_json *sub)
{
    struct gw_str account = GW_STR("kubesphere:serviceaccount:");

    return gw_str_has_prefix(name, account) || gw_str_eq(name, GW_STR("system:pre-registration")) ||
           (sub != NULL && sub->type == GW_JWT_JSON_TEXT && gw_str_has_prefix(sub->text, account));
}

static enum gw_err
read_subject(struct gw_jwt_claims *out, struct gw_arena *a, const struct gw_jwt_json *claims,
             const char **why)
{
    const struct gw_jwt_issuer *issuer = out->issuer;
    const struct gw_jwt_json *name = gw_jwt_json_get(claims, issuer->claims.username);
    const char *groups = issuer->claims.groups;
    bool wants_groups = groups != NULL && groups[0] != '\0';

    if (!is_name(name) || gw_str_eq(name->text, GW_STR("system:anonymous"))) {
        *why = "the claim with the user's name is missing, not text, too long, or not allowed";
        return GW_ERR_TOKEN_CLAIM;
    }
    out->subject.name = name->text;
    if (!has_no_groups(out->subject.name, gw_jwt_json_get(claims, "sub")) &&
        !read_groups(&out->subject, a, wants_groups ? gw_jwt_json_get(claims, groups) : NULL)) {
        *why = "the claim with the groups is not a list of names";
        return GW_ERR_TOKEN_CLAIM;
    }
    if (!read_extra(&out->subject, a, gw_jwt_json_get(claims, "extra"))) {
        *why = "the claim extra is not a map of lists of text";
        return GW_ERR_TOKEN_CLAIM;
    }
    return GW_ERR_OK;
}

enum gw_err
gw_jwt_claims_read(struct gw_jwt_claims *out, struct gw_arena *a, const struct gw_jwt_json *claims,
                   uint64_t now_ms, const char **why)
{
    const struct gw_jwt_issuer *issuer = out->issuer;
    const struct gw_jwt_json *type = gw_jwt_json_get(claims, "token_type");
    out->lasting = is_text(type) && gw_str_eq(type->text, GW_STR("static_token"));
    enum gw_err err = check_times(out, claims, out->lasting, now_ms, why);

    if (err != GW_ERR_OK) {
        return err;
    }
    if (is_asked(issuer->token_types) && !is_in(issuer->token_types, type)) {
        *why = "the token_type is not among the issuer's token_types";
        return GW_ERR_TOKEN_TYPE;
    }
    if (is_asked(issuer->audiences) &&
        !audience_fits(issuer->audiences, gw_jwt_json_get(claims, "aud"))) {
        *why = "none of the issuer's audiences is in aud";
        return GW_ERR_TOKEN_AUDIENCE;
    }
    if (!gw_jwt_text(claims, "jti", &out->id)) {
        out->id = GW_STR_NONE; /* not text: then nothing can name it */
    }
    return read_subject(out, a, claims, why);
}
