/* mem.h - heap memory that is never NULL: a process that gets none stops (decision 8). */
#ifndef GW_BASE_MEM_H
#define GW_BASE_MEM_H

#include <stddef.h>

#include "base/str.h"

void *gw_mem_alloc(size_t n);           /* zeroed */
void *gw_mem_resize(void *p, size_t n); /* the new part is not zeroed */
/* The list, with room for one more of `each` bytes behind the n that it holds: where there was
 * none, it is twice as long. */
void *gw_mem_room(void *list, size_t n, size_t *size, size_t each);

char *gw_mem_strdup(const char *s);    /* NULL stays NULL */
char *gw_mem_strndup(struct gw_str s); /* NUL-terminated */

/* After something large came and went: what of the heap is free goes back to the system.  Takes
 * milliseconds. */
void gw_mem_trim(void);

#endif
