/*
 * claims.h - what an object wants for itself alone, and who of two comes first.
 *
 *   APIService     group and version
 *   ReverseProxy   a path (or all that begin so) with a method; the console's are apart
 *   JSBundle       its link, and those of its style and files
 *
 * Pure functions of objects (KubeSphere:
 * pkg/apiserver/filters/{reverseproxy,apiservice,jsbundle}.go for what is matched,
 * pkg/controller/extension for what is refused; docs/adr/0023).  Whether the object is enabled does
 * not matter: it will be.
 */
#ifndef GW_REGISTRY_CLAIMS_H
#define GW_REGISTRY_CLAIMS_H

#include "base/buf.h"
#include "registry/object.h"

enum gw_claim_space {
    GW_CLAIM_API,
    GW_CLAIM_PATH,
    GW_CLAIM_CONSOLE_PATH, /* of what ks-console serves, and ks-apiserver does not see */
    GW_CLAIM_LINK,
    GW_CLAIM_N_SPACES
};

struct gw_claim {
    struct gw_str text;   /* "group/version", a link, a path without the stars at its end */
    struct gw_str method; /* byte for byte; "*": any */
    const char *field;    /* "spec.matcher.path"; static */
    enum gw_claim_space space;
    bool prefix; /* all that begin so */
};

static inline bool
gw_claim_is_of_any_method(const struct gw_claim *c)
{
    return gw_str_eq(c->method, GW_STR("*"));
}

/* Of one object.  What it takes to compare two, or to find one again, grows with it. */
#define GW_CLAIMS_MAX 1000

/* All of one object's; no two are the same. */
struct gw_claims {
    struct gw_object *object; /* a reference */
    const char *extension;    /* of its label; "": none */
    const char *created;      /* NULL: it does not say, or not in Kubernetes' form */
    bool from_file;
    bool too_many; /* more than GW_CLAIMS_MAX: it has none, and is not used */
    size_t n;
    const struct gw_claim **sorted; /* links, by their text; NULL: few, or others */
    struct gw_claim list[];
};

/* Can objects of this key claim anything, by its kind? */
bool gw_claims_of_key(const char *key);

/* The caller's; NULL: it claims nothing.  from_file: it is one of registry.files. */
struct gw_claims *gw_claims_read(struct gw_object *o, bool from_file);
void gw_claims_free(struct gw_claims *c); /* NULL is fine */

/* Could one request be of both? */
bool gw_claim_meets(const struct gw_claim *a, const struct gw_claim *b);

/* The first claim of a that meets one of b, and that one in *other; or NULL. */
const struct gw_claim *gw_claims_meet(const struct gw_claims *a, const struct gw_claims *b,
                                      const struct gw_claim **other);

/* Negative: a comes first.  Files before the store; then the older metadata.creationTimestamp, and
 * who has none last; then by key.  All of it is the same on every gateway, and stays when objects
 * are copied to another store. */
int gw_claims_order(const struct gw_claims *a, const struct gw_claims *b);

/* For people.  "spec.matcher.path: /proxy/x* with method GET overlaps /proxy/x/y of ReverseProxy
 * "a" (extension devops), ..."; named false: without whose it is, and what.  a and b meet, or are
 * the same one, that has too many. */
void gw_claims_say(struct gw_buf *out, const struct gw_claims *a, const struct gw_claims *b,
                   bool named);

#endif
