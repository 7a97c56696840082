/* cli_registry_check.c - ksgate registry check: is what the store holds in order? */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <jansson.h>

#include "base/base64.h"
#include "base/mem.h"
#include "registry/audit_store.h"
#include "server/cli_registry.h"

/* What is there both times is no change that was seen half. */
struct looks {
    struct gw_audit_store store, again;
    struct gw_audit first, found;
};

static bool
is_in(const struct gw_audit *a, const struct gw_audit_finding *f)
{
    for (size_t i = 0; i < a->n; i++) {
        const struct gw_audit_finding *g = &a->list[i];

        if (g->repair == f->repair && (g->key == NULL) == (f->key == NULL) &&
            (g->key == NULL ? strcmp(g->text, f->text) == 0 || f->repair != GW_AUDIT_BY_HAND
                            : strcmp(g->key, f->key) == 0)) {
            return true;
        }
    }
    return false;
}

static void
keep_common(struct gw_audit *found, const struct gw_audit *first)
{
    size_t n = 0;

    for (size_t i = 0; i < found->n; i++) {
        if (is_in(first, &found->list[i])) {
            found->list[n++] = found->list[i];
        } else {
            free(found->list[i].key);
        }
    }
    found->n = n;
}

static bool
look(struct looks *l, const struct gw_place_of_store *place, struct gw_diag *diag)
{
    if (!gw_audit_load(place, &l->store, &l->first, diag)) {
        return false;
    }
    gw_audit_run(&l->first, &l->store);
    if (!gw_audit_load(place, &l->again, &l->found, diag)) {
        return false;
    }
    gw_audit_run(&l->found, &l->again);
    keep_common(&l->found, &l->first);
    return true;
}

static void
looks_fini(struct looks *l)
{
    gw_audit_fini(&l->first);
    gw_audit_fini(&l->found);
    gw_audit_store_fini(&l->store);
    gw_audit_store_fini(&l->again);
}

/* "NAME":"..."; and, as JSON has no other bytes than UTF-8, "NAMEBase64" for what is none. */
static void
put_text(struct gw_buf *line, const char *name, struct gw_str text)
{
    json_t *utf8 = json_stringn(text.p, text.n);

    gw_buf_printf(line, "\"%s\":", name);
    gw_buf_json(line, text);
    if (utf8 == NULL) {
        gw_buf_printf(line, ",\"%sBase64\":\"", name);
        gw_base64_add(line, text.p, text.n);
        gw_buf_puts(line, "\"");
    }
    json_decref(utf8);
}

/* Secrets may be among it. */
static FILE *
open_saved(const char *file)
{
    int fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "a");

    if (f == NULL && fd >= 0) {
        (void)close(fd);
    }
    return f;
}

/* On the disk, before the deletes are. */
static bool
close_saved(FILE *f)
{
    bool ok = fflush(f) == 0 && (fsync(fileno(f)) == 0 || errno == EINVAL); /* a pipe */
    int why = errno;

    if (fclose(f) != 0) {
        return false;
    }
    errno = why;
    return ok;
}

/* Nothing is removed that is not written down before, a line of JSON each. */
static bool
save(const struct gw_cli *c, const struct gw_audit *a, const char *file, size_t *saved)
{
    FILE *f = NULL;
    bool ok = true;

    for (size_t i = 0; ok && i < a->n; i++) {
        const struct gw_audit_entry *e = a->list[i].entry;
        struct gw_buf line = {0};

        if (e == NULL) {
            continue;
        }
        f = f == NULL ? open_saved(file) : f;
        gw_buf_puts(&line, "{");
        put_text(&line, "key", (struct gw_str){e->key, e->n_key});
        gw_buf_puts(&line, ",");
        put_text(&line, "value", (struct gw_str){e->text, e->n_text});
        gw_buf_puts(&line, "}\n");
        ok = f != NULL && fwrite(line.p, 1, line.n, f) == line.n;
        *saved += ok ? 1 : 0;
        gw_buf_fini(&line);
    }
    ok = (f == NULL || close_saved(f)) && ok;
    if (!ok) {
        (void)gw_cli_fail(c, "nothing was repaired: %s: %s", file, strerror(errno));
    }
    return ok;
}

/* What was found, and what has become of it. */
struct report {
    const struct gw_audit *found;
    bool mended; /* --repair was given, and all that is removed is saved */
    size_t repaired, saved;
    const char *file; /* where it is saved */
};

/* False: said on stderr; what was mended before is counted. */
static bool
repair(const struct gw_cli *c, const struct gw_place_of_store *place, struct report *r)
{
    struct gw_diag diag = {0};

    if (!save(c, r->found, r->file, &r->saved)) {
        return false;
    }
    r->mended = true;
    bool ok = gw_audit_mend(place, r->found, &r->repaired, &diag);
    (void)gw_cli_findings(&diag);
    return ok && r->repaired == r->found->n;
}

static int
print_text(const struct gw_cli *c, const struct report *r)
{
    const struct gw_audit *a = r->found;
    struct gw_buf out = {0};

    for (size_t i = 0; i < a->n; i++) {
        gw_buf_printf(&out, "%s%s\n", a->list[i].text,
                      a->list[i].repair == GW_AUDIT_BY_HAND ? "" : " (--repair mends it)");
    }
    gw_buf_printf(&out, "%zu object%s and %zu lease%s are in order, %zu finding%s\n", a->objects,
                  a->objects == 1 ? "" : "s", a->leases, a->leases == 1 ? "" : "s", a->n,
                  a->n == 1 ? "" : "s");
    if (r->mended) {
        gw_buf_printf(&out, "%zu of %zu repaired\n", r->repaired, a->n);
    }
    if (r->mended && r->saved > 0) {
        gw_buf_printf(&out, "what was removed stands in %s\n", r->file);
    }
    return gw_cli_print(c, &out);
}

static json_t *
finding_json(const struct gw_audit_finding *f)
{
    static const char *const repairs[] = {
        [GW_AUDIT_BY_HAND] = NULL,
        [GW_AUDIT_REMOVE] = "remove",
        [GW_AUDIT_UNLEASE] = "removeLease",
        [GW_AUDIT_LEASE] = "makeLease",
        [GW_AUDIT_SET_REVISION] = "setRevision",
        [GW_AUDIT_MAKE_EPOCH] = "makeEpoch",
    };

    return json_pack("{s:o, s:o, s:s?}", "key",
                     f->key == NULL ? json_null() : gw_cli_text_json(gw_str_of(f->key)), "message",
                     gw_cli_text_json(gw_str_of(f->text)), "repair", repairs[f->repair]);
}

static int
print_json(const struct gw_cli *c, const struct report *r, enum gw_output format)
{
    json_t *findings = json_array();

    for (size_t i = 0; i < r->found->n; i++) {
        (void)json_array_append_new(findings, finding_json(&r->found->list[i]));
    }
    json_t *json = json_pack("{s:I, s:I, s:o}", "objects", (json_int_t)r->found->objects, "leases",
                             (json_int_t)r->found->leases, "findings", findings);
    if (r->mended) {
        (void)json_object_set_new(json, "repaired", json_integer((json_int_t)r->repaired));
    }
    if (r->mended && r->saved > 0) {
        (void)json_object_set_new(json, "saved", gw_cli_text_json(gw_str_of(r->file)));
    }
    int code = gw_cli_print_json(c, format, json);
    json_decref(json);
    return code;
}

int
gw_cli_registry_check(const struct gw_cli *c, const struct gw_registry_check_options *o,
                      enum gw_output format)
{
    struct gw_place_of_store place;
    struct gw_diag diag = {0};
    struct looks l = {0};
    struct report r = {.found = &l.found, .file = o->save};
    int code;

    if (!gw_store_place_read(&place, o->store, o->password_file, o->prefix, &diag)) {
        (void)gw_cli_misuse(c, "%s", gw_diag_first(&diag));
        gw_diag_fini(&diag);
        return GW_EXIT_USAGE;
    }
    if (!look(&l, &place, &diag)) {
        code = gw_cli_findings(&diag);
    } else {
        bool ok = l.found.n == 0 || (o->repair && repair(c, &place, &r));

        code = format == GW_OUTPUT_TABLE ? print_text(c, &r) : print_json(c, &r, format);
        code = ok ? code : GW_EXIT_FAILED;
    }
    gw_diag_fini(&diag);
    looks_fini(&l);
    return code;
}
