#include "modules/rbac_say.h"
#include "modules/rbac_register.h"

/* How Go's %q writes the byte, and < > & as Kubernetes' answers have them; or NULL. */
static const char *
escaped(char c, bool quoted)
{
    switch (c) {
    case '"':
        return quoted ? "\\\"" : NULL;
    case '\\':
        return quoted ? "\\\\" : NULL;
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    default:
        return NULL;
    }
}

static void
add_escaped(struct gw_buf *out, struct gw_str s, bool quoted)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        const char *text = escaped(s.p[i], quoted);

        if (text != NULL) {
            gw_buf_puts(out, text);
        } else if (c < 0x20 || c == 0x7f) {
            gw_buf_printf(out, "\\x%02x", c);
        } else {
            gw_buf_add(out, &s.p[i], 1);
        }
    }
}

static void
add_quoted(struct gw_buf *out, const char *before, struct gw_str s)
{
    gw_buf_puts(out, before);
    gw_buf_puts(out, "\"");
    add_escaped(out, s, true);
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
    add_escaped(out, info->resource, true);
    if (info->subresource.n > 0) {
        gw_buf_puts(out, "/");
        add_escaped(out, info->subresource, true);
    }
    add_quoted(out, "\" in API group ", info->api_group);
    if (info->ns.n > 0) {
        add_quoted(out, " in the namespace ", info->ns);
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
        add_escaped(&out, info->resource, false);
        if (info->api_group.n > 0) {
            gw_buf_puts(&out, ".");
            add_escaped(&out, info->api_group, false);
        }
        if (info->name.n > 0) {
            add_quoted(&out, " ", info->name);
        }
        gw_buf_puts(&out, " is ");
    }
    add_quoted(&out, "forbidden: User ", subject->name);
    gw_buf_puts(&out, " cannot ");
    add_escaped(&out, info->verb, false);
    if (info->is_resource) {
        add_resource(&out, info);
    } else {
        add_quoted(&out, " path ", info->path);
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
