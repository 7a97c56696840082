/*
 * yaml.h - YAML (and JSON, its subset) as JSON values that know their place.
 *
 * YAML 1.2's core schema: true/false, null, integers, reals; everything else is text (no
 * "yes", no octal).  Refused, with place: duplicate keys, merge keys, tags, deeper than 64,
 * and anchors whose expansion exceeds the input's size times ten.
 */
#ifndef GW_CONFIG_YAML_H
#define GW_CONFIG_YAML_H

#include <jansson.h>

#include "base/diag.h"

/* One file's or stream's documents. */
struct gw_yaml {
    char *file;    /* owned */
    json_t **docs; /* owned, as are the values */
    size_t n_docs;
    struct gw_places *places; /* owned; value to line and column */
};

/* Reads all documents of the text, without the empty ones.  file is for the messages.
 * False: see diag; y then holds what could be read (a duplicate key's first value, say), so
 * that more can be checked, and must be given to gw_yaml_fini() as well. */
bool gw_yaml_read(struct gw_yaml *y, const char *file, struct gw_str text, struct gw_diag *diag);

/* With each and arg as gw_yaml_each() has them, or NULL. */
typedef void gw_yaml_each_fn(void *arg, const struct gw_yaml *y);
bool gw_yaml_read_each(struct gw_yaml *y, const char *file, struct gw_str text,
                       gw_yaml_each_fn *each, void *arg, struct gw_diag *diag);

/* Reads a whole file ("-": standard input), 64 MiB at most, then as above. */
bool gw_yaml_read_file(struct gw_yaml *y, const char *file, struct gw_diag *diag);

/* Its text alone.  False: see diag. */
bool gw_yaml_file_text(struct gw_buf *text, const char *file, struct gw_diag *diag);

/* The same, but one document after the other: each() gets them by themselves, and they are gone
 * after it, so that a file of many thousands is never in memory as a whole. */
bool gw_yaml_each(const char *file, gw_yaml_each_fn *each, void *arg, struct gw_diag *diag);

void gw_yaml_fini(struct gw_yaml *y);

/* The first document, which is all of a configuration.  NULL: y is NULL, or has none. */
json_t *gw_yaml_root(const struct gw_yaml *y);

/* Where the value stands; {0} when y is NULL or the value is not one of y's.  true, false
 * and null have no place of their own (jansson has one of each): use their key's. */
struct gw_place gw_yaml_place(const struct gw_yaml *y, const json_t *value);
/* Where the key `name` of the object stands. */
struct gw_place gw_yaml_key_place(const struct gw_yaml *y, const json_t *object, const char *name);

/* Appends a JSON value as block-style YAML, for `-o yaml`. */
void gw_yaml_write(struct gw_buf *out, const json_t *value);

/* Replaces ${NAME} in all strings by the environment's value, in place.  "$${" stands for a
 * literal "${".  A name that is not set is an error with place. */
bool gw_yaml_expand_env(struct gw_yaml *y, struct gw_diag *diag);

/* The same in one of its values (NULL is fine), for who reads nothing else: variables that are not
 * set elsewhere do not matter. */
bool gw_yaml_expand_env_in(struct gw_yaml *y, json_t *value, struct gw_diag *diag);

/* Whether ${NAME} was replaced in it: a number from there is text all the same. */
bool gw_yaml_is_expanded(const struct gw_yaml *y, const json_t *value);

#endif
