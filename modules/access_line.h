/* access_line.h - a request's line in the access log, from what was recorded of it. */
#ifndef GW_MODULES_ACCESS_LINE_H
#define GW_MODULES_ACCESS_LINE_H

#include "base/buf.h"
#include "gateway/req.h"

/* Appends one JSON object and a line end.  No byte of the request can end the line or leave its
 * member: everything is escaped. */
void gw_access_line(struct gw_buf *out, const struct gw_req *req);

/* The query with the values of parameters that look like secrets replaced by "***", also in the
 * query of an address that is itself a value (of which all is, then); the query itself when there
 * are none. */
struct gw_str gw_access_query(struct gw_arena *a, struct gw_str query);

#endif
