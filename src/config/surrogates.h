/* surrogates.h - JSON's way to write U+1F600, which libyaml does not read. */
#ifndef GW_CONFIG_SURROGATES_H
#define GW_CONFIG_SURROGATES_H

#include "base/buf.h"

/* When the text is JSON and holds pairs like \ud83d\ude00: writes it to out with each pair
 * as YAML's \U0001f600, and returns that.  Otherwise returns the text itself. */
struct gw_str gw_surrogates_join(struct gw_str text, struct gw_buf *out);

#endif
