#include "modules/jwt_http.h"

#include <stdlib.h>

#include "base/mem.h"
#include "modules/jwt_jwk.h"

#define CONNECT_MS     3000
#define REDIRECTS      3
#define FRESH_MAX_S    (1LL << 31) /* RFC 9111, 1.2.2: more is as good as that */
#define DOCUMENT_BYTES GW_JWKS_BYTES_MAX

struct gw_jwt_get {
    CURLM *multi;
    CURL *easy;
    struct curl_slist *headers;
    gw_jwt_over_fn *over;
    void *owner;
    struct gw_buf body;
    long long max_age_s, age_s; /* max_age_s -1: not told */
    bool too_large;
};

/* ---- what comes ------------------------------------------------------------------------------ */

static size_t
on_body(char *bytes, size_t one, size_t n, void *get)
{
    struct gw_jwt_get *g = get;

    (void)one;
    if (g->body.n + n > DOCUMENT_BYTES) {
        g->too_large = true;
        return 0; /* ends it */
    }
    gw_buf_add(&g->body, bytes, n);
    return n;
}

/* What is no number of seconds is none at all (RFC 9111, 4.2.1: then it counts as stale). */
static long long
seconds_of(struct gw_str text)
{
    uint64_t s = 0;

    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9') {
            return 0;
        }
    }
    if (text.n == 0) {
        return 0;
    }
    return gw_str_u64(text, &s) && s < (uint64_t)FRESH_MAX_S ? (long long)s : FRESH_MAX_S;
}

static void
read_cache_control(struct gw_jwt_get *g, struct gw_str list)
{
    while (list.n > 0) {
        struct gw_str one = gw_str_trim(gw_str_cut(&list, ','));

        if (gw_str_has_prefix_nocase(one, GW_STR("max-age=")) && g->max_age_s < 0) {
            g->max_age_s = seconds_of(gw_str_skip(one, sizeof("max-age=") - 1));
        } else if (gw_str_eq_nocase(one, GW_STR("no-store")) ||
                   gw_str_eq_nocase(one, GW_STR("no-cache"))) {
            g->max_age_s = 0;
        }
    }
}

static size_t
/* NOLINTNEXTLINE(readability-non-const-parameter): curl's type */
on_header(char *bytes, size_t one, size_t n, void *get)
{
    struct gw_jwt_get *g = get;
    struct gw_str value = {bytes, n};

    (void)one;
    while (value.n > 0 && (value.p[value.n - 1] == '\n' || value.p[value.n - 1] == '\r')) {
        value.n--;
    }
    if (gw_str_has_prefix(value, GW_STR("HTTP/"))) { /* of the answer behind a redirect */
        g->max_age_s = -1;
        g->age_s = 0;
        return n;
    }
    struct gw_str name = gw_str_cut(&value, ':');
    value = gw_str_trim(value);
    if (gw_str_eq_nocase(name, GW_STR("cache-control"))) {
        read_cache_control(g, value);
    } else if (gw_str_eq_nocase(name, GW_STR("age"))) {
        g->age_s = seconds_of(value);
    }
    return n;
}

/* ---- asked ----------------------------------------------------------------------------------- */

/* That file and nothing else: curl also has a folder of the system's CAs, compiled in, which would
 * go on being believed. */
static bool
believe_only(CURL *e, const char *ca_file)
{
    CURLcode folder = gw_curl()->easy_setopt(e, CURLOPT_CAPATH, NULL);

#if LIBCURL_VERSION_NUM >= 0x075700
    /* else what was read from a file of that name is believed for a day, whatever is in it now */
    if (gw_curl()->easy_setopt(e, CURLOPT_CA_CACHE_TIMEOUT, 0L) != CURLE_OK) {
        return false;
    }
#endif
    return (folder == CURLE_OK || folder == CURLE_NOT_BUILT_IN) &&
           gw_curl()->easy_setopt(e, CURLOPT_CAINFO, ca_file) == CURLE_OK;
}

/* Its length by itself: curl copies as much as it was told before. */
static bool
set_up_form(CURL *e, const char *form)
{
    return gw_curl()->easy_setopt(e, CURLOPT_POST, 1L) == CURLE_OK &&
           gw_curl()->easy_setopt(e, CURLOPT_POSTFIELDSIZE, (long)strlen(form)) == CURLE_OK &&
           gw_curl()->easy_setopt(e, CURLOPT_COPYPOSTFIELDS, form) == CURLE_OK;
}

static bool
set_up(struct gw_jwt_get *g, const struct gw_jwt_ask *ask)
{
    CURL *e = g->easy;
    bool https = strncasecmp(ask->url, "https:", 6) == 0;
    bool good = ask->form == NULL || set_up_form(e, ask->form);

    good = gw_curl()->easy_setopt(e, CURLOPT_URL, ask->url) == CURLE_OK && good;
    good = gw_curl()->easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK && good;
    good = gw_curl()->easy_setopt(e, CURLOPT_REDIR_PROTOCOLS_STR, https ? "https" : "http,https") ==
               CURLE_OK &&
           good;
    good = gw_curl()->easy_setopt(e, CURLOPT_FOLLOWLOCATION, ask->form == NULL ? 1L : 0L) ==
               CURLE_OK &&
           good;
    good = gw_curl()->easy_setopt(e, CURLOPT_MAXREDIRS, (long)REDIRECTS) == CURLE_OK && good;
    good = gw_curl()->easy_setopt(e, CURLOPT_NOSIGNAL, 1L) == CURLE_OK && good;
    good =
        gw_curl()->easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS) == CURLE_OK && good;
    good = gw_curl()->easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)ask->timeout_ms) == CURLE_OK && good;
    good = gw_curl()->easy_setopt(e, CURLOPT_HTTPHEADER, g->headers) == CURLE_OK && good;
    good =
        gw_curl()->easy_setopt(e, CURLOPT_USERAGENT, "ksgate/" PACKAGE_VERSION) == CURLE_OK && good;
    good = gw_curl()->easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK && good;
    good = gw_curl()->easy_setopt(e, CURLOPT_WRITEDATA, g) == CURLE_OK && good;
    good = gw_curl()->easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK && good;
    good = gw_curl()->easy_setopt(e, CURLOPT_HEADERDATA, g) == CURLE_OK && good;
    /* Minutes lie between two: a kept connection would only be one that has died meanwhile. */
    good = gw_curl()->easy_setopt(e, CURLOPT_FORBID_REUSE, 1L) == CURLE_OK && good;
    /* neither of a document nor of a redirect; the settings have none */
    good = gw_curl()->easy_setopt(e, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L) == CURLE_OK && good;
#if LIBCURL_VERSION_NUM >= 0x075700
    /* A name server that is away: who gives up does not wait for getaddrinfo() to give up. */
    good = gw_curl()->easy_setopt(e, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK && good;
#endif
    return (ask->ca_file[0] == '\0' || believe_only(e, ask->ca_file)) && good;
}

static bool
add_header(struct gw_jwt_get *g, const char *line)
{
    struct curl_slist *list = line == NULL ? g->headers : gw_curl()->slist_append(g->headers, line);

    g->headers = list == NULL ? g->headers : list;
    return list != NULL;
}

struct gw_jwt_get *
gw_jwt_get_start(CURLM *multi, const struct gw_jwt_ask *ask)
{
    struct gw_jwt_get *g = gw_mem_alloc(sizeof(*g));

    g->max_age_s = -1;
    g->over = ask->over;
    g->owner = ask->owner;
    g->easy = gw_curl()->easy_init();
    if (g->easy == NULL ||
        !add_header(g, ask->form == NULL ? "Accept: application/json, application/jwk-set+json"
                                         : "Accept: application/json") ||
        !add_header(g, ask->authorization) || !set_up(g, ask) ||
        gw_curl()->easy_setopt(g->easy, CURLOPT_PRIVATE, g) != CURLE_OK ||
        gw_curl()->multi_add_handle(multi, g->easy) != CURLM_OK) {
        gw_jwt_get_free(g);
        return NULL;
    }
    g->multi = multi;
    return g;
}

void
gw_jwt_get_over(CURL *easy, void *thread, CURLcode code)
{
    char *get = NULL;

    (void)gw_curl()->easy_getinfo(easy, CURLINFO_PRIVATE, &get);
    struct gw_jwt_get *g = (struct gw_jwt_get *)(void *)get;
    g->over(thread, g->owner, code);
}

void
gw_jwt_get_free(struct gw_jwt_get *g)
{
    if (g == NULL) {
        return;
    }
    if (g->multi != NULL) {
        (void)gw_curl()->multi_remove_handle(g->multi, g->easy);
    }
    gw_curl()->easy_cleanup(g->easy);
    gw_curl()->slist_free_all(g->headers);
    gw_buf_fini(&g->body);
    free(g);
}

/* ---- over ------------------------------------------------------------------------------------ */

const char *
gw_jwt_get_answered(const struct gw_jwt_get *g, CURLcode code, long *status)
{
    *status = 0;
    if (g->too_large) {
        return "the answer is larger than 256 KiB";
    }
    if (code != CURLE_OK) {
        return gw_curl()->easy_strerror(code);
    }
    (void)gw_curl()->easy_getinfo(g->easy, CURLINFO_RESPONSE_CODE, status);
    return NULL;
}

const char *
gw_jwt_get_trouble(const struct gw_jwt_get *g, CURLcode code)
{
    long status = 0;
    const char *trouble = gw_jwt_get_answered(g, code, &status);

    return trouble != NULL || status == 200 ? trouble : "the answer's status is not 200";
}

struct gw_str
gw_jwt_get_body(const struct gw_jwt_get *g)
{
    return gw_buf_text(&g->body);
}

long long
gw_jwt_get_fresh_ms(const struct gw_jwt_get *g)
{
    if (g->max_age_s < 0) {
        return -1;
    }
    return g->max_age_s > g->age_s ? (g->max_age_s - g->age_s) * 1000 : 0;
}

/* ---- URLs ------------------------------------------------------------------------------------ */

bool
gw_jwt_url_has_user(const char *url)
{
    const char *scheme = strstr(url, "://");
    const char *host = scheme == NULL ? url : scheme + 3;

    return memchr(host, '@', strcspn(host, "/?#")) != NULL;
}

bool
gw_jwt_url_is_loopback(const char *url)
{
    static const char *const hosts[] = {"http://127.", "http://localhost:", "http://localhost/",
                                        "http://[::1]"};

    for (size_t k = 0; k < sizeof(hosts) / sizeof(hosts[0]); k++) {
        if (strncasecmp(url, hosts[k], strlen(hosts[k])) == 0) {
            return true;
        }
    }
    return false;
}

struct gw_str
gw_jwt_url_shown(const char *url)
{
    return (struct gw_str){url, strcspn(url, "?#")};
}
