/* jwt_row_keys.h - where the keys of one row of the issuers come from. */
#ifndef GW_MODULES_JWT_ROW_KEYS_H
#define GW_MODULES_JWT_ROW_KEYS_H

#include "modules/jwt_issuers.h"

/* Reads the keys of issuers[i] and checks that its algorithms are theirs; of keys that are fetched,
 * what is known in the file `known` is a beginning.  False: see the loader's diag. */
bool gw_jwt_row_open(struct gw_jwt_issuer *row, const char *known, struct gw_loader *l, size_t i);

#endif
