#include "modules/login_provider.h"

#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <jansson.h>

#include "base/mem.h"
#include "base/refs.h"

static const char *const members[GW_LOGIN_N_ENDPOINTS] = {
    [GW_LOGIN_AUTHORIZATION] = "authorization_endpoint",
    [GW_LOGIN_TOKEN] = "token_endpoint",
    [GW_LOGIN_END_SESSION] = "end_session_endpoint",
    [GW_LOGIN_REVOCATION] = "revocation_endpoint",
};

struct gw_login_provider *
gw_login_provider_ref(struct gw_login_provider *p)
{
    gw_refs_take(&p->refs);
    return p;
}

void
gw_login_provider_unref(struct gw_login_provider *p)
{
    if (p == NULL || !gw_refs_drop(&p->refs)) {
        return;
    }
    for (unsigned e = 0; e < GW_LOGIN_N_ENDPOINTS; e++) {
        free(p->written[e]);
        free(p->found[e]);
    }
    if (p->secret != NULL) {
        OPENSSL_cleanse(p->secret, strlen(p->secret));
    }
    free(p->secret);
    free(p->issuer);
    free(p->ca_file);
    free(p->client_id);
    free(p->document);
    free(p);
}

const char *
gw_login_provider_url(const struct gw_login_provider *p, enum gw_login_endpoint e)
{
    return p->written[e] != NULL ? p->written[e] : p->found[e];
}

/* ---- its document ------------------------------------------------------------------------- */

/* It goes into a Location, or gets our secret. */
static bool
is_usable(const char *url, bool https)
{
    for (const char *c = url; *c != '\0'; c++) {
        if ((unsigned char)*c <= 0x20 || (unsigned char)*c >= 0x7f) {
            return false;
        }
    }
    return (strncasecmp(url, "https://", 8) == 0 ||
            (!https && strncasecmp(url, "http://", 7) == 0)) &&
           !gw_jwt_url_has_user(url) && strchr(url, '#') == NULL;
}

static const char *
check(const struct gw_login_provider *p, const json_t *root)
{
    const char *issuer = json_string_value(json_object_get(root, "issuer"));
    bool https = strncasecmp(p->document, "https://", 8) == 0;

    if (issuer == NULL || strcmp(issuer, p->issuer) != 0) {
        return "the document is another issuer's";
    }
    for (unsigned e = 0; e < GW_LOGIN_N_ENDPOINTS; e++) {
        const char *url = json_string_value(json_object_get(root, members[e]));

        if (url == NULL && p->written[e] == NULL && e <= GW_LOGIN_TOKEN) {
            return "the document names no authorization_endpoint, or no token_endpoint";
        }
        if (url != NULL && !is_usable(url, https)) {
            return "an endpoint in the document is no URL with https://";
        }
    }
    return NULL;
}

const char *
gw_login_provider_read(struct gw_login_provider *p, struct gw_str document)
{
    json_t *root =
        json_loadb(document.p == NULL ? "" : document.p, document.n, JSON_REJECT_DUPLICATES, NULL);
    const char *trouble = json_is_object(root)
                              ? check(p, root)
                              : "the document is no JSON object without duplicate members";

    for (unsigned e = 0; trouble == NULL && e < GW_LOGIN_N_ENDPOINTS; e++) {
        free(p->found[e]);
        p->found[e] = gw_mem_strdup(json_string_value(json_object_get(root, members[e])));
    }
    json_decref(root);
    return trouble;
}

/* ---- forms -------------------------------------------------------------------------------- */

/* All but the unreserved characters (RFC 3986, 2.3): so a form and a query agree. */
static void
add_escaped(struct gw_buf *out, struct gw_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
            c == '-' || c == '.' || c == '_' || c == '~') {
            gw_buf_add(out, &s.p[i], 1);
        } else {
            gw_buf_printf(out, "%%%02X", c);
        }
    }
}

void
gw_login_form_add(struct gw_buf *out, const char *name, struct gw_str value)
{
    bool first = out->n == 0 || out->p[out->n - 1] == '?';

    gw_buf_puts(out, first ? "" : "&");
    gw_buf_puts(out, name);
    gw_buf_puts(out, "=");
    add_escaped(out, value);
}

/* Escaped before they are put together (RFC 6749, 2.3.1): a name may have a colon. */
static void
add_basic(const struct gw_login_provider *p, struct gw_buf *header)
{
    struct gw_buf pair = {0};

    add_escaped(&pair, gw_str_of(p->client_id));
    gw_buf_puts(&pair, ":");
    add_escaped(&pair, gw_str_of(p->secret));
    unsigned char *text = gw_mem_alloc(pair.n / 3 * 4 + 5);
    int n = EVP_EncodeBlock(text, (const unsigned char *)pair.p, (int)pair.n);
    gw_buf_puts(header, "Authorization: Basic ");
    gw_buf_add(header, text, (size_t)n);
    OPENSSL_cleanse(pair.p, pair.n);
    OPENSSL_cleanse(text, (size_t)n);
    free(text);
    gw_buf_fini(&pair);
}

void
gw_login_provider_identify(const struct gw_login_provider *p, struct gw_buf *form,
                           struct gw_buf *header)
{
    if (p->secret != NULL && p->auth == GW_LOGIN_AUTH_BASIC) {
        add_basic(p, header);
        return;
    }
    gw_login_form_add(form, "client_id", gw_str_of(p->client_id));
    if (p->secret != NULL) {
        gw_login_form_add(form, "client_secret", gw_str_of(p->secret));
    }
}
