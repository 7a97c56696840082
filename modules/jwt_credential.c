#include "modules/jwt_credential.h"

/* The value of the only header of the id, or none.  False: there are two. */
static bool
only_value(const struct gw_headers *h, enum gw_header_id id, struct gw_str *value)
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

/* Two credentials are two identities: which one is meant, nobody behind us would know. */
static bool
find_in_headers(const struct gw_headers *h, struct gw_str *credential)
{
    struct gw_str other;

    if (!only_value(h, GW_H_AUTHORIZATION, credential) ||
        !only_value(h, GW_H_X_KUBESPHERE_AUTHORIZATION, &other)) {
        return false;
    }
    if (!gw_headers_has(h, GW_H_AUTHORIZATION)) {
        *credential = other;
        return true;
    }
    return !gw_headers_has(h, GW_H_X_KUBESPHERE_AUTHORIZATION) || gw_str_eq(*credential, other);
}

bool
gw_jwt_credential_find(const struct gw_req *req, struct gw_jwt_credential *out)
{
    struct gw_str value = GW_STR_NONE;

    *out = (struct gw_jwt_credential){0};
    if (req->head == NULL) {
        return true;
    }
    if (!find_in_headers(&req->head->headers, &value)) {
        return false;
    }
    if (value.p != NULL) {
        out->scheme = gw_str_cut(&value, ' ');
        out->token = value;
    }
    return true;
}
