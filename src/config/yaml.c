#include "config/yaml.h"

#include <assert.h>
#include <stdlib.h>
#include <yaml.h>

#include "base/map.h"
#include "base/mem.h"
#include "config/alias.h"
#include "config/places.h"
#include "config/scalar.h"
#include "config/surrogates.h"

struct reader {
    yaml_parser_t parser;
    struct gw_yaml *y;
    struct gw_diag *diag;
    struct gw_map *anchors; /* of this document; name to json_t, counted */
    struct gw_alias alias;
    struct gw_str text;
    gw_yaml_each_fn *each; /* or NULL */
    void *arg;
    bool stopped; /* after an error that nothing can be read behind */
};

static struct gw_place
place_of(const struct reader *r, yaml_mark_t mark)
{
    return (struct gw_place){r->y->file, (int)mark.line + 1, (int)mark.column + 1};
}

static json_t *
stop(struct reader *r)
{
    r->stopped = true;
    return NULL;
}

static json_t *
remember(struct reader *r, json_t *value, yaml_mark_t mark)
{
    assert(value != NULL);
    if (!json_is_boolean(value) && !json_is_null(value)) {
        gw_places_put(r->y->places, gw_places_id(value), (int)mark.line + 1, (int)mark.column + 1);
    }
    return value;
}

/* libyaml tells where unreadable bytes are by their offset only. */
static struct gw_place
place_of_offset(const struct reader *r, size_t offset)
{
    struct gw_place at = {r->y->file, 1, 1};

    for (size_t i = 0; i < offset && i < r->text.n; i++) {
        at.column++;
        if (r->text.p[i] == '\n') {
            at.line++;
            at.column = 1;
        }
    }
    return at;
}

static void
syntax_error(struct reader *r)
{
    const yaml_parser_t *p = &r->parser;
    const char *problem = p->problem == NULL ? "not readable as YAML" : p->problem;
    struct gw_place at = place_of(r, p->problem_mark);
    size_t index = p->problem_mark.index;

    (void)stop(r);
    if (p->error == YAML_READER_ERROR) {
        gw_diag_error(r->diag, place_of_offset(r, p->problem_offset), "%s", problem);
    } else if (p->error == YAML_SCANNER_ERROR && index < r->text.n && r->text.p[index] == '\t') {
        gw_diag_error(r->diag, at, "a tab can't indent YAML; use spaces");
    } else if (p->context != NULL) {
        gw_diag_error(r->diag, at, "%s (%s, which starts in line %d)", problem, p->context,
                      (int)p->context_mark.line + 1);
    } else {
        gw_diag_error(r->diag, at, "%s", problem);
    }
}

static bool
next_event(struct reader *r, yaml_event_t *e)
{
    if (r->stopped) {
        return false;
    }
    if (!yaml_parser_parse(&r->parser, e)) {
        syntax_error(r);
        return false;
    }
    return true;
}

static json_t *
read_alias(struct reader *r, const yaml_event_t *e, int depth)
{
    struct gw_str name = gw_str_of((const char *)e->data.alias.anchor);
    json_t *value = gw_map_get(r->anchors, name);

    if (value == NULL) {
        gw_diag_error(r->diag, place_of(r, e->start_mark), "no anchor &%s stands before this",
                      name.p);
        return json_null();
    }
    value = gw_alias_copy(&r->alias, value, depth, place_of(r, e->start_mark));
    return value == NULL ? stop(r) : value;
}

static void
drop_anchor(void *value)
{
    json_decref(value);
}

static void
set_anchor(struct reader *r, const char *anchor, json_t *value)
{
    if (anchor != NULL && value != NULL) {
        json_decref(gw_map_put(r->anchors, gw_str_of(anchor), json_incref(value)));
    }
}

static void
refuse_tag(struct reader *r, const yaml_event_t *e, const yaml_char_t *tag)
{
    if (tag != NULL) {
        gw_diag_error(r->diag, place_of(r, e->start_mark),
                      "tags (%s) are not read; write text in quotes, and numbers without",
                      (const char *)tag);
    }
}

static json_t *
read_scalar(struct reader *r, const yaml_event_t *e)
{
    struct gw_str text = {(const char *)e->data.scalar.value, e->data.scalar.length};
    const char *problem = "this text is not UTF-8";
    json_t *value = NULL;

    refuse_tag(r, e, e->data.scalar.tag);
    if (e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
        value = gw_scalar_read(text, &problem);
    } else {
        value = json_stringn(text.p, text.n);
    }
    if (value == NULL) {
        gw_diag_error(r->diag, place_of(r, e->start_mark), "%s", problem);
        value = json_null();
    }
    return remember(r, value, e->start_mark);
}

static json_t *read_node(struct reader *r, yaml_event_t *e, int depth);

static json_t *
read_list(struct reader *r, yaml_mark_t mark, int depth)
{
    json_t *list = remember(r, json_array(), mark);
    yaml_event_t e;

    while (next_event(r, &e)) {
        if (e.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&e);
            break;
        }
        json_t *item = read_node(r, &e, depth + 1);
        if (item != NULL) {
            (void)json_array_append_new(list, item);
        }
    }
    return list;
}

/* Whether the scalar can be a key of this object; says why not. */
static bool
check_key(struct reader *r, const json_t *object, const yaml_event_t *e)
{
    struct gw_str key = {(const char *)e->data.scalar.value, e->data.scalar.length};
    struct gw_place at = place_of(r, e->start_mark);
    bool plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

    refuse_tag(r, e, e->data.scalar.tag);
    if (plain && gw_str_eq(key, GW_STR("<<"))) {
        gw_diag_error(r->diag, at, "merge keys (<<) are not read; write the settings out");
        return false;
    }
    if (plain && key.n == 0) {
        gw_diag_error(r->diag, at, "a key is missing before the ':'");
        return false;
    }
    if (memchr(key.p, '\0', key.n) != NULL) {
        gw_diag_error(r->diag, at, "a key can't hold a NUL byte");
        return false;
    }
    if (json_object_getn(object, key.p, key.n) != NULL) {
        const struct gw_spot *first = gw_places_find(r->y->places, gw_places_key_id(object, key));
        gw_diag_error(r->diag, at, "duplicate key \"%s\" (it stands in line %d already)", key.p,
                      first == NULL ? 0 : first->line);
        return false;
    }
    return true;
}

/* Reads what follows the key, whose event is given.  False: nothing can be read any more. */
static bool
read_member(struct reader *r, json_t *object, yaml_event_t *key, int depth)
{
    bool good = false;
    yaml_event_t e;

    if (key->type == YAML_SCALAR_EVENT) {
        good = check_key(r, object, key);
    } else {
        gw_diag_error(r->diag, place_of(r, key->start_mark),
                      "a key must be plain text, not an alias, a list or a mapping");
        json_t *unused = key->type == YAML_ALIAS_EVENT ? NULL : read_node(r, key, depth + 1);
        json_decref(unused);
    }
    if (!next_event(r, &e)) {
        return false;
    }
    json_t *value = read_node(r, &e, depth + 1);
    if (good && value != NULL) {
        struct gw_str name = {(const char *)key->data.scalar.value, key->data.scalar.length};

        if (json_object_setn(object, name.p, name.n, value) != 0) {
            gw_diag_error(r->diag, place_of(r, key->start_mark), "this key is not UTF-8");
        }
        gw_places_put(r->y->places, gw_places_key_id(object, name), (int)key->start_mark.line + 1,
                      (int)key->start_mark.column + 1);
    }
    json_decref(value);
    return !r->stopped;
}

static json_t *
read_mapping(struct reader *r, yaml_mark_t mark, int depth)
{
    json_t *object = remember(r, json_object(), mark);
    yaml_event_t key;

    while (next_event(r, &key)) {
        bool end = key.type == YAML_MAPPING_END_EVENT;
        bool on = !end && read_member(r, object, &key, depth);

        yaml_event_delete(&key);
        if (!on) {
            break;
        }
    }
    return object;
}

/* The value that begins with the event, which is used up.  NULL: nothing can be read any
 * more, and the diag says why. */
static json_t *
read_node(struct reader *r, yaml_event_t *e, int depth)
{
    const yaml_char_t *anchor = NULL;
    json_t *value = NULL;

    if (depth > GW_DEEPEST) {
        gw_diag_error(r->diag, place_of(r, e->start_mark), "nested deeper than %d", GW_DEEPEST);
        (void)stop(r);
    } else if (e->type == YAML_ALIAS_EVENT) {
        value = read_alias(r, e, depth);
    } else if (e->type == YAML_SCALAR_EVENT) {
        anchor = e->data.scalar.anchor;
        value = read_scalar(r, e);
    } else if (e->type == YAML_SEQUENCE_START_EVENT) {
        anchor = e->data.sequence_start.anchor;
        refuse_tag(r, e, e->data.sequence_start.tag);
        value = read_list(r, e->start_mark, depth);
    } else {
        assert(e->type == YAML_MAPPING_START_EVENT);
        anchor = e->data.mapping_start.anchor;
        refuse_tag(r, e, e->data.mapping_start.tag);
        value = read_mapping(r, e->start_mark, depth);
    }
    set_anchor(r, (const char *)anchor, value);
    yaml_event_delete(e);
    return value;
}

/* "---" with nothing behind it, as tools that join files leave it. */
static bool
is_empty(const yaml_event_t *e)
{
    return e->type == YAML_SCALAR_EVENT && e->data.scalar.length == 0 &&
           e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && e->data.scalar.tag == NULL;
}

static void
forget_documents(struct reader *r)
{
    struct gw_yaml *y = r->y;

    while (y->n_docs > 0) {
        json_decref(y->docs[--y->n_docs]);
    }
    gw_places_free(y->places);
    y->places = r->alias.places = gw_places_new();
}

static void
read_document(struct reader *r)
{
    struct gw_yaml *y = r->y;
    yaml_event_t e;

    if (!next_event(r, &e)) {
        return;
    }
    if (is_empty(&e)) {
        yaml_event_delete(&e);
        return;
    }
    r->anchors = gw_map_new();
    json_t *doc = read_node(r, &e, 1);
    gw_map_free(r->anchors, drop_anchor);
    if (doc != NULL) {
        y->docs = gw_mem_resize(y->docs, (y->n_docs + 1) * sizeof(json_t *));
        y->docs[y->n_docs++] = doc;
    }
    if (doc != NULL && r->each != NULL) {
        r->each(r->arg, y);
        forget_documents(r);
    }
}

static void
read_stream(struct reader *r)
{
    yaml_event_t e;
    bool end = false;

    while (!end && next_event(r, &e)) {
        bool document = e.type == YAML_DOCUMENT_START_EVENT;

        end = e.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&e);
        if (document) {
            read_document(r);
        }
    }
}

bool
gw_yaml_read_each(struct gw_yaml *y, const char *file, struct gw_str text, gw_yaml_each_fn *each,
                  void *arg, struct gw_diag *diag)
{
    size_t errors = diag->errors;
    struct gw_buf joined = {0};
    struct reader r = {.y = y, .diag = diag, .each = each, .arg = arg};

    *y = (struct gw_yaml){.file = gw_mem_strdup(file), .places = gw_places_new()};
    r.text = gw_surrogates_join(text, &joined);
    r.alias = (struct gw_alias){y->places, diag, text.n * GW_ALIAS_MAX};
    if (yaml_parser_initialize(&r.parser) == 0) {
        abort(); /* no memory */
    }
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)(r.text.n == 0 ? "" : r.text.p),
                                 r.text.n);
    read_stream(&r);
    yaml_parser_delete(&r.parser);
    gw_buf_fini(&joined);
    return diag->errors == errors;
}

bool
gw_yaml_read(struct gw_yaml *y, const char *file, struct gw_str text, struct gw_diag *diag)
{
    return gw_yaml_read_each(y, file, text, NULL, NULL, diag);
}

void
gw_yaml_fini(struct gw_yaml *y)
{
    for (size_t i = 0; i < y->n_docs; i++) {
        json_decref(y->docs[i]);
    }
    free(y->docs);
    free(y->file);
    gw_places_free(y->places);
    *y = (struct gw_yaml){0};
}

static struct gw_place
place_of_id(const struct gw_yaml *y, uint64_t id)
{
    const struct gw_spot *s = gw_places_find(y->places, id);

    return s == NULL ? (struct gw_place){0} : (struct gw_place){y->file, s->line, s->column};
}

json_t *
gw_yaml_root(const struct gw_yaml *y)
{
    return y == NULL || y->n_docs == 0 ? NULL : y->docs[0];
}

struct gw_place
gw_yaml_place(const struct gw_yaml *y, const json_t *value)
{
    if (y == NULL || y->places == NULL || value == NULL) {
        return (struct gw_place){0};
    }
    return place_of_id(y, gw_places_id(value));
}

struct gw_place
gw_yaml_key_place(const struct gw_yaml *y, const json_t *object, const char *name)
{
    if (y == NULL || y->places == NULL || object == NULL) {
        return (struct gw_place){0};
    }
    return place_of_id(y, gw_places_key_id(object, gw_str_of(name)));
}
