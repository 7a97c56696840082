#include "modules/jwt_json_private.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

/* Room for the values of a usual token; more make a new list. */
#define FEW_VALUES 32
/* Of more members than that the keys are sorted to find two alike. */
#define FEW_MEMBERS 24

static bool read_value(struct gw_jwt_json_reader *r, struct gw_str key);

static void
skip_space(struct gw_jwt_json_reader *r)
{
    while (r->at < r->end &&
           (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t')) {
        r->at++;
    }
}

/* The character, behind any space. */
static bool
take(struct gw_jwt_json_reader *r, char c)
{
    skip_space(r);
    if (r->at == r->end || *r->at != c) {
        return false;
    }
    r->at++;
    return true;
}

/* -- numbers ------------------------------------------------------------------------------------
 */

static bool
skip_digits(struct gw_jwt_json_reader *r)
{
    const char *from = r->at;

    while (r->at < r->end && *r->at >= '0' && *r->at <= '9') {
        r->at++;
    }
    return r->at > from;
}

static bool
is_at(const struct gw_jwt_json_reader *r, char c)
{
    return r->at < r->end && *r->at == c;
}

/* Its grammar; *real: it has a fraction or an exponent. */
static bool
skip_number(struct gw_jwt_json_reader *r, bool *real)
{
    r->at += is_at(r, '-');
    if (is_at(r, '0')) {
        r->at++;
    } else if (!skip_digits(r)) {
        return false;
    }
    *real = is_at(r, '.') || is_at(r, 'e') || is_at(r, 'E');
    if (is_at(r, '.')) {
        r->at++;
        if (!skip_digits(r)) {
            return false;
        }
    }
    if (is_at(r, 'e') || is_at(r, 'E')) {
        r->at++;
        r->at += is_at(r, '-') || is_at(r, '+');
        return skip_digits(r);
    }
    return true;
}

static bool
read_number(struct gw_jwt_json_reader *r, struct gw_jwt_json *v)
{
    const char *from = r->at;
    bool real = false;

    if (!skip_number(r, &real)) {
        return false;
    }
    const char *text = gw_arena_strndup(r->arena, from, (size_t)(r->at - from));
    errno = 0;
    if (real) {
        v->type = GW_JWT_JSON_REAL;
        v->number.real = strtod(text, NULL);
        return isfinite(v->number.real);
    }
    v->type = GW_JWT_JSON_INTEGER;
    v->number.integer = strtoll(text, NULL, 10);
    return errno == 0;
}

/* -- values -------------------------------------------------------------------------------------
 */

static bool
read_word(struct gw_jwt_json_reader *r, struct gw_str word)
{
    if (!gw_str_has_prefix((struct gw_str){r->at, (size_t)(r->end - r->at)}, word)) {
        return false;
    }
    r->at += word.n;
    return true;
}

/* What stands between the brackets, and the closing one. */
static bool
read_inside(struct gw_jwt_json_reader *r, bool object)
{
    char last = object ? '}' : ']';
    struct gw_str key = GW_STR_NONE;

    if (r->deeper == 0) {
        return false;
    }
    r->deeper--;
    if (!take(r, last)) {
        do {
            if ((object && (!take(r, '"') || !gw_jwt_json_text(r, &key) || !take(r, ':'))) ||
                !read_value(r, key)) {
                return false;
            }
        } while (take(r, ','));
        if (!take(r, last)) {
            return false;
        }
    }
    r->deeper++;
    return true;
}

static int
compare(const void *a, const void *b)
{
    const struct gw_str *x = a;
    const struct gw_str *y = b;

    return x->n != y->n ? (x->n < y->n ? -1 : 1) : memcmp(x->p, y->p, x->n);
}

static bool
has_twins_of_many(struct gw_arena *a, const struct gw_jwt_json *object)
{
    struct gw_str *keys = gw_arena_raw(a, object->size * sizeof(*keys));
    size_t n = 0;

    for (const struct gw_jwt_json *v = gw_jwt_json_first(object); v != NULL;
         v = gw_jwt_json_next(object, v)) {
        keys[n++] = v->key;
    }
    qsort(keys, n, sizeof(*keys), compare);
    for (size_t i = 1; i < n; i++) {
        if (gw_str_eq(keys[i - 1], keys[i])) {
            return true;
        }
    }
    return false;
}

/* One bit, alike for keys that are alike. */
static uint64_t
sign_of(struct gw_str key)
{
    unsigned first = key.n == 0 ? 0 : (unsigned char)key.p[0];
    unsigned last = key.n == 0 ? 0 : (unsigned char)key.p[key.n - 1];

    return UINT64_C(1) << ((first + 3 * last + 7 * key.n) & 63);
}

/* Two members of one name: which of them counts, readers do not agree on. */
static bool
has_twins(struct gw_arena *a, const struct gw_jwt_json *object)
{
    uint64_t seen = 0;

    if (object->size > FEW_MEMBERS) {
        return has_twins_of_many(a, object);
    }
    for (const struct gw_jwt_json *v = gw_jwt_json_first(object); v != NULL;
         v = gw_jwt_json_next(object, v)) {
        uint64_t bit = sign_of(v->key);

        for (const struct gw_jwt_json *w = object + 1; (seen & bit) != 0 && w != v; w += w->size) {
            if (gw_str_eq(v->key, w->key)) {
                return true;
            }
        }
        seen |= bit;
    }
    return false;
}

/* Which moves the list, perhaps. */
static struct gw_jwt_json *
new_value(struct gw_jwt_json_reader *r)
{
    if (r->n == r->room) {
        r->list = gw_arena_more(r->arena, r->list, r->n * sizeof(*r->list),
                                2 * r->room * sizeof(*r->list));
        r->room *= 2;
    }
    return &r->list[r->n++];
}

/* One that holds no others. */
static bool
read_plain(struct gw_jwt_json_reader *r, struct gw_jwt_json *v)
{
    switch (r->at == r->end ? '\0' : *r->at) {
    case '"':
        v->type = GW_JWT_JSON_TEXT;
        r->at++;
        return gw_jwt_json_text(r, &v->text);
    case 't':
        v->type = GW_JWT_JSON_BOOL;
        return read_word(r, GW_STR("true"));
    case 'f':
        v->type = GW_JWT_JSON_BOOL;
        return read_word(r, GW_STR("false"));
    case 'n':
        return read_word(r, GW_STR("null"));
    default:
        return read_number(r, v);
    }
}

static bool
read_value(struct gw_jwt_json_reader *r, struct gw_str key)
{
    size_t i = r->n;
    struct gw_jwt_json *v = new_value(r);

    *v = (struct gw_jwt_json){.key = key, .size = 1};
    skip_space(r);
    bool object = is_at(r, '{');
    if (!object && !is_at(r, '[')) {
        return read_plain(r, v);
    }
    v->type = object ? GW_JWT_JSON_OBJECT : GW_JWT_JSON_ARRAY;
    r->at++;
    bool good = read_inside(r, object);
    r->list[i].size = (unsigned)(r->n - i);
    return good && !(object && has_twins(r->arena, &r->list[i]));
}

const struct gw_jwt_json *
gw_jwt_json_read(struct gw_arena *a, struct gw_str text, unsigned depth)
{
    struct gw_jwt_json_reader r = {
        .arena = a, .at = text.p, .end = text.p + text.n, .room = FEW_VALUES, .deeper = depth};

    r.list = gw_arena_raw(a, r.room * sizeof(*r.list));
    if (!read_value(&r, GW_STR_NONE) || r.list[0].type != GW_JWT_JSON_OBJECT) {
        return NULL;
    }
    skip_space(&r);
    return r.at == r.end ? r.list : NULL;
}

const struct gw_jwt_json *
gw_jwt_json_get(const struct gw_jwt_json *object, const char *name)
{
    struct gw_str key = gw_str_of(name);

    if (!gw_jwt_json_is(object, GW_JWT_JSON_OBJECT)) {
        return NULL;
    }
    for (const struct gw_jwt_json *v = gw_jwt_json_first(object); v != NULL;
         v = gw_jwt_json_next(object, v)) {
        if (gw_str_eq(v->key, key)) {
            return v;
        }
    }
    return NULL;
}
