#include "http/headers.h"

#include "http/chars.h"

const struct gw_header *
gw_headers_get(const struct gw_headers *h, enum gw_header_id id)
{
    if (!gw_headers_has(h, id)) {
        return NULL;
    }
    for (unsigned i = 0; i < h->n; i++) {
        if (h->list[i].id == id) {
            return &h->list[i];
        }
    }
    return NULL; /* it was taken out of the list since */
}

struct gw_str
gw_headers_value(const struct gw_headers *h, enum gw_header_id id)
{
    const struct gw_header *found = gw_headers_get(h, id);

    return found == NULL ? GW_STR_NONE : found->value;
}

bool
gw_headers_only(const struct gw_headers *h, enum gw_header_id id, struct gw_str *value)
{
    unsigned n = 0;

    *value = GW_STR_NONE;
    for (unsigned i = 0; gw_headers_has(h, id) && i < h->n; i++) {
        if (h->list[i].id == id) {
            *value = h->list[i].value;
            n++;
        }
    }
    return n <= 1;
}

const struct gw_header *
gw_headers_find(const struct gw_headers *h, struct gw_str name)
{
    enum gw_header_id id = gw_header_id(name);

    if (id != GW_H_OTHER) {
        return gw_headers_get(h, id);
    }
    for (unsigned i = 0; i < h->n; i++) {
        if (h->list[i].id == GW_H_OTHER && gw_str_eq_nocase(h->list[i].name, name)) {
            return &h->list[i];
        }
    }
    return NULL;
}

static bool
list_has(struct gw_str list, struct gw_str token)
{
    while (list.n > 0) {
        if (gw_str_eq_nocase(gw_str_trim(gw_str_cut(&list, ',')), token)) {
            return true;
        }
    }
    return false;
}

bool
gw_headers_list_has(const struct gw_headers *h, enum gw_header_id id, struct gw_str token)
{
    if (!gw_headers_has(h, id)) {
        return false;
    }
    for (unsigned i = 0; i < h->n; i++) {
        if (h->list[i].id == id && list_has(h->list[i].value, token)) {
            return true;
        }
    }
    return false;
}

bool
gw_header_is_hop(enum gw_header_id id)
{
    const uint64_t hop = UINT64_C(1) << GW_H_CONNECTION | UINT64_C(1) << GW_H_KEEP_ALIVE |
                         UINT64_C(1) << GW_H_PROXY_AUTHENTICATE |
                         UINT64_C(1) << GW_H_PROXY_AUTHORIZATION |
                         UINT64_C(1) << GW_H_PROXY_CONNECTION | UINT64_C(1) << GW_H_TE |
                         UINT64_C(1) << GW_H_TRAILER | UINT64_C(1) << GW_H_TRANSFER_ENCODING |
                         UINT64_C(1) << GW_H_UPGRADE;

    return (hop >> id & 1) != 0;
}

/* As the environment of a CGI or WSGI program would have it, where the three are one. */
static char
fold(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return (char)(c | 0x20);
    }
    return (char)(c == '_' || c == '.' ? '-' : c);
}

/* Does the folded name begin with the text? */
static bool
folds_to(struct gw_str name, struct gw_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (i == name.n || fold(name.p[i]) != text.p[i]) {
            return false;
        }
    }
    return true;
}

bool
gw_header_is_identity(struct gw_str name)
{
    static const struct {
        struct gw_str text;
        bool prefix;
    } rows[] = {
        {{"x-remote-", 9}, true},
        {{"x-ksgate-", 9}, true},
        {{"impersonate-", 12}, true},
        /* of other proxies: who asks, how and where (X-Forwarded-User, -Email, -Uri, -Method) */
        {{"x-forwarded-", 12}, true},
        /* by which some servers take another method or path than was decided about */
        {{"x-http-method", 13}, false},
        {{"x-http-method-override", 22}, false},
        {{"x-method-override", 17}, false},
        {{"x-original-url", 14}, false},
        {{"x-rewrite-url", 13}, false},
    };

    if (name.n < 9 || (fold(name.p[0]) != 'x' && fold(name.p[0]) != 'i')) {
        return false;
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (folds_to(name, rows[i].text) && (rows[i].prefix || name.n == rows[i].text.n)) {
            return true;
        }
    }
    return false;
}

bool
gw_header_may_trail(const struct gw_header *h)
{
    static const struct gw_str refused[] = {
        {"accept", 6},
        {"access-control-", 15},
        {"age", 3},
        {"allow", 5},
        {"alt-", 4},
        {"auth", 4},
        {"cache-", 6},
        {"clear-site-", 11},
        {"content-", 8},
        {"cross-origin-", 13},
        {"expires", 7},
        {"if-", 3},
        {"max-forwards", 12},
        {"origin", 6},
        {"pragma", 6},
        {"proxy-", 6},
        {"range", 5},
        {"retry-after", 11},
        {"sec-", 4},
        {"strict-transport-", 17},
        {"vary", 4},
        {"warning", 7},
        {"www-auth", 8},
        {"x-auth", 6},
        {"x-client-", 9},
        {"x-forwarded", 11},
        {"x-frame-", 8},
        {"x-http-method", 13},
        {"x-kubesphere-", 13},
        {"x-original-", 11},
        {"x-real-", 7},
        {"x-rewrite-", 10},
    };

    if (gw_header_id_folded(h->name) != GW_H_OTHER || gw_header_is_identity(h->name)) {
        return false;
    }
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        if (folds_to(h->name, refused[i])) {
            return false;
        }
    }
    return true;
}

bool
gw_header_name_ok(struct gw_str name)
{
    for (size_t i = 0; i < name.n; i++) {
        if (!gw_char_is(name.p[i], GW_CHAR_TOKEN)) {
            return false;
        }
    }
    return name.n > 0;
}

bool
gw_header_value_ok(struct gw_str value)
{
    for (size_t i = 0; i < value.n; i++) {
        if (!gw_char_is(value.p[i], GW_CHAR_VALUE)) {
            return false;
        }
    }
    return true;
}
