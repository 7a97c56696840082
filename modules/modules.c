/* modules.c - the list of modules.def as a table. */
#include "gateway/module.h"

#define X(name) extern const struct gw_module gw_mod_##name;
#include "modules/modules.def"
#undef X

const struct gw_module *const gw_modules[] = {
#define X(name) &gw_mod_##name,
#include "modules/modules.def"
#undef X
    NULL,
};
