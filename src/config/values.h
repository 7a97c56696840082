/* values.h - sizes and durations as people write them, both ways. */
#ifndef GW_CONFIG_VALUES_H
#define GW_CONFIG_VALUES_H

#include "base/buf.h"

#define GW_UNLIMITED (-1LL)

/* Appends what gw_parse_size() reads back: "64KiB", "unlimited". */
void gw_values_put_size(struct gw_buf *out, long long bytes);

/* Appends what gw_parse_duration() reads back: "1h30m", "0". */
void gw_values_put_duration(struct gw_buf *out, long long ms);

#endif
