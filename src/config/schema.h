/*
 * schema.h - how a setting is declared.
 *
 * One table row is the parser, the default, the limits, the reload rule and the line in
 * docs/reference/.  There is no second place.  The config file and the specs of our own
 * objects (ExtensionService ...) are read by the same rows.
 *
 * A struct that rows fill starts zeroed; every row with an `initial` is then set from it,
 * and what the user wrote comes last.  Text and lists live in the loader's arena.
 */
#ifndef GW_CONFIG_SCHEMA_H
#define GW_CONFIG_SCHEMA_H

#include <jansson.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/diag.h"
#include "config/yaml.h"

struct gw_setting;
struct gw_named;

/* What a row's parser gets beside the value. */
struct gw_loader {
    /* the settings of `authentication`, once jwt.c has opened them; NULL: not yet, or no use */
    void *authentication;
    struct gw_arena *arena;       /* owns what the settings point to */
    const struct gw_yaml *source; /* for places; NULL when there are none */
    struct gw_diag *diag;
    struct gw_place here;    /* kept by the schema: of the setting that is being read */
    const char *state;       /* folder for what the gateway makes itself; NULL: there is none that
                                every gateway of the same registry has */
    struct gw_named **named; /* named.h: where files are noted; NULL: nobody will follow them */
};

/* Fills the field, or adds to the diag and returns false.  path is "limits.head". */
typedef bool gw_set_fn(struct gw_loader *l, void *field, const json_t *value,
                       const struct gw_setting *row, const char *path);

enum {
    GW_REQUIRED = 1 << 0, /* must be written */
    GW_RESTART = 1 << 1,  /* a reload does not change it */
    GW_NOT_SNAKE = 1 << 2 /* reserved for camelCase keys of Kubernetes objects: no check */
};

struct gw_setting {
    const char *name;
    gw_set_fn *set;
    size_t at;           /* offsetof the field in the struct */
    long long min, max;  /* of numbers, in the field's unit; both 0: no limits */
    const char *initial; /* the default as the user would write it (YAML); NULL: zero */
    const char *help;    /* one sentence; becomes the reference page */
    const char *example; /* for the generated full.yaml when `initial` is not telling; or NULL */
    unsigned flags;
    const struct gw_setting *rows; /* of gw_set_section and gw_set_list: ends with {0} */
    size_t row_size;               /* of gw_set_list: the size of one element */
    const char *const *words;      /* of gw_set_word, gw_set_word_set: NULL-terminated */
    const char *type;              /* of a parser of one's own, for the reference: "an address" */
};

gw_set_fn gw_set_bool;      /* bool */
gw_set_fn gw_set_int;       /* long long */
gw_set_fn gw_set_size;      /* long long bytes: 65536, "64KiB", "1MiB", "1GiB"; "unlimited": -1 */
gw_set_fn gw_set_duration;  /* long long ms: "10s", "500ms", "1h30m", "0" */
gw_set_fn gw_set_percent;   /* long long 0..100: "50%" */
gw_set_fn gw_set_text;      /* const char *, NUL-terminated */
gw_set_fn gw_set_text_list; /* const char *const *, NULL-terminated; one text is a list of one */
gw_set_fn gw_set_file;      /* const char *: as gw_set_text, and when the file changes, the
                               configuration is loaded again */
gw_set_fn gw_set_file_list; /* as gw_set_text_list, and the same */
gw_set_fn gw_set_word;      /* int, the index in row->words */
gw_set_fn gw_set_word_set;  /* int, a bit for each of row->words that is in the list */
gw_set_fn gw_set_section;   /* a struct in place, read by row->rows */
gw_set_fn gw_set_list;      /* struct gw_list: an array of structs read by row->rows */
gw_set_fn gw_set_json;      /* json_t *, borrowed reference kept until the arena is freed */

/* What gw_set_list fills. */
struct gw_list {
    void *items; /* row->row_size each */
    size_t n;
};

/* Reads `value` by the rows into `into`.  value is an object; or NULL for all defaults (then
 * nothing is required, as in a section that was left out).  A null in it is as if it had not
 * been written.  Unknown keys are errors with the nearest known name, except those that are in
 * `others` (may be NULL; NULL-terminated).  path is "" at the top.  Every field has its default
 * or its written value, even then.  False when errors were added. */
bool gw_schema_load(struct gw_loader *l, void *into, const json_t *value,
                    const struct gw_setting *rows, const char *path, const char *const *others);

/* For parsers of one's own.  Adds "path: text", at the value's place or, if it has none, at its
 * key's. */
void gw_schema_error(struct gw_loader *l, const json_t *value, const char *path, const char *fmt,
                     ...) __attribute__((format(printf, 4, 5)));

/* The value in the words of a message: "12 parsecs" in quotes, 5, a list.  Never for secrets. */
const char *gw_schema_got(struct gw_loader *l, const json_t *value);

/* Single values, for the command line and for header texts. */
bool gw_parse_size(struct gw_str text, long long *bytes);
bool gw_parse_duration(struct gw_str text, long long *ms);

/* The reference: a Markdown table per section; the whole as commented YAML; JSON Schema. */
void gw_schema_markdown(struct gw_buf *out, const struct gw_setting *rows, const char *path);
void gw_schema_yaml(struct gw_buf *out, const struct gw_setting *rows, int indent);
json_t *gw_schema_json(const struct gw_setting *rows);

#endif
