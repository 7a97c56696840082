#include "config/json_quick.h"

#define DEPTH     64 /* of values within values; jansson has another limit */
#define KEY_BYTES 255
#define DIGITS    18 /* that fit into an integer, whatever they are */

struct reader {
    const char *p, *end;
    unsigned depth;
};

static json_t *read_value(struct reader *r);

static bool
next_is(const struct reader *r, char c)
{
    return r->p < r->end && *r->p == c;
}

static bool
take(struct reader *r, char c)
{
    bool is = next_is(r, c);

    r->p += is;
    return is;
}

/* A plain text with its quotes. */
static bool
read_text(struct reader *r, struct gw_str *out)
{
    if (!take(r, '"')) {
        return false;
    }
    const char *p = r->p;
    while (p < r->end && *p != '"') {
        if ((unsigned char)*p < ' ' || (unsigned char)*p > '~' || *p == '\\') {
            return false;
        }
        p++;
    }
    *out = (struct gw_str){r->p, (size_t)(p - r->p)};
    r->p = p;
    return take(r, '"');
}

static json_t *
read_string(struct reader *r)
{
    struct gw_str text;

    return read_text(r, &text) ? json_stringn_nocheck(text.p, text.n) : NULL;
}

/* A whole number, without the zeros that JSON does not allow. */
static json_t *
read_number(struct reader *r)
{
    bool minus = take(r, '-');
    const char *first = r->p;
    json_int_t n = 0;

    while (r->p < r->end && *r->p >= '0' && *r->p <= '9' && r->p - first < DIGITS) {
        n = n * 10 + (*r->p++ - '0');
    }
    bool plain = r->p > first && (*first != '0' || r->p - first == 1) &&
                 !(next_is(r, '.') || next_is(r, 'e') || next_is(r, 'E')) &&
                 !(r->p < r->end && *r->p >= '0' && *r->p <= '9') && !(minus && n == 0);

    return plain ? json_integer(minus ? -n : n) : NULL;
}

static bool
take_word(struct reader *r, const char *word, size_t n)
{
    if ((size_t)(r->end - r->p) < n || memcmp(r->p, word, n) != 0) {
        return false;
    }
    r->p += n;
    return true;
}

static bool
read_member(struct reader *r, json_t *object)
{
    size_t before = json_object_size(object);
    char key[KEY_BYTES + 1]; /* with an end, as jansson 2.13 wants it */
    struct gw_str text;

    if (!read_text(r, &text) || text.n > KEY_BYTES || !take(r, ':')) {
        return false;
    }
    memcpy(key, text.p, text.n);
    key[text.n] = '\0';
    json_t *value = read_value(r);
    return value != NULL && json_object_set_new_nocheck(object, key, value) == 0 &&
           json_object_size(object) > before; /* else it was there already */
}

static bool
read_element(struct reader *r, json_t *array)
{
    json_t *value = read_value(r);

    return value != NULL && json_array_append_new(array, value) == 0;
}

/* The reader stands behind what opens it.  Takes `into`, and gives it back full. */
static json_t *
read_all(struct reader *r, json_t *into, char end, bool (*read_one)(struct reader *r, json_t *into))
{
    bool ok = into != NULL && ++r->depth <= DEPTH;

    if (ok && !take(r, end)) {
        do {
            ok = read_one(r, into);
        } while (ok && take(r, ','));
        ok = ok && take(r, end);
    }
    r->depth--;
    if (!ok) {
        json_decref(into);
        return NULL;
    }
    return into;
}

static json_t *
read_value(struct reader *r)
{
    if (r->p == r->end) {
        return NULL;
    }
    switch (*r->p) {
    case '"':
        return read_string(r);
    case '{':
        r->p++;
        return read_all(r, json_object(), '}', read_member);
    case '[':
        r->p++;
        return read_all(r, json_array(), ']', read_element);
    case 't':
        return take_word(r, "true", 4) ? json_true() : NULL;
    case 'f':
        return take_word(r, "false", 5) ? json_false() : NULL;
    case 'n':
        return take_word(r, "null", 4) ? json_null() : NULL;
    default:
        return read_number(r);
    }
}

json_t *
gw_json_quick(struct gw_str text)
{
    struct reader r = {.p = text.p, .end = text.p + text.n};

    if (!next_is(&r, '{')) {
        return NULL;
    }
    json_t *json = read_value(&r);
    if (r.p != r.end) {
        json_decref(json);
        return NULL;
    }
    return json;
}
