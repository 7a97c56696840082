/* scalar.h - what a plain (unquoted) YAML scalar means: YAML 1.2's core schema. */
#ifndef GW_CONFIG_SCALAR_H
#define GW_CONFIG_SCALAR_H

#include <jansson.h>

#include "base/str.h"

/* A new reference: null, a boolean, a number, or else the text itself.  NULL when it is a
 * number that does not fit or not UTF-8; *problem then says so. */
json_t *gw_scalar_read(struct gw_str text, const char **problem);

/* Whether the text, written without quotes, is read back as this text: by us and by
 * YAML 1.1 readers (kubectl), for whom "yes", "012" and "1:30" are no text. */
bool gw_scalar_is_plain_text(struct gw_str text);

#endif
