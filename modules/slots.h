/* slots.h - where in gw_req.slot a module keeps its own pointer: GW_SLOT_jwt ... */
#ifndef GW_MODULES_SLOTS_H
#define GW_MODULES_SLOTS_H

enum gw_slot {
#define X(name) GW_SLOT_##name,
#include "modules/modules.def"
#undef X
    GW_N_SLOTS
};

#endif
