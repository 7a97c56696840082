/* clock_read.c - a time that is written down, read. */
#include <time.h>

#include "base/clock.h"

/* The number of exactly n digits at the beginning of *s, which moves behind it. */
static bool
cut_number(struct gw_str *s, size_t n, int *value)
{
    uint64_t number = 0;

    if (s->n < n || !gw_str_u64((struct gw_str){s->p, n}, &number)) {
        return false;
    }
    *value = (int)number;
    *s = gw_str_skip(*s, n);
    return true;
}

static bool
cut_byte(struct gw_str *s, const char *one_of)
{
    if (s->n == 0 || s->p[0] == '\0' || strchr(one_of, s->p[0]) == NULL) {
        return false;
    }
    *s = gw_str_skip(*s, 1);
    return true;
}

/* ".123", or nothing. */
static bool
cut_fraction(struct gw_str *s, unsigned *ms)
{
    unsigned worth = 100;
    size_t n = 0;

    *ms = 0;
    if (!cut_byte(s, ".")) {
        return true;
    }
    for (; n < s->n && s->p[n] >= '0' && s->p[n] <= '9'; n++, worth /= 10) {
        *ms += (unsigned)(s->p[n] - '0') * worth;
    }
    *s = gw_str_skip(*s, n);
    return n > 0;
}

/* "Z" or "+01:00", and nothing behind it. */
static bool
cut_offset(struct gw_str *s, long long *seconds)
{
    int hours = 0;
    int minutes = 0;

    *seconds = 0;
    if (cut_byte(s, "Zz")) {
        return s->n == 0;
    }
    bool west = s->n > 0 && s->p[0] == '-';
    if (!cut_byte(s, "+-") || !cut_number(s, 2, &hours) || !cut_byte(s, ":") ||
        !cut_number(s, 2, &minutes) || hours > 23 || minutes > 59) {
        return false;
    }
    *seconds = (hours * 60LL + minutes) * (west ? -60 : 60);
    return s->n == 0;
}

/* The month must have the day, and a second 60 is the next minute's first. */
static bool
is_date(const struct tm *t)
{
    static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (t->tm_year % 4 == 0 && t->tm_year % 100 != 0) || t->tm_year % 400 == 0;

    return t->tm_mon >= 1 && t->tm_mon <= 12 && t->tm_mday >= 1 &&
           t->tm_mday <= days[t->tm_mon - 1] && !(t->tm_mon == 2 && t->tm_mday == 29 && !leap) &&
           t->tm_hour <= 23 && t->tm_min <= 59 && t->tm_sec <= 60;
}

bool
gw_clock_read_rfc3339(struct gw_str text, uint64_t *wall_ms)
{
    struct tm t = {0};
    unsigned ms = 0;
    long long offset = 0;

    if (!cut_number(&text, 4, &t.tm_year) || !cut_byte(&text, "-") ||
        !cut_number(&text, 2, &t.tm_mon) || !cut_byte(&text, "-") ||
        !cut_number(&text, 2, &t.tm_mday) || !cut_byte(&text, "Tt ") ||
        !cut_number(&text, 2, &t.tm_hour) || !cut_byte(&text, ":") ||
        !cut_number(&text, 2, &t.tm_min) || !cut_byte(&text, ":") ||
        !cut_number(&text, 2, &t.tm_sec) || !cut_fraction(&text, &ms) ||
        !cut_offset(&text, &offset) || !is_date(&t)) {
        return false;
    }
    t.tm_year -= 1900;
    t.tm_mon -= 1;
    long long seconds = (long long)timegm(&t) - offset;
    *wall_ms = (uint64_t)seconds * 1000 + ms;
    return seconds >= 0 && seconds < GW_CLOCK_LATEST_S;
}
