#include "modules/access_line.h"

#include "base/clock.h"
#include "gateway/module.h"
#include "http/chars.h"
#include "http/url.h"
#include "http/write.h"

#define DEPTH_MAX      2  /* addresses within addresses; what is deeper is not logged */
#define NAME_MAX_BYTES 64 /* of a parameter's name that is looked at */

/* Any name with one of these in it; decoded, in lower case. */
static const char *const secret_parts[] = {
    "token",     "secret", "passw",   "pwd",     "credential", "assertion",
    "signature", "apikey", "api_key", "api-key", "session",    "auth",
};
/* Only these themselves. */
static const char *const secret_names[] = {"code", "key", "sig", "state", "jwt", "otp", "ticket"};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* The name decoded and in lower case, as far as there is room. */
static struct gw_str
plain_name(char out[NAME_MAX_BYTES], struct gw_str name)
{
    size_t n = 0;

    for (size_t i = 0; i < name.n && n < NAME_MAX_BYTES; i++) {
        unsigned char c = (unsigned char)name.p[i];

        if (c == '%' && i + 2 < name.n && gw_char_is(name.p[i + 1], GW_CHAR_HEX) &&
            gw_char_is(name.p[i + 2], GW_CHAR_HEX)) {
            c = (unsigned char)(gw_char_hex(name.p[i + 1]) << 4 | gw_char_hex(name.p[i + 2]));
            i += 2;
        }
        out[n++] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20U : c);
    }
    return (struct gw_str){out, n};
}

static bool
begins_secret(struct gw_str s)
{
    for (size_t i = 0; i < COUNT(secret_parts); i++) {
        if (secret_parts[i][0] == s.p[0] && gw_str_has_prefix(s, gw_str_of(secret_parts[i]))) {
            return true;
        }
    }
    return false;
}

static bool
is_secret(struct gw_str name)
{
    char text[NAME_MAX_BYTES];
    struct gw_str plain = plain_name(text, name);

    if (name.n > NAME_MAX_BYTES) {
        return true; /* whatever it is: nobody reads that in a log */
    }
    for (size_t i = 0; i < COUNT(secret_names); i++) {
        if (gw_str_eq(plain, gw_str_of(secret_names[i]))) {
            return true;
        }
    }
    for (size_t at = 0; at < plain.n; at++) {
        if (begins_secret(gw_str_skip(plain, at))) {
            return true;
        }
    }
    return false;
}

static struct gw_str
name_of(struct gw_str pair)
{
    return (struct gw_str){pair.p, gw_str_find(pair, '=')};
}

/* Pairs are separated by '&', and by ';' for some backends. */
static struct gw_str
cut_pair(struct gw_str *rest)
{
    struct gw_str pair = {rest->p, 0};

    while (pair.n < rest->n && rest->p[pair.n] != '&' && rest->p[pair.n] != ';') {
        pair.n++;
    }
    *rest = gw_str_skip(*rest, pair.n);
    return pair;
}

static bool has_secret(struct gw_arena *a, struct gw_str query, unsigned depth);

/* Where a query begins within a value, such as that of "return=/x%3Ftoken=y": after its '?', which
 * may be escaped, and escaped again; n: it has none. */
static size_t
inner_query(struct gw_str value)
{
    for (size_t i = 0; i < value.n; i++) {
        size_t end = i + 1;

        if (value.p[i] == '?') {
            return end;
        }
        if (value.p[i] != '%') {
            continue;
        }
        while (end + 1 < value.n && value.p[end] == '2' && value.p[end + 1] == '5') {
            end += 2;
        }
        if (end + 1 < value.n && value.p[end] == '3' && (value.p[end + 1] | 0x20) == 'f') {
            return end + 2;
        }
    }
    return value.n;
}

/* A value that is a whole address: is there a secret in its query? */
static bool
leaks(struct gw_arena *a, struct gw_str pair, unsigned depth)
{
    struct gw_str value = gw_str_skip(pair, name_of(pair).n);
    size_t at = inner_query(value);

    if (at == value.n) {
        return false;
    }
    struct gw_str plain = gw_path_decode(a, gw_str_skip(value, at));
    return depth == DEPTH_MAX || has_secret(a, plain, depth + 1) ||
           has_secret(a, gw_path_decode(a, plain), depth + 1);
}

static bool
has_secret(struct gw_arena *a, struct gw_str query, unsigned depth)
{
    while (query.n > 0) {
        struct gw_str pair = cut_pair(&query);

        if (is_secret(name_of(pair)) || leaks(a, pair, depth)) {
            return true;
        }
        query = gw_str_skip(query, query.n > 0);
    }
    return false;
}

struct gw_str
gw_access_query(struct gw_arena *a, struct gw_str query)
{
    struct gw_out out;

    if (!has_secret(a, query, 0)) {
        return query;
    }
    gw_out_init(&out, a, query.n + 16);
    while (query.n > 0) {
        struct gw_str pair = cut_pair(&query);
        struct gw_str name = name_of(pair);

        if (is_secret(name)) {
            gw_out_str(&out, name.n > NAME_MAX_BYTES ? GW_STR("***") : name);
            gw_out_str(&out, name.n < pair.n ? GW_STR("=***") : GW_STR(""));
        } else if (leaks(a, pair, 0)) {
            size_t value = name.n;

            gw_out_add(&out, pair.p, value + inner_query(gw_str_skip(pair, value)));
            gw_out_str(&out, GW_STR("***"));
        } else {
            gw_out_str(&out, pair);
        }
        gw_out_add(&out, query.p, query.n > 0);
        query = gw_str_skip(query, query.n > 0);
    }
    return (struct gw_str){out.p, out.n};
}

/* As gw_buf_str(), for the many short pieces of a line: without a call when there is room.  The
 * line's end is added by the real one, which ends the text. */
static inline void
put(struct gw_buf *out, struct gw_str s)
{
    if (out->size - out->n > s.n) {
        memcpy(out->p + out->n, s.p, s.n);
        out->n += s.n;
    } else {
        gw_buf_str(out, s);
    }
}

static inline void
put_u64(struct gw_buf *out, uint64_t v)
{
    char digits[GW_STR_DIGITS];

    put(out, gw_str_of_u64(digits, v));
}

/* Nothing in it has to be escaped in JSON. */
static bool
is_plain(struct gw_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c < 0x20 || c > 0x7e || c == '"' || c == '\\') {
            return false;
        }
    }
    return true;
}

/* name: with its quotes and colon, and the comma before it. */
static void
put_text(struct gw_buf *out, struct gw_str name, struct gw_str value)
{
    if (value.n == 0) {
        return;
    }
    put(out, name);
    if (is_plain(value)) {
        put(out, GW_STR("\""));
        put(out, value);
        put(out, GW_STR("\""));
    } else {
        gw_buf_json(out, value);
    }
}

static void
put_number(struct gw_buf *out, struct gw_str name, uint64_t value)
{
    put(out, name);
    put_u64(out, value);
}

/* Microseconds as milliseconds with three digits behind the point. */
static void
put_ms(struct gw_buf *out, struct gw_str name, uint64_t us)
{
    char digits[4] = {'.', (char)('0' + us / 100 % 10), (char)('0' + us / 10 % 10),
                      (char)('0' + us % 10)};

    if (us > 0) {
        put(out, name);
        put_u64(out, us / 1000);
        put(out, (struct gw_str){digits, sizeof(digits)});
    }
}

static void
put_flag(struct gw_buf *out, struct gw_str name, bool value)
{
    put(out, name);
    put(out, value ? GW_STR("true") : GW_STR("false"));
}

/* The text of a second is made once, not once a request: "2026-11-23T08:43:08" and ".123Z". */
static void
put_time(struct gw_buf *out, uint64_t wall_ms)
{
    static _Thread_local uint64_t second;
    static _Thread_local char text[20];
    char rest[5] = {'.', (char)('0' + wall_ms / 100 % 10), (char)('0' + wall_ms / 10 % 10),
                    (char)('0' + wall_ms % 10), 'Z'};

    if (text[0] == '\0' || second != wall_ms / 1000) {
        struct gw_buf whole = {0};

        gw_clock_rfc3339(&whole, wall_ms);
        memcpy(text, whole.p, sizeof(text) - 1);
        gw_buf_fini(&whole);
        second = wall_ms / 1000;
    }
    put(out, (struct gw_str){text, sizeof(text) - 1});
    put(out, (struct gw_str){rest, sizeof(rest)});
}

#define MEMBER(name) GW_STR(",\"" name "\":")

static void
put_request(struct gw_buf *out, const struct gw_req *req)
{
    put_text(out, MEMBER("id"), req->request_id);
    put_text(out, MEMBER("client"), req->client_ip);
    put_text(out, MEMBER("method"), req->head == NULL ? GW_STR_NONE : req->head->method);
    put_text(out, MEMBER("host"), req->host);
    put_text(out, MEMBER("path"), req->target.path);
    put_text(out, MEMBER("query"), gw_access_query(req->arena, req->target.query));
}

static void
put_policy(struct gw_buf *out, const struct gw_req *req)
{
    const struct gw_decision *d = &req->decision;

    put_text(out, MEMBER("route"), gw_str_of(gw_route_name(d->route)));
    put_text(out, MEMBER("extension"), d->extension);
    if (d->version_by != NULL) {
        put_text(out, MEMBER("version"), d->version);
        put_text(out, MEMBER("version_by"), gw_str_of(d->version_by));
    }
    if (req->subject.name.n > 0) {
        put_text(out, MEMBER("user"), req->subject.name);
        put_number(out, MEMBER("groups"), req->subject.n_groups);
    }
    put_text(out, MEMBER("authentication"), gw_str_of(d->authentication));
    if (req->info.is_resource) {
        put_text(out, MEMBER("verb"), req->info.verb);
        put_text(out, MEMBER("group"), req->info.api_group);
        put_text(out, MEMBER("resource"), req->info.resource);
        put_text(out, MEMBER("cluster"), req->info.cluster);
        put_text(out, MEMBER("workspace"), req->info.workspace);
        put_text(out, MEMBER("namespace"), req->info.ns);
    }
    if (d->allowed != GW_UNDECIDED) {
        put_flag(out, MEMBER("allowed"), d->allowed == GW_ALLOWED);
        put_text(out, MEMBER("policy"), gw_str_of(d->policy));
    }
    if (d->allowed == GW_DENIED) {
        put_text(out, MEMBER("reason"), d->reason);
    } else if (d->role.n > 0) {
        put_text(out, MEMBER("binding_kind"), d->binding_kind);
        put_text(out, MEMBER("binding"), d->binding);
        put_text(out, MEMBER("role_kind"), d->role_kind);
        put_text(out, MEMBER("role"), d->role);
        put_text(out, MEMBER("role_template"), d->role_template);
        if (d->rule >= 0) {
            put_number(out, MEMBER("rule"), (uint64_t)d->rule);
        }
    }
}

static void
put_outcome(struct gw_buf *out, const struct gw_req *req)
{
    const struct gw_decision *d = &req->decision;

    if (d->endpoint.n > 0) {
        put_text(out, MEMBER("endpoint"), d->endpoint);
        put_number(out, MEMBER("tries"), d->tries);
        put_flag(out, MEMBER("reused"), d->reused);
        put_number(out, MEMBER("upstream_status"), d->upstream_status);
    }
    put_number(out, MEMBER("status"), d->status);
    put_number(out, MEMBER("bytes_in"), d->bytes_in);
    put_number(out, MEMBER("bytes_out"), d->bytes_out);
    put_ms(out, MEMBER("head_ms"), d->head_us);
    put_ms(out, MEMBER("decided_ms"), d->decided_us);
    put_ms(out, MEMBER("connected_ms"), d->connected_us);
    put_ms(out, MEMBER("first_byte_ms"), d->first_byte_us);
    put_ms(out, MEMBER("duration_ms"), d->end_us);
    if (req->err != GW_ERR_OK) {
        put_text(out, MEMBER("error"), gw_str_of(gw_err_name(req->err)));
        put_text(out, MEMBER("detail"), gw_str_of(req->detail));
    }
    if (d->tunnel) {
        put_flag(out, MEMBER("tunnel"), true);
    }
    put_text(out, MEMBER("end"), gw_str_of(d->end));
}

void
gw_access_line(struct gw_buf *out, const struct gw_req *req)
{
    gw_buf_str(out, GW_STR("{\"time\":\""));
    put_time(out, req->decision.wall_ms);
    put(out, GW_STR("\""));
    put_request(out, req);
    put_policy(out, req);
    put_outcome(out, req);
    gw_buf_str(out, GW_STR("}\n"));
}
