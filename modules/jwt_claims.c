#include "modules/jwt_claims.h"

#include "config/json.h"
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
read_date(const json_t *claims, const char *name, long long none, long long *seconds)
{
    const json_t *value = json_object_get(claims, name);

    *seconds = none;
    if (value == NULL) {
        return true;
    }
    if (json_is_integer(value)) {
        *seconds = json_integer_value(value);
    } else if (json_is_real(value) && json_real_value(value) > -(double)SECONDS_MAX &&
               json_real_value(value) < (double)SECONDS_MAX) {
        *seconds = (long long)json_real_value(value);
    } else {
        return false;
    }
    return *seconds > -SECONDS_MAX && *seconds < SECONDS_MAX;
}

static enum gw_err
check_times(struct gw_jwt_claims *out, const json_t *claims, bool may_last, uint64_t now_ms,
            const char **why)
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
    out->expires_ms = exp == SECONDS_MAX ? UINT64_MAX : (uint64_t)(exp * 1000 + leeway);
    return GW_ERR_OK;
}

static bool
is_in(const char *const *list, const json_t *value)
{
    struct gw_str text = {json_string_value(value), json_string_length(value)};

    for (; json_is_string(value) && *list != NULL; list++) {
        if (gw_str_eq(text, gw_str_of(*list))) {
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
audience_fits(const char *const *audiences, const json_t *aud)
{
    if (!json_is_array(aud)) {
        return is_in(audiences, aud);
    }
    for (size_t i = 0; i < json_array_size(aud); i++) {
        if (is_in(audiences, json_array_get(aud, i))) {
            return true;
        }
    }
    return false;
}

/* Names go into headers, logs and decisions. */
static bool
is_name(const json_t *value)
{
    struct gw_str s = {json_string_value(value), json_string_length(value)};

    if (!json_is_string(value) || s.n == 0 || s.n > GW_JWT_NAME_MAX) {
        return false;
    }
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

static struct gw_str
text_of(const json_t *value)
{
    return (struct gw_str){json_string_value(value), json_string_length(value)};
}

/* The claim's groups, and system:authenticated.  Groups of the system's own are not an issuer's
 * to give, and are left out. */
static bool
read_groups(struct gw_subject *s, struct gw_arena *a, const json_t *list)
{
    size_t n = json_array_size(list);
    struct gw_str *groups = gw_arena_alloc(a, (n + 1) * sizeof(*groups));

    if (list != NULL && !json_is_array(list)) {
        return false;
    }
    groups[s->n_groups++] = authenticated[0];
    for (size_t i = 0; i < n; i++) {
        const json_t *group = json_array_get(list, i);

        if (!is_name(group)) {
            return false;
        }
        if (!gw_str_has_prefix(text_of(group), GW_STR("system:"))) {
            groups[s->n_groups++] = text_of(group);
        }
    }
    s->groups = groups;
    return true;
}

/* {"key": ["value", ...], ...}: one entry for each value. */
static bool
read_extra(struct gw_subject *s, struct gw_arena *a, const json_t *extra)
{
    struct gw_subject_extra *list = NULL;
    const char *key = NULL;
    json_t *values = NULL;

    if (extra == NULL || json_is_null(extra)) {
        return true;
    }
    if (!json_is_object(extra)) {
        return false;
    }
    list = gw_arena_alloc(a, EXTRA_MAX * sizeof(*list));
    json_object_foreach(gw_json_loose(extra), key, values)
    {
        if (!json_is_array(values) || key[0] == '\0') {
            return false;
        }
        for (size_t i = 0; i < json_array_size(values); i++) {
            const json_t *value = json_array_get(values, i);

            if (!json_is_string(value) || s->n_extra == EXTRA_MAX) {
                return false;
            }
            list[s->n_extra++] =
                (struct gw_subject_extra){.key = gw_str_of(key), .value = text_of(value)};
        }
    }
    s->extra = list;
    return true;
}

/* kubesphere.md 5.3: a service account and a user who is about to register have no groups. */
static bool
has_no_groups(struct gw_str name)
{
    return gw_str_has_prefix(name, GW_STR("kubesphere:serviceaccount:")) ||
           gw_str_eq(name, GW_STR("system:pre-registration"));
}

static enum gw_err
read_subject(struct gw_jwt_claims *out, struct gw_arena *a, const json_t *claims, const char **why)
{
    const struct gw_jwt_issuer *issuer = out->issuer;
    const json_t *name = json_object_get(claims, issuer->claims.username);
    const char *groups = issuer->claims.groups;
    bool wants_groups = groups != NULL && groups[0] != '\0';

    if (!is_name(name) || gw_str_eq(text_of(name), GW_STR("system:anonymous"))) {
        *why = "the claim with the user's name is missing, not text, too long, or not allowed";
        return GW_ERR_TOKEN_CLAIM;
    }
    out->subject.name = text_of(name);
    if (!has_no_groups(out->subject.name) &&
        !read_groups(&out->subject, a, wants_groups ? json_object_get(claims, groups) : NULL)) {
        *why = "the claim with the groups is not a list of names";
        return GW_ERR_TOKEN_CLAIM;
    }
    if (!read_extra(&out->subject, a, json_object_get(claims, "extra"))) {
        *why = "the claim extra is not a map of lists of text";
        return GW_ERR_TOKEN_CLAIM;
    }
    return GW_ERR_OK;
}

enum gw_err
gw_jwt_claims_read(struct gw_jwt_claims *out, struct gw_arena *a, const json_t *claims,
                   uint64_t now_ms, const char **why)
{
    const struct gw_jwt_issuer *issuer = out->issuer;
    const json_t *type = json_object_get(claims, "token_type");
    bool may_last = json_is_string(type) && gw_str_eq(text_of(type), GW_STR("static_token"));
    enum gw_err err = check_times(out, claims, may_last, now_ms, why);

    if (err != GW_ERR_OK) {
        return err;
    }
    if (is_asked(issuer->token_types) && !is_in(issuer->token_types, type)) {
        *why = "the token_type is not among the issuer's token_types";
        return GW_ERR_TOKEN_TYPE;
    }
    if (is_asked(issuer->audiences) &&
        !audience_fits(issuer->audiences, json_object_get(claims, "aud"))) {
        *why = "none of the issuer's audiences is in aud";
        return GW_ERR_TOKEN_AUDIENCE;
    }
    return read_subject(out, a, claims, why);
}
