#include "http/headers.h"

#include <assert.h>
#include <string.h>

/* Each well-known name has a slot of its own, found from its length, its fourth letter from
 * the end (the first of short names) and its last.  Two names that met in one slot would be
 * a compiler warning (an initializer written over), and the cure is another multiplier. */
#define SLOTS 128
#define SLOT(length, from, end) \
    (((length) + 10u * (unsigned)(from) + 23u * (unsigned)(end)) % SLOTS)

/* clang-format off */
static const unsigned char by_slot[SLOTS] = {
    [SLOT(6, 'c', 't')] = GW_H_ACCEPT,
    [SLOT(13, 't', 'n')] = GW_H_AUTHORIZATION,
    [SLOT(10, 't', 'n')] = GW_H_CONNECTION,
    [SLOT(14, 'n', 'h')] = GW_H_CONTENT_LENGTH,
    [SLOT(12, 't', 'e')] = GW_H_CONTENT_TYPE,
    [SLOT(6, 'o', 'e')] = GW_H_COOKIE,
    [SLOT(4, 'd', 'e')] = GW_H_DATE,
    [SLOT(6, 'p', 't')] = GW_H_EXPECT,
    [SLOT(9, 'r', 'd')] = GW_H_FORWARDED,
    [SLOT(4, 'h', 't')] = GW_H_HOST,
    [SLOT(10, 'l', 'e')] = GW_H_KEEP_ALIVE,
    [SLOT(8, 't', 'n')] = GW_H_LOCATION,
    [SLOT(6, 'i', 'n')] = GW_H_ORIGIN,
    [SLOT(18, 'c', 'e')] = GW_H_PROXY_AUTHENTICATE,
    [SLOT(19, 't', 'n')] = GW_H_PROXY_AUTHORIZATION,
    [SLOT(16, 't', 'n')] = GW_H_PROXY_CONNECTION,
    [SLOT(7, 'e', 'r')] = GW_H_REFERER,
    [SLOT(7, 'r', 'h')] = GW_H_REFRESH,
    [SLOT(6, 'r', 'r')] = GW_H_SERVER,
    [SLOT(10, 'o', 'e')] = GW_H_SET_COOKIE,
    [SLOT(14, 's', 'e')] = GW_H_SEC_FETCH_SITE,
    [SLOT(22, 'o', 'l')] = GW_H_SEC_WEBSOCKET_PROTOCOL,
    [SLOT(2, 't', 'e')] = GW_H_TE,
    [SLOT(7, 'i', 'r')] = GW_H_TRAILER,
    [SLOT(17, 'd', 'g')] = GW_H_TRANSFER_ENCODING,
    [SLOT(7, 'r', 'e')] = GW_H_UPGRADE,
    [SLOT(10, 'g', 't')] = GW_H_USER_AGENT,
    [SLOT(3, 'v', 'a')] = GW_H_VIA,
    [SLOT(11, 't', 'p')] = GW_H_X_CLIENT_IP,
    [SLOT(15, '-', 'r')] = GW_H_X_FORWARDED_FOR,
    [SLOT(16, 'h', 't')] = GW_H_X_FORWARDED_HOST,
    [SLOT(16, 'p', 't')] = GW_H_X_FORWARDED_PORT,
    [SLOT(18, 'e', 'x')] = GW_H_X_FORWARDED_PREFIX,
    [SLOT(17, 'r', 'o')] = GW_H_X_FORWARDED_PROTO,
    [SLOT(26, 't', 'n')] = GW_H_X_KUBESPHERE_AUTHORIZATION,
    [SLOT(21, 'u', 'y')] = GW_H_X_KUBESPHERE_RAWQUERY,
    [SLOT(9, 'l', 'p')] = GW_H_X_REAL_IP,
    [SLOT(12, 't', 'd')] = GW_H_X_REQUEST_ID,
};
/* clang-format on */

#define LONGEST 32 /* room for a name */

static const struct {
    unsigned char n;
    char text[LONGEST + 1];
} names[GW_H_COUNT] = {[GW_H_OTHER] = {0, ""},
#define X(id, name) [GW_H_##id] = {sizeof(name) - 1, name},
                       GW_HEADERS(X)
#undef X
};

#define X(id, name) static_assert(sizeof(name) - 1 <= LONGEST, name);
GW_HEADERS(X)
#undef X
static_assert(GW_H_COUNT <= 64, "gw_headers.present has a bit for each id");

/* The first and the last half of up to 16 bytes, at least two; they overlap in most. */
static inline void
load(const char *p, size_t n, uint64_t *first, uint64_t *last)
{
    uint32_t four[2];
    uint16_t two[2];

    if (n >= 8) {
        memcpy(first, p, 8);
        memcpy(last, p + n - 8, 8);
    } else if (n >= 4) {
        memcpy(&four[0], p, 4);
        memcpy(&four[1], p + n - 4, 4);
        *first = four[0];
        *last = four[1];
    } else {
        memcpy(&two[0], p, 2);
        memcpy(&two[1], p + n - 2, 2);
        *first = two[0];
        *last = two[1];
    }
}

/* Is each letter of a that of the lower-case b, or its capital?  All eight at once: only the
 * bit that tells them apart may differ, and only where b has a letter (bit 0x40). */
static inline bool
same_letters(uint64_t a, uint64_t b)
{
    const uint64_t case_bits = 0x2020202020202020;
    uint64_t differ = a ^ b;

    return (differ & ~case_bits) == 0 && ((differ << 1) & ~b) == 0;
}

static bool
is_name(struct gw_str s, enum gw_header_id id)
{
    const char *text = names[id].text;
    uint64_t a[2];
    uint64_t b[2];

    if (s.n != names[id].n) {
        return false;
    }
    for (; s.n > 16; s.n -= 8, s.p += 8, text += 8) {
        memcpy(&a[0], s.p, 8);
        memcpy(&b[0], text, 8);
        if (!same_letters(a[0], b[0])) {
            return false;
        }
    }
    load(s.p, s.n, &a[0], &a[1]);
    load(text, s.n, &b[0], &b[1]);
    return same_letters(a[0], b[0]) && same_letters(a[1], b[1]);
}

enum gw_header_id
gw_header_id(struct gw_str name)
{
    if (name.n < 2 || name.n > LONGEST) {
        return GW_H_OTHER;
    }
    unsigned from = (unsigned char)name.p[name.n > 4 ? name.n - 4 : 0] | 0x20u;
    unsigned end = (unsigned char)name.p[name.n - 1] | 0x20u;
    enum gw_header_id id = by_slot[SLOT((unsigned)name.n, from, end)];

    return id != GW_H_OTHER && is_name(name, id) ? id : GW_H_OTHER;
}

enum gw_header_id
gw_header_id_folded(struct gw_str name)
{
    char folded[LONGEST];

    if (name.n > LONGEST) {
        return GW_H_OTHER;
    }
    for (size_t i = 0; i < name.n; i++) {
        folded[i] = (char)(name.p[i] == '_' || name.p[i] == '.' ? '-' : name.p[i]);
    }
    return gw_header_id((struct gw_str){folded, name.n});
}

const char *
gw_header_name(enum gw_header_id id)
{
    assert(id < GW_H_COUNT);
    return names[id].text;
}
