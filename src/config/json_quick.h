/*
 * json_quick.h - JSON as the registry writes it, read several times as fast as jansson does.
 *
 * A start reads each object of the registry twice, and with 100 000 of them that is all that it
 * takes long for.  What is written by a machine is nearly always the plainest of JSON: no space
 * between, no escapes, no bytes above 0x7e, whole numbers.
 */
#ifndef GW_CONFIG_JSON_QUICK_H
#define GW_CONFIG_JSON_QUICK_H

#include <jansson.h>

#include "base/str.h"

/* What json_loadb(JSON_REJECT_DUPLICATES) makes of it; or NULL, when there is anything in it that
 * is not that plain, or wrong: then ask jansson, which knows, and says what is wrong. */
json_t *gw_json_quick(struct gw_str text);

#endif
