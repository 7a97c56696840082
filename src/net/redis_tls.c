#include "net/redis_tls.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include "base/mem.h"

static char *
copy_text(const char *s)
{
    return s == NULL || s[0] == '\0' ? NULL : gw_mem_strdup(s);
}

void
gw_redis_tls_copy(struct gw_redis_tls_conf *to, const struct gw_redis_tls_conf *from)
{
    *to = (struct gw_redis_tls_conf){
        .ca_file = copy_text(from->ca_file),
        .certificate_file = copy_text(from->certificate_file),
        .key_file = copy_text(from->key_file),
        .server_name = copy_text(from->server_name),
        .insecure_skip_verify = from->insecure_skip_verify,
    };
}

static void
free_text(const char *s)
{
    union {
        const char *borrowed;
        char *owned;
    } text = {s};

    free(text.owned);
}

void
gw_redis_tls_fini(struct gw_redis_tls_conf *c)
{
    free_text(c->ca_file);
    free_text(c->certificate_file);
    free_text(c->key_file);
    free_text(c->server_name);
    *c = (struct gw_redis_tls_conf){0};
}

static bool
is_given(const char *s)
{
    return s != NULL && s[0] != '\0';
}

bool
gw_redis_tls_check(const struct gw_redis_tls_conf *c, bool spoken, struct gw_diag *diag)
{
    bool any = is_given(c->ca_file) || is_given(c->certificate_file) || is_given(c->key_file) ||
               is_given(c->server_name) || c->insecure_skip_verify;

    if (any && !spoken) {
        gw_diag_error(diag, (struct gw_place){0},
                      "tls is set, but the URL does not begin with rediss://: nothing would be "
                      "encrypted");
        return false;
    }
    if (is_given(c->certificate_file) != is_given(c->key_file)) {
        gw_diag_error(diag, (struct gw_place){0},
                      "tls.certificate_file and tls.key_file belong together: set both or none");
        return false;
    }
    return true;
}

static const char *
reason(unsigned long e)
{
    const char *text =
        ERR_SYSTEM_ERROR(e) ? strerror(ERR_GET_REASON(e)) : ERR_reason_error_string(e);

    return text == NULL ? "unknown reason" : text;
}

/* False, with the first error of the queue: the later ones say where it went up. */
static bool
bad_file(const char *what, const char *path, char *text, size_t size)
{
    (void)snprintf(text, size, "tls.%s %s can't be used: %s", what, path, reason(ERR_peek_error()));
    ERR_clear_error();
    return false;
}

static bool
load_trust(SSL_CTX *ctx, const struct gw_redis_tls_conf *c, char *text, size_t size)
{
    if (c->insecure_skip_verify) {
        return true;
    }
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    if (c->ca_file == NULL) {
        return SSL_CTX_set_default_verify_paths(ctx) == 1 ||
               bad_file("ca_file", "(the system's)", text, size);
    }
    return SSL_CTX_load_verify_file(ctx, c->ca_file) == 1 ||
           bad_file("ca_file", c->ca_file, text, size);
}

static bool
load_own(SSL_CTX *ctx, const struct gw_redis_tls_conf *c, char *text, size_t size)
{
    if (c->certificate_file == NULL) {
        return true;
    }
    if (SSL_CTX_use_certificate_chain_file(ctx, c->certificate_file) != 1) {
        return bad_file("certificate_file", c->certificate_file, text, size);
    }
    /* which also sees that it is the certificate's */
    return SSL_CTX_use_PrivateKey_file(ctx, c->key_file, SSL_FILETYPE_PEM) == 1 ||
           bad_file("key_file", c->key_file, text, size);
}

SSL_CTX *
gw_redis_tls_context(const struct gw_redis_tls_conf *c, char *text, size_t size)
{
    ERR_clear_error();
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (ctx == NULL) {
        (void)snprintf(text, size, "TLS: %s", reason(ERR_peek_error()));
        return NULL;
    }
    (void)SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    (void)SSL_CTX_set_mode(ctx,
                           SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    /* a server that is killed says no goodbye: that is an end as any other */
    (void)SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
    if (load_trust(ctx, c, text, size) && load_own(ctx, c, text, size)) {
        return ctx;
    }
    SSL_CTX_free(ctx);
    return NULL;
}

/* Names are told to the server, too (SNI); addresses can't be. */
static bool
expect(SSL *ssl, const char *name)
{
    struct in6_addr any;

    if (inet_pton(AF_INET, name, &any) == 1 || inet_pton(AF_INET6, name, &any) == 1) {
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    }
    return SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

SSL *
gw_redis_tls_session(SSL_CTX *ctx, int fd, const char *name, char *text, size_t size)
{
    SSL *ssl = SSL_new(ctx);

    if (ssl != NULL && expect(ssl, name) && SSL_set_fd(ssl, fd) == 1) {
        SSL_set_connect_state(ssl);
        return ssl;
    }
    (void)snprintf(text, size, "TLS: %s", reason(ERR_peek_error()));
    ERR_clear_error();
    SSL_free(ssl);
    return NULL;
}

void
gw_redis_tls_say(const SSL *ssl, char *text, size_t size)
{
    long verdict = SSL_get_verify_result(ssl);
    unsigned long e = ERR_peek_error();
    bool distrust =
        ERR_GET_LIB(e) == ERR_LIB_SSL && ERR_GET_REASON(e) == SSL_R_CERTIFICATE_VERIFY_FAILED;

    if (distrust && verdict != X509_V_OK) {
        (void)snprintf(text, size, "TLS: the server's certificate is not taken: %s",
                       X509_verify_cert_error_string(verdict));
    } else if (ERR_GET_LIB(e) == ERR_LIB_SSL && ERR_GET_REASON(e) == SSL_R_WRONG_VERSION_NUMBER) {
        (void)snprintf(text, size, "TLS: the server does not speak TLS on this port");
    } else {
        (void)snprintf(text, size, "TLS: %s", reason(e));
    }
    ERR_clear_error();
}
