#include "config/scalar.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define LONGEST_NUMBER 64 /* of what is still read as a number */

static bool
is_one_of(struct gw_str text, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (gw_str_eq(text, gw_str_of(*words))) {
            return true;
        }
    }
    return false;
}

static size_t
count_digits(struct gw_str s)
{
    size_t n = 0;

    while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9') {
        n++;
    }
    return n;
}

static struct gw_str
skip_sign(struct gw_str s)
{
    return s.n > 0 && (s.p[0] == '-' || s.p[0] == '+') ? gw_str_skip(s, 1) : s;
}

/* 012 is 10 for some readers, 12 for others: for us it is text, as 0o12 is. */
static bool
has_leading_zero(struct gw_str digits)
{
    return digits.n > 1 && digits.p[0] == '0' && digits.p[1] >= '0' && digits.p[1] <= '9';
}

static bool
is_hex(struct gw_str s)
{
    if (s.n < 3 || s.p[0] != '0' || s.p[1] != 'x') {
        return false;
    }
    for (size_t i = 2; i < s.n; i++) {
        if (!isxdigit((unsigned char)s.p[i])) {
            return false;
        }
    }
    return true;
}

static bool
is_integer(struct gw_str s)
{
    s = skip_sign(s);
    return s.n > 0 && count_digits(s) == s.n && !has_leading_zero(s);
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static bool
is_real(struct gw_str s)
{
    s = skip_sign(s);
    size_t whole = count_digits(s);
    size_t fraction = 0;

    if (has_leading_zero(s)) {
        return false;
    }
    s = gw_str_skip(s, whole);
    if (s.n > 0 && s.p[0] == '.') {
        s = gw_str_skip(s, 1);
        fraction = count_digits(s);
        s = gw_str_skip(s, fraction);
    }
    if (whole + fraction == 0) {
        return false;
    }
    if (s.n > 0 && (s.p[0] == 'e' || s.p[0] == 'E')) {
        s = skip_sign(gw_str_skip(s, 1));
        return s.n > 0 && count_digits(s) == s.n;
    }
    return s.n == 0;
}

/* The text is known to have the form of a number. */
static json_t *
read_number(struct gw_str text, int base, const char **problem)
{
    char copy[LONGEST_NUMBER + 1];
    json_t *number = NULL;

    *problem = "this number is too large; write it in quotes if it is text";
    if (text.n > LONGEST_NUMBER) {
        return NULL;
    }
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    errno = 0;
    if (base != 0) {
        long long value = strtoll(copy, NULL, base);
        number = errno == ERANGE ? NULL : json_integer(value);
    } else {
        double value = strtod(copy, NULL); /* too small gives ERANGE, and a good zero */
        number = isfinite(value) ? json_real(value) : NULL;
    }
    return number;
}

json_t *
gw_scalar_read(struct gw_str text, const char **problem)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const trues[] = {"true", "True", "TRUE", NULL};
    static const char *const falses[] = {"false", "False", "FALSE", NULL};

    if (is_one_of(text, nulls)) {
        return json_null();
    }
    if (is_one_of(text, trues)) {
        return json_true();
    }
    if (is_one_of(text, falses)) {
        return json_false();
    }
    if (is_integer(text)) {
        return read_number(text, 10, problem);
    }
    if (is_hex(text)) {
        return read_number(text, 16, problem);
    }
    if (is_real(text)) {
        return read_number(text, 0, problem);
    }
    *problem = "this text is not UTF-8";
    return json_stringn(text.p, text.n);
}

/* Starts like a word or a path, and holds nothing that YAML could take for its own. */
static bool
looks_harmless(struct gw_str text)
{
    if (text.n == 0 || !(isalpha((unsigned char)text.p[0]) || strchr("/_", text.p[0]) != NULL)) {
        return false;
    }
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool last = i + 1 == text.n;

        if (c == ' ' || c == ':') { /* "a b" and "a:b" are fine, "a: b" and "a " are not */
            if (last || text.p[i + 1] == ' ') {
                return false;
            }
        } else if (c == '\0' || !(isalnum((unsigned char)c) || strchr("_./@+-=()", c) != NULL)) {
            return false;
        }
    }
    return true;
}

bool
gw_scalar_is_plain_text(struct gw_str text)
{
    static const char *const words[] = {"yes", "no",   "on",   "off",   "y",
                                        "n",   "null", "true", "false", NULL};

    if (!looks_harmless(text)) {
        return false;
    }
    for (const char *const *w = words; *w != NULL; w++) {
        if (gw_str_eq_nocase(text, gw_str_of(*w))) {
            return false;
        }
    }
    return true;
}
