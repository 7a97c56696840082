#include "modules/jwt_common.h"

#include <assert.h>
#include <malloc.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/table.h"

#define N_IDS 3 /* of the text: numbers before the texts */

struct gw_jwt_commons {
    struct gw_table *all; /* by their texts; no references */
    size_t bytes;
};

static struct gw_str
text_of(const void *common)
{
    return ((const struct gw_jwt_common *)common)->text;
}

struct gw_jwt_commons *
gw_jwt_commons_new(void)
{
    struct gw_jwt_commons *c = gw_mem_alloc(sizeof(*c));

    c->all = gw_table_new(text_of);
    return c;
}

static void
leave_home(void *common)
{
    ((struct gw_jwt_common *)common)->home = NULL;
}

void
gw_jwt_commons_free(struct gw_jwt_commons *c)
{
    gw_table_free(c->all, leave_home);
    free(c);
}

size_t
gw_jwt_commons_bytes(const struct gw_jwt_commons *c)
{
    return c->bytes + gw_table_bytes(c->all);
}

/* -- one -------------------------------------------------------------------------------------- */

static size_t
text_bytes(const struct gw_jwt_claims *claims)
{
    const struct gw_subject *s = &claims->subject;
    size_t n = N_IDS * sizeof(uintptr_t) + claims->key_id.n + s->uid.n +
               (2 + s->n_groups + 2 * (size_t)s->n_extra) * sizeof(size_t);

    for (unsigned i = 0; i < s->n_groups; i++) {
        n += s->groups[i].n;
    }
    for (unsigned i = 0; i < s->n_extra; i++) {
        n += s->extra[i].key.n + s->extra[i].value.n;
    }
    return n;
}

static void
put(char **at, const void *bytes, size_t n)
{
    memcpy(*at, bytes, n);
    *at += n;
}

/* Its length before it, so that what follows can't be taken for a part of it. */
static struct gw_str
put_text(char **at, struct gw_str s)
{
    put(at, &s.n, sizeof(s.n));
    return gw_str_pack(at, s);
}

/* The lists first, so that all is aligned; then the text, of which all texts are parts. */
static struct gw_jwt_common *
common_new(const struct gw_jwt_claims *claims)
{
    const struct gw_subject *s = &claims->subject;
    const uintptr_t ids[N_IDS] = {(uintptr_t)claims->key, (uintptr_t)claims->issuer, s->n_groups};
    size_t lists = s->n_groups * sizeof(*s->groups) + s->n_extra * sizeof(*s->extra);
    size_t bytes = text_bytes(claims);
    struct gw_jwt_common *m = gw_mem_alloc(sizeof(*m) + lists + bytes);
    struct gw_str *groups = (struct gw_str *)(m + 1);
    struct gw_subject_extra *extra = (struct gw_subject_extra *)(groups + s->n_groups);
    char *at = (char *)(m + 1) + lists;

    m->refs = 1;
    m->text = (struct gw_str){at, bytes};
    m->key = claims->key;
    m->issuer = gw_str_of(claims->issuer->issuer);
    m->subject = *s;
    m->subject.name = GW_STR_NONE;
    m->subject.groups = groups;
    m->subject.extra = extra;
    put(&at, ids, sizeof(ids));
    m->key_id = put_text(&at, claims->key_id);
    m->subject.uid = put_text(&at, s->uid);
    for (unsigned i = 0; i < s->n_groups; i++) {
        groups[i] = put_text(&at, s->groups[i]);
    }
    for (unsigned i = 0; i < s->n_extra; i++) {
        extra[i].key = put_text(&at, s->extra[i].key);
        extra[i].value = put_text(&at, s->extra[i].value);
    }
    assert(at == m->text.p + bytes);
    return m;
}

static size_t
bytes_of(struct gw_jwt_common *m)
{
    return malloc_usable_size(m) + sizeof(size_t);
}

struct gw_jwt_common *
gw_jwt_common_get(struct gw_jwt_commons *c, const struct gw_jwt_claims *claims)
{
    struct gw_jwt_common *m = common_new(claims);
    struct gw_jwt_common *same = c == NULL ? NULL : gw_table_get(c->all, m->text);

    if (same != NULL) {
        free(m);
        same->refs++;
        return same;
    }
    m->home = c;
    if (c != NULL) {
        gw_table_put(c->all, m);
        c->bytes += bytes_of(m);
    }
    return m;
}

void
gw_jwt_common_unref(struct gw_jwt_common *m)
{
    if (--m->refs > 0) {
        return;
    }
    if (m->home != NULL) {
        gw_table_take(m->home->all, m->text);
        m->home->bytes -= bytes_of(m);
    }
    free(m);
}
