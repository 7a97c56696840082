#include "server/admin_select.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/buf.h"

static struct gw_str
field_of(const struct gw_object *o, const char *known_as, struct gw_str name)
{
    return gw_str_eq(name, GW_STR("metadata.name")) ? gw_str_of(known_as) : gw_str_of(o->ns);
}

/* The label's value; p is NULL when it is not there. */
static struct gw_str
label_of(json_t *object, struct gw_str name)
{
    const char *key;
    json_t *value;

    json_object_foreach(json_object_get(json_object_get(object, "metadata"), "labels"), key, value)
    {
        if (gw_str_eq(name, gw_str_of(key))) {
            return gw_str_of(json_string_value(value));
        }
    }
    return GW_STR_NONE;
}

/* Is it one of "a,b"? */
static bool
is_among(struct gw_str list, struct gw_str is)
{
    for (bool more = true; more;) {
        more = gw_str_find(list, ',') < list.n; /* an empty value behind a comma is one, too */
        if (gw_str_eq(gw_str_trim(gw_str_cut(&list, ',')), is)) {
            return true;
        }
    }
    return false;
}

static bool
says(const struct gw_select_term *t, struct gw_str is)
{
    switch (t->how) {
    case GW_SELECT_IS:
        return is.p != NULL && gw_str_eq(is, t->value);
    case GW_SELECT_IS_NOT:
        return is.p == NULL || !gw_str_eq(is, t->value);
    case GW_SELECT_THERE:
        return is.p != NULL;
    case GW_SELECT_NOT_THERE:
        return is.p == NULL;
    case GW_SELECT_IN:
        return is.p != NULL && is_among(t->value, is);
    case GW_SELECT_NOT_IN:
        return is.p == NULL || !is_among(t->value, is);
    }
    return false;
}

static bool
matches_as(const struct gw_selection *s, const struct gw_object *o, const char *name)
{
    json_t *json = NULL; /* made once, and only when labels are asked for */
    bool all = true;

    for (unsigned i = 0; all && i < s->n_terms; i++) {
        const struct gw_select_term *t = &s->terms[i];

        if (!t->field && json == NULL) {
            json = gw_object_json(o);
        }
        all = says(t, t->field ? field_of(o, name, t->name) : label_of(json, t->name));
    }
    json_decref(json);
    return all;
}

bool
gw_selection_matches(const struct gw_selection *s, const struct gw_object *o)
{
    return matches_as(s, o, o->name);
}

/* None of what operators are made of (Kubernetes has "<" and ">", too).  Else "a!=b=c" would be
 * everything without that odd value, which nothing has, and be deleted by who meant something else.
 */
static bool
is_plain(struct gw_str s)
{
    static const struct gw_str operators = {"=!<>()", 6};

    for (size_t i = 0; i < s.n; i++) {
        if (gw_str_find(operators, s.p[i]) < operators.n) {
            return false;
        }
    }
    return true;
}

static bool
is_name(struct gw_str s)
{
    return s.n > 0 && is_plain(s) && gw_str_find(s, ' ') == s.n;
}

/* "a in (b,c)", "a notin (b)". */
static bool
read_set(struct gw_select_term *t, struct gw_str text, size_t open)
{
    struct gw_str before = gw_str_trim((struct gw_str){text.p, open});
    size_t word = before.n;

    while (word > 0 && before.p[word - 1] != ' ') {
        word--;
    }
    struct gw_str how = gw_str_skip(before, word);
    t->how = gw_str_eq(how, GW_STR("in")) ? GW_SELECT_IN : GW_SELECT_NOT_IN;
    t->name = gw_str_trim((struct gw_str){before.p, word});
    t->value = (struct gw_str){text.p + open + 1, text.n - open - 2};
    return text.p[text.n - 1] == ')' && text.n >= open + 2 && is_name(t->name) &&
           (t->how == GW_SELECT_IN || gw_str_eq(how, GW_STR("notin"))) && is_plain(t->value);
}

/* "a=b", "a==b", "a!=b", "a", "!a", "a in (b,c)", "a notin (b)"; false for anything else. */
static bool
read_term(struct gw_select_term *t, struct gw_str text)
{
    size_t at;

    text = gw_str_trim(text);
    if (text.n == 0) {
        return false;
    }
    at = gw_str_find(text, '(');
    if (at < text.n) {
        return read_set(t, text, at);
    }
    at = gw_str_find(text, '=');
    if (at == text.n) {
        t->how = text.p[0] == '!' ? GW_SELECT_NOT_THERE : GW_SELECT_THERE;
        t->name = gw_str_trim(text.p[0] == '!' ? gw_str_skip(text, 1) : text);
    } else {
        bool not_is = at > 0 && text.p[at - 1] == '!';
        size_t begin = at + 1 + (!not_is && at + 1 < text.n && text.p[at + 1] == '=');

        t->how = not_is ? GW_SELECT_IS_NOT : GW_SELECT_IS;
        t->name = gw_str_trim((struct gw_str){text.p, not_is ? at - 1 : at});
        t->value = gw_str_trim(gw_str_skip(text, begin));
    }
    return is_name(t->name) && is_plain(t->value);
}

/* Up to the next comma that is not within parentheses. */
static struct gw_str
cut_term(struct gw_str *rest)
{
    size_t n = 0;

    for (int depth = 0; n < rest->n && (depth > 0 || rest->p[n] != ','); n++) {
        depth += rest->p[n] == '(' ? 1 : rest->p[n] == ')' && depth > 0 ? -1 : 0;
    }
    struct gw_str term = {rest->p, n};
    *rest = gw_str_skip(*rest, n < rest->n ? n + 1 : n);
    return term;
}

static bool
is_field(const struct gw_select_term *t)
{
    return (t->how == GW_SELECT_IS || t->how == GW_SELECT_IS_NOT) &&
           (gw_str_eq(t->name, GW_STR("metadata.name")) ||
            gw_str_eq(t->name, GW_STR("metadata.namespace")));
}

static enum gw_verdict
read_terms(struct gw_selection *s, struct gw_admin_call *call, const char *parameter, bool field)
{
    struct gw_str rest = gw_admin_query(call, parameter);

    while (rest.n > 0) {
        struct gw_str text = cut_term(&rest);
        struct gw_select_term t = {.field = field};

        if (s->n_terms == GW_SELECT_TERMS) {
            return gw_admin_refuse(call, GW_ERR_BAD_REQUEST, "%s: at most %d terms are taken",
                                   parameter, GW_SELECT_TERMS);
        }
        if (!read_term(&t, text) || (field && !is_field(&t))) {
            return gw_admin_refuse(call, GW_ERR_BAD_REQUEST, "%s: \"%.*s\" is not understood; %s",
                                   parameter, GW_STR_ARG(text),
                                   field
                                       ? "only metadata.name and metadata.namespace with = and != "
                                         "are"
                                       : "name=value, name!=value, name, !name, name in (a,b) and "
                                         "name notin (a,b) are");
        }
        s->terms[s->n_terms++] = t;
    }
    return GW_NEXT;
}

/* Is that the key of an object of this collection?  It may be gone by now. */
static bool
is_key(const struct gw_admin_call *call, struct gw_str key)
{
    const struct gw_kind *k = call->kind != NULL /* else the list of all extensions */
                                  ? call->kind
                                  : gw_kind_find(GW_STR("ksgate.io"), GW_STR("ExtensionService"));
    struct gw_str rest = key;
    struct gw_str group = gw_str_cut(&rest, '/');
    struct gw_str kind = gw_str_cut(&rest, '/');
    size_t slash = gw_str_find(rest, '/');
    struct gw_str ns = {rest.p, slash};

    return gw_str_eq(group, gw_str_of(k->group)) && gw_str_eq(kind, gw_str_of(k->kind)) &&
           slash + 1 < rest.n && (call->ns.n == 0 || gw_str_eq(ns, call->ns)) &&
           (k->namespaced || ns.n == 0);
}

/* A page's token: the revision of the first page, ":", and the key of the page's last object. */
static bool
read_token(struct gw_selection *s, const struct gw_admin_call *call, struct gw_str token)
{
    struct gw_str revision = gw_str_cut(&token, ':');

    s->after = token;
    return gw_str_u64(revision, &s->since) && is_key(call, token);
}

enum gw_verdict
gw_selection_read(struct gw_selection *s, struct gw_admin_call *call)
{
    struct gw_str limit = gw_admin_query(call, "limit");
    struct gw_str token = gw_admin_query(call, "continue");
    enum gw_verdict v = read_terms(s, call, "labelSelector", false);

    if (v == GW_NEXT) {
        v = read_terms(s, call, "fieldSelector", true);
    }
    if (v != GW_NEXT) {
        return v;
    }
    if (limit.n > 0 && !gw_str_u64(limit, &s->limit)) {
        return gw_admin_refuse(call, GW_ERR_BAD_REQUEST, "limit=%.*s: it takes a number",
                               GW_STR_ARG(limit));
    }
    if (token.n > 0 && !read_token(s, call, token)) {
        return gw_admin_refuse(call, GW_ERR_BAD_REQUEST,
                               "continue key is not valid: \"%.*s\" is not the metadata.continue "
                               "of a page of this collection; leave it out to begin anew",
                               GW_STR_ARG(token));
    }
    return GW_NEXT;
}

bool
gw_selection_takes(struct gw_selection *s, const struct gw_object *o)
{
    return gw_selection_takes_as(s, o, o->name, o->key);
}

bool
gw_selection_takes_as(struct gw_selection *s, const struct gw_object *o, const char *name,
                      const char *key)
{
    if (s->after.n > 0 && gw_str_cmp(gw_str_of(key), s->after) <= 0) {
        return false;
    }
    if (s->left > 0 && s->n_terms > 0) {
        return false; /* that there is a next page is known, and all that is said */
    }
    if (!matches_as(s, o, name)) {
        return false;
    }
    if (s->limit > 0 && s->taken == s->limit) {
        s->left++;
        return false;
    }
    s->taken++;
    s->last = key;
    return true;
}

/* Who watches from a list's revision has to miss nothing, whichever page it is read from: what was
 * changed between the pages came after the first one (Kubernetes: it is the same for all pages). */
json_t *
gw_selection_metadata(const struct gw_selection *s, uint64_t revision)
{
    uint64_t first = s->since != 0 ? s->since : revision;
    struct gw_buf text = {0};
    json_t *metadata = json_object();

    gw_buf_printf(&text, "%" PRIu64, first);
    (void)json_object_set_new(metadata, "resourceVersion", json_stringn(text.p, text.n));
    if (s->left > 0) {
        gw_buf_printf(&text, ":%s", s->last);
        (void)json_object_set_new(metadata, "continue", json_stringn(text.p, text.n));
    }
    if (s->left > 0 &&
        s->n_terms == 0) { /* as in Kubernetes: else all would have to be looked at */
        (void)json_object_set_new(metadata, "remainingItemCount",
                                  json_integer((json_int_t)s->left));
    }
    gw_buf_fini(&text);
    return metadata;
}

json_t *
gw_selection_list(const struct gw_selection *s, const struct gw_kind *kind, uint64_t revision,
                  json_t *items)
{
    char version[128];
    char list[128];

    (void)snprintf(version, sizeof(version), "%s%s%s", kind->group,
                   kind->group[0] == '\0' ? "" : "/", kind->version);
    (void)snprintf(list, sizeof(list), "%sList", kind->kind);
    return json_pack("{s:s, s:s, s:o, s:o}", "apiVersion", version, "kind", list, "metadata",
                     gw_selection_metadata(s, revision), "items", items);
}
