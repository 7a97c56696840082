/*
 * claims_say.c - claims that meet, in words.
 */
#include <assert.h>

#include "registry/claims.h"

static void
say_what(struct gw_buf *out, const struct gw_claim *c)
{
    struct gw_str group = c->text;

    if (c->space == GW_CLAIM_API) {
        group.n = c->text.n;
        while (group.n > 0 && group.p[group.n - 1] != '/') {
            group.n--;
        }
        gw_buf_printf(out, "group \"%.*s\" with version %.*s", (int)group.n - 1, group.p,
                      GW_STR_ARG(gw_str_skip(c->text, group.n)));
        return;
    }
    gw_buf_printf(out, "%.*s%s", GW_STR_ARG(c->text), c->prefix ? "*" : "");
    if (c->space != GW_CLAIM_LINK && gw_claim_is_of_any_method(c)) {
        gw_buf_puts(out, " with any method");
    } else if (c->space != GW_CLAIM_LINK) {
        gw_buf_printf(out, " with method %.*s", GW_STR_ARG(c->method));
    }
}

static bool
is_same(const struct gw_claim *a, const struct gw_claim *b)
{
    return gw_str_eq(a->text, b->text) && a->prefix == b->prefix && gw_str_eq(a->method, b->method);
}

void
gw_claims_say(struct gw_buf *out, const struct gw_claims *a, const struct gw_claims *b, bool named)
{
    const struct gw_claim *its = NULL;
    const struct gw_claim *mine;

    if (a == b && a->too_many) {
        gw_buf_printf(
            out,
            "spec.assets.files: has more than %d different links; leave some out, or make "
            "several objects of it",
            GW_CLAIMS_MAX);
        return;
    }
    mine = gw_claims_meet(a, b, &its);
    assert(mine != NULL);
    gw_buf_printf(out, "%s: ", mine->field);
    say_what(out, mine);
    if (!named) {
        gw_buf_puts(out, " is taken by another object; choose another one");
        return;
    }
    if (is_same(mine, its)) {
        gw_buf_puts(out, " is that");
    } else {
        gw_buf_puts(out, " overlaps ");
        say_what(out, its);
    }
    gw_buf_printf(out, " of %s \"%s\"", b->object->kind->kind, b->object->name);
    if (b->extension[0] != '\0') {
        gw_buf_printf(out, " (extension %s)", b->extension);
    }
    gw_buf_printf(out, "%s; choose another one, or delete the other object",
                  b->from_file ? ", which stands in a file (registry.files)" : "");
}
