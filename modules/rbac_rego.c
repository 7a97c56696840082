/* rbac_rego.c - KubeSphere's own four Rego policies, known by their fingerprints.
 *
 * The whole of KubeSphere's chart holds four texts; any other text is nobody's that we know
 * and allows nothing.  So no Rego engine is needed. */
#include <stdio.h>
#include <stdlib.h>

#include <openssl/evp.h>

#include "base/mem.h"
#include "modules/rbac_policy.h"

static const struct {
    const char *name;    /* for readers of this table */
    const char *sha256;  /* of the folded text */
    const char *clauses; /* what it says */
} known[] = {
    {"authenticated", "3a98cc2c7ddb98fc5af9680ee5e275e505969c5e8025f7d1fe18f4cb460850a2",
     "[{\"resources\": [\"users\"], \"nameIs\": \"{user}\"},"
     " {\"resources\": [\"clustermembers\", \"workspacemembers\", \"namespacemembers\"],"
     "  \"verbs\": [\"get\", \"list\", \"watch\"], \"nameIs\": \"{user}\"},"
     " {\"paths\": [\"/api\", \"/api/v1\"], \"verbs\": [\"GET\"]},"
     " {\"apiGroups\": [\"tenant.kubesphere.io\"], \"kubernetesRequest\": false,"
     "  \"verbs\": [\"get\", \"list\", \"watch\"]},"
     " {\"resources\": [\"pods\"], \"subresources\": [\"exec\"], \"verbs\": [\"get\", \"create\"],"
     "  \"namespaces\": [\"kubesphere-system\"], \"nameIs\": \"ks-managed-kubectl-{user}\"}]"},
    {"platform-admin", "14896969c688b6d8255ee2ec989ccd3bc689e534eabf9badaf35f2a08072ed3f",
     "[{\"scopes\": [\"Workspace\", \"Namespace\", \"Cluster\"]}]"},
    {"global-view-clusters", "496c32b03f35d2c34cff1c8df111168355d8d2c3a7943b7bef9604ff5d35c526",
     "[{\"scopes\": [\"Workspace\", \"Namespace\", \"Cluster\"],"
     "  \"verbs\": [\"get\", \"list\", \"watch\"]}]"},
    {"global-manage-clusters", "f3609a66bdcfaa337f9d628a988f4dc71aa4e589e5f8e99fb216ee9b79d17479",
     "[{\"scopes\": [\"Workspace\", \"Namespace\", \"Cluster\"]}]"},
};

static bool
is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

char *
gw_rbac_policy_fold(struct gw_str rego)
{
    char *out = gw_mem_alloc(rego.n + 1);
    size_t n = 0;
    bool comment = false;
    bool space = false;

    for (size_t i = 0; i < rego.n; i++) {
        char c = rego.p[i];

        comment = c == '\n' ? false : comment || c == '#';
        if (comment || is_space(c)) {
            space = space || !comment;
            continue;
        }
        if (space && n > 0) {
            out[n++] = ' ';
        }
        space = false;
        out[n++] = c;
    }
    out[n] = '\0';
    return out;
}

/* 64 hexadecimal digits of the text's SHA-256, and a NUL. */
static bool
fingerprint(const char *text, char hex[65])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    if (EVP_Digest(text, strlen(text), digest, &n, EVP_sha256(), NULL) != 1 || n != 32) {
        return false;
    }
    for (unsigned i = 0; i < n; i++) {
        (void)snprintf(hex + 2 * (size_t)i, 3, "%02x", digest[i]);
    }
    return true;
}

bool
gw_rbac_policy_of_sha256(struct gw_rbac_policy *p, const char *hex)
{
    char why[200];

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(hex, known[i].sha256) == 0) {
            return gw_rbac_policy_read(p, gw_str_of(known[i].clauses), why);
        }
    }
    return false;
}

bool
gw_rbac_policy_of_rego(struct gw_rbac_policy *p, struct gw_str rego)
{
    char hex[65];
    char *folded = gw_rbac_policy_fold(rego);
    bool ok = fingerprint(folded, hex);

    free(folded);
    return ok && gw_rbac_policy_of_sha256(p, hex);
}
