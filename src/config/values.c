#include "config/values.h"

#include <ctype.h>
#include <limits.h>

#include "config/schema.h"

struct unit {
    const char *name;
    long long worth;
};

/* Largest first: that is how they are printed, and the order within "1h30m". */
/* clang-format off */
static const struct unit sizes[] = {
    {"TiB", 1LL << 40}, {"GiB", 1LL << 30}, {"MiB", 1LL << 20}, {"KiB", 1LL << 10}, {"B", 1},
    {NULL, 0},
};

/* Read, but never printed: Kubernetes' spelling, and powers of ten. */
static const struct unit more_sizes[] = {
    {"Ti", 1LL << 40}, {"Gi", 1LL << 30}, {"Mi", 1LL << 20}, {"Ki", 1LL << 10},
    {"TB", 1000000000000}, {"GB", 1000000000}, {"MB", 1000000}, {"kB", 1000}, {"", 1},
    {NULL, 0},
};

static const struct unit durations[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1},
    {NULL, 0},
};
/* clang-format on */

static const struct unit *
find_unit(const struct unit *units, struct gw_str name)
{
    for (; units->name != NULL; units++) {
        if (gw_str_eq(name, gw_str_of(units->name))) {
            return units;
        }
    }
    return NULL;
}

/* Takes "64" and "KiB" off the front of the text. */
static bool
take_amount(struct gw_str *text, uint64_t *number, struct gw_str *unit)
{
    size_t digits = 0;
    size_t end = 0;

    while (digits < text->n && isdigit((unsigned char)text->p[digits])) {
        digits++;
    }
    for (end = digits; end < text->n && !isdigit((unsigned char)text->p[end]); end++) {
        /* on to the next number */
    }
    bool good = gw_str_u64((struct gw_str){text->p, digits}, number);
    *unit = gw_str_trim((struct gw_str){text->p + digits, end - digits});
    *text = gw_str_skip(*text, end);
    return good;
}

/* Adds number times worth to the sum, unless it gets too large. */
static bool
add_amount(long long *sum, uint64_t number, long long worth)
{
    long long amount = 0;

    return number <= LLONG_MAX && !__builtin_mul_overflow((long long)number, worth, &amount) &&
           !__builtin_add_overflow(*sum, amount, sum);
}

bool
gw_parse_size(struct gw_str text, long long *bytes)
{
    struct gw_str name;
    uint64_t number = 0;
    long long sum = 0;

    if (gw_str_eq(text, GW_STR("unlimited"))) {
        *bytes = GW_UNLIMITED;
        return true;
    }
    if (text.n == 0 || !take_amount(&text, &number, &name) || text.n > 0) {
        return false;
    }
    const struct unit *unit = find_unit(sizes, name);
    if (unit == NULL) {
        unit = find_unit(more_sizes, name);
    }
    if (unit == NULL || !add_amount(&sum, number, unit->worth)) {
        return false;
    }
    *bytes = sum;
    return true;
}

bool
gw_parse_duration(struct gw_str text, long long *ms)
{
    long long before = LLONG_MAX; /* the unit before this one */
    long long sum = 0;

    if (gw_str_eq(text, GW_STR("0"))) {
        *ms = 0;
        return true;
    }
    if (text.n == 0) {
        return false;
    }
    while (text.n > 0) {
        struct gw_str name;
        uint64_t number = 0;
        bool good = take_amount(&text, &number, &name);
        const struct unit *unit = find_unit(durations, name);

        if (!good || unit == NULL || unit->worth >= before ||
            !add_amount(&sum, number, unit->worth)) {
            return false;
        }
        before = unit->worth;
    }
    *ms = sum;
    return true;
}

void
gw_values_put_size(struct gw_buf *out, long long bytes)
{
    const struct unit *unit = sizes;

    if (bytes <= 0) {
        gw_buf_puts(out, bytes == 0 ? "0" : "unlimited");
        return;
    }
    while (bytes % unit->worth != 0) {
        unit++;
    }
    gw_buf_printf(out, "%lld%s", bytes / unit->worth, unit->worth == 1 ? "" : unit->name);
}

void
gw_values_put_duration(struct gw_buf *out, long long ms)
{
    if (ms <= 0) {
        gw_buf_puts(out, "0");
        return;
    }
    for (const struct unit *unit = durations; unit->name != NULL; unit++) {
        if (ms >= unit->worth) {
            gw_buf_printf(out, "%lld%s", ms / unit->worth, unit->name);
            ms %= unit->worth;
        }
    }
}
