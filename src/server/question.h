/*
 * question.h - a case of `explain` as JSON, for the command and for the admin interface.
 *
 * {"id", "method", "url", "host", "user": {"name", "groups"}, "token", "headers", "remoteAddr"},
 * or with "attrs" instead of method and url (resources.md, section 5).
 */
#ifndef GW_SERVER_QUESTION_H
#define GW_SERVER_QUESTION_H

#include "gateway/explain.h"

/* False: why[] says what is wrong with the case.  Texts are borrowed from the JSON, lists are
 * the arena's.  The id is the caller's business. */
bool gw_question_read(struct gw_question *q, struct gw_arena *arena, const json_t *json,
                      char why[512]);

#endif
