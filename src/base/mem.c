#include "base/mem.h"

#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

/* No allocation, no stdio: there is nothing left to allocate from. */
static _Noreturn void
no_memory(void)
{
    static const char text[] = "ksgate: out of memory\n";

    if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0) {
        /* the core and the supervisor's log line have to do */
    }
    abort();
}

void *
gw_mem_alloc(size_t n)
{
    void *p = calloc(1, n == 0 ? 1 : n);

    if (p == NULL) {
        no_memory();
    }
    return p;
}

void *
gw_mem_resize(void *p, size_t n)
{
    void *q = realloc(p, n == 0 ? 1 : n);

    if (q == NULL) {
        no_memory();
    }
    return q;
}

void *
gw_mem_room(void *list, size_t n, size_t *size, size_t each)
{
    if (n < *size) {
        return list;
    }
    *size = *size == 0 ? 16 : *size * 2;
    return gw_mem_resize(list, *size * each);
}

char *
gw_mem_strdup(const char *s)
{
    return s == NULL ? NULL : gw_mem_strndup(gw_str_of(s));
}

char *
gw_mem_strndup(struct gw_str s)
{
    char *copy = gw_mem_resize(NULL, s.n + 1);

    if (s.n > 0) {
        memcpy(copy, s.p, s.n);
    }
    copy[s.n] = '\0';
    return copy;
}

void
gw_mem_trim(void)
{
#ifdef __GLIBC__
    (void)malloc_trim(0);
#endif
}
