/* jwt_row_keys.h - where the keys of one row of the issuers come from. */
#ifndef GW_MODULES_JWT_ROW_KEYS_H
#define GW_MODULES_JWT_ROW_KEYS_H

#include "modules/jwt_issuers.h"

/* Reads the keys of issuers[i] and checks that its algorithms are theirs.  False: see the loader's
 * diag. */
bool gw_jwt_row_open(struct gw_jwt_issuer *row, struct gw_loader *l, size_t i);

#endif
