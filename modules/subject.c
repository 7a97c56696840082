#include "modules/subject.h"

size_t
gw_subject_bytes(const struct gw_subject *s)
{
    size_t n =
        s->n_groups * sizeof(*s->groups) + s->n_extra * sizeof(*s->extra) + s->name.n + s->uid.n;

    for (unsigned i = 0; i < s->n_groups; i++) {
        n += s->groups[i].n;
    }
    for (unsigned i = 0; i < s->n_extra; i++) {
        n += s->extra[i].key.n + s->extra[i].value.n;
    }
    return n;
}

/* Lists first, then texts, so that all is aligned. */
void
gw_subject_copy(struct gw_subject *to, const struct gw_subject *from, char **at)
{
    struct gw_str *groups = (struct gw_str *)(void *)*at;
    struct gw_subject_extra *extra = (struct gw_subject_extra *)(groups + from->n_groups);

    *at = (char *)(extra + from->n_extra);
    *to = *from;
    to->name = gw_str_pack(at, from->name);
    to->uid = gw_str_pack(at, from->uid);
    for (unsigned i = 0; i < from->n_groups; i++) {
        groups[i] = gw_str_pack(at, from->groups[i]);
    }
    to->groups = groups;
    for (unsigned i = 0; i < from->n_extra; i++) {
        extra[i].key = gw_str_pack(at, from->extra[i].key);
        extra[i].value = gw_str_pack(at, from->extra[i].value);
    }
    to->extra = extra;
}
