#include "modules/jwt_answer.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define FINDINGS_SHOWN 8

/* ---- the document that names the set ----------------------------------------------------------
 */

static const char *
check_document(const struct gw_jwt_source *s, const json_t *root)
{
    const char *issuer = json_string_value(json_object_get(root, "issuer"));
    const char *url = json_string_value(json_object_get(root, "jwks_uri"));

    if (issuer == NULL || strcmp(issuer, s->name.issuer) != 0) {
        return "the document is another issuer's";
    }
    if (url == NULL) {
        return "the document names no jwks_uri";
    }
    bool https = strncasecmp(url, "https://", 8) == 0;
    if (!https && strncasecmp(url, "http://", 7) != 0) {
        return "the document's jwks_uri is neither http nor https";
    }
    if (gw_jwt_url_has_user(url)) {
        return "the document's jwks_uri has a user's name in it";
    }
    return !https && strncasecmp(s->name.url, "https:", 6) == 0
               ? "the document came by https, and its jwks_uri is not https"
               : NULL;
}

char *
gw_jwt_answer_url(const struct gw_jwt_source *s, struct gw_str text, const char **trouble)
{
    json_t *root = json_loadb(text.p == NULL ? "" : text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
    char *url = NULL;

    *trouble = json_is_object(root) ? check_document(s, root)
                                    : "the document is no JSON object without duplicate members";
    if (*trouble == NULL) {
        url = gw_mem_strdup(json_string_value(json_object_get(root, "jwks_uri")));
    }
    json_decref(root);
    return url;
}

/* ---- the set ------------------------------------------------------------------------------------
 */

/* An issuer does not fill the log. */
static void
log_findings(const struct gw_jwt_source *s, const struct gw_diag *diag)
{
    for (size_t i = 0; i < diag->n && i < FINDINGS_SHOWN; i++) {
        gw_log_warn("%s", diag->findings[i].text);
    }
    if (diag->n > FINDINGS_SHOWN) {
        gw_log_warn("issuer %s: its set of keys: %zu more findings", s->name.issuer,
                    diag->n - FINDINGS_SHOWN);
    }
}

enum gw_jwt_fetched
gw_jwt_answer_keys(struct gw_jwt_source *s, struct gw_str text, const char **trouble)
{
    struct gw_diag diag = {0};
    struct gw_buf about = {0};
    struct gw_jwks set;
    enum gw_jwt_fetched how = GW_JWT_FETCH_FAILED;

    gw_buf_printf(&about, "issuer %s: its set of keys", s->name.issuer);
    if (!gw_jwks_read(&set, text, (struct gw_jwks_rules){.published = true}, &diag,
                      (struct gw_place){0}, about.p)) {
        *trouble = "the answer is no set with a key for tokens";
    } else if (gw_jwt_entries_merge(s, &set, gw_clock_wall_ms())) {
        how = GW_JWT_FETCH_CHANGED;
    } else {
        how = GW_JWT_FETCH_UNCHANGED;
    }
    const char *before = atomic_load(&s->trouble);
    if (how == GW_JWT_FETCH_CHANGED ||
        (how == GW_JWT_FETCH_FAILED && (before == NULL || strcmp(before, *trouble) != 0))) {
        log_findings(s, &diag); /* once, and not each time that it is fetched */
    }
    gw_jwks_fini(&set);
    gw_buf_fini(&about);
    gw_diag_fini(&diag);
    return how;
}

/* ---- what is said -------------------------------------------------------------------------------
 */

void
gw_jwt_answer_say(const struct gw_jwt_source *s, const char *what)
{
    struct gw_buf keys = {0};

    gw_jwt_entries_say(s, &keys);
    gw_log_info("issuer %s: %s: %s", s->name.issuer, what, keys.p);
    gw_buf_fini(&keys);
}

void
gw_jwt_answer_note(struct gw_jwt_source *s, enum gw_jwt_fetched how, const char *trouble)
{
    const char *before = atomic_exchange(&s->trouble, trouble);

    atomic_fetch_add(&s->fetches[how], 1);
    if (how == GW_JWT_FETCH_FAILED) {
        if (before == NULL || strcmp(before, trouble) != 0) {
            gw_log_warn("issuer %s: its keys can't be fetched from %.*s (%s): %s", s->name.issuer,
                        GW_STR_ARG(gw_jwt_url_shown(s->name.url)), trouble,
                        s->n_entries > 0 ? "those that are known go on being used"
                                         : "none are known, and its tokens are answered 503");
        }
        return;
    }
    bool first = atomic_exchange(&s->fetched_ms, gw_clock_wall_ms()) == 0;
    if (how == GW_JWT_FETCH_CHANGED) {
        gw_jwt_answer_say(s, first ? "its keys were fetched" : "its keys have changed");
    } else if (before != NULL) {
        gw_jwt_answer_say(s, "its keys can be fetched again");
    }
}
