#include "modules/rbac_say.h"
#include "modules/rbac_register.h"

/* How a text is written: as Go's %q has it, and < > & as Kubernetes' answers have them behind
 * "forbidden: ". */
enum {
    QUOTED = 1 << 0,
    HTML = 1 << 1,
};

static const char *
escaped(char c, unsigned how)
{
    switch (c) {
    case '"':
        return how & QUOTED ? "\\\"" : NULL;
    case '\\':
        return how & QUOTED ? "\\\\" : NULL;
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    case '&':
        return how & HTML ? "&amp;" : NULL;
    case '<':
        return how & HTML ? "&lt;" : NULL;
    case '>':
        return how & HTML ? "&gt;" : NULL;
    default:
        return NULL;
    }
}

/* Letters that are not seen, or turn around those that are: one that stands here in two or three
 * bytes, or 0. */
static unsigned
unseen(struct gw_str s)
{
    static const struct {
        unsigned first, last;
    } ranges[] = {{0x80, 0xa0},     {0xad, 0xad},     {0x61c, 0x61c},   {0x1680, 0x1680},
                  {0x180e, 0x180e}, {0x2000, 0x200f}, {0x2028, 0x202f}, {0x205f, 0x206f},
                  {0x3000, 0x3000}, {0xfeff, 0xfeff}, {0xfff0, 0xfffb}};
    const unsigned char *p = (const unsigned char *)s.p;
    unsigned c = 0;

    if (s.n >= 2 && (p[0] & 0xe0) == 0xc0) {
        c = (p[0] & 0x1fU) << 6 | (p[1] & 0x3fU);
    } else if (s.n >= 3 && (p[0] & 0xf0) == 0xe0) {
        c = (p[0] & 0xfU) << 12 | (p[1] & 0x3fU) << 6 | (p[2] & 0x3fU);
    }
    for (size_t i = 0; c != 0 && i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        if (c >= ranges[i].first && c <= ranges[i].last) {
            return c;
        }
    }
    return 0;
}

static void
add_escaped(struct gw_buf *out, struct gw_str s, unsigned how)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        const char *text = escaped(s.p[i], how);
        unsigned letter = c < 0xc0 ? 0 : unseen(gw_str_skip(s, i));

        if (text != NULL) {
            gw_buf_puts(out, text);
        } else if (c < 0x20 || c == 0x7f) {
            gw_buf_printf(out, "\\x%02x", c);
        } else if (letter != 0) {
            gw_buf_printf(out, "\\u%04x", letter);
            i += letter < 0x800 ? 1 : 2;
        } else {
            gw_buf_add(out, &s.p[i], 1);
        }
    }
}

static void
add_quoted(struct gw_buf *out, const char *before, struct gw_str s, unsigned how)
{
    gw_buf_puts(out, before);
    gw_buf_puts(out, "\"");
    add_escaped(out, s, how | QUOTED);
    gw_buf_puts(out, "\"");
}

static struct gw_str
to_arena(struct gw_arena *a, struct gw_buf *b)
{
    struct gw_str s = gw_arena_str(a, gw_buf_text(b));

    gw_buf_fini(b);
    return s;
}

static void
add_resource(struct gw_buf *out, const struct gw_request_info *info)
{
    gw_buf_puts(out, " resource \"");
    add_escaped(out, info->resource, QUOTED | HTML);
    if (info->subresource.n > 0) {
        gw_buf_puts(out, "/");
        add_escaped(out, info->subresource, QUOTED | HTML);
    }
    add_quoted(out, "\" in API group ", info->api_group, HTML);
    if (info->ns.n > 0) {
        add_quoted(out, " in the namespace ", info->ns, HTML);
    } else {
        gw_buf_puts(out, " at the cluster scope");
    }
}

struct gw_str
gw_rbac_say_forbidden(struct gw_arena *a, const struct gw_subject *subject,
                      const struct gw_request_info *info)
{
    struct gw_request_info registration;
    struct gw_buf out = {0};

    if (gw_rbac_register_verb(info, &registration)) {
        info = &registration; /* what has to be given, not what may do as well */
    }
    if (info->is_resource && info->resource.n > 0) {
        add_escaped(&out, info->resource, 0);
        if (info->api_group.n > 0) {
            gw_buf_puts(&out, ".");
            add_escaped(&out, info->api_group, 0);
        }
        if (info->name.n > 0) {
            add_quoted(&out, " ", info->name, 0);
        }
        gw_buf_puts(&out, " is ");
    }
    add_quoted(&out, "forbidden: User ", subject->name, HTML);
    gw_buf_puts(&out, " cannot ");
    add_escaped(&out, info->verb, HTML);
    if (info->is_resource) {
        add_resource(&out, info);
    } else {
        add_quoted(&out, " path ", info->path, HTML);
    }
    return to_arena(a, &out);
}

/* KubeSphere calls a workspace's binding a GlobalRoleBinding here, and so do we: the texts are
 * compared by those who switch over.  The decision's fields have the true kind. */
static const char *
kind_in_reasons(const struct gw_rbac_binding *b)
{
    return b->level == GW_RBAC_WORKSPACE ? "GlobalRoleBinding" : b->object.kind;
}

struct gw_str
gw_rbac_say_reason(struct gw_arena *a, const struct gw_rbac_grant *grant,
                   const struct gw_subject *subject)
{
    const struct gw_rbac_binding *b = grant->binding;
    const struct gw_rbac_subject *s = gw_rbac_index_subject(b, subject);
    bool in_ns = b->level == GW_RBAC_NS;

    return gw_str_of(gw_arena_printf(a, "RBAC: allowed by %s \"%s%s%s\" of %s \"%s\" to %s \"%s\"",
                                     kind_in_reasons(b), b->object.name, in_ns ? "/" : "",
                                     in_ns ? b->object.ns : "", b->role_kind, b->role_name,
                                     s == NULL ? "User" : s->kind, s == NULL ? "" : s->shown));
}
