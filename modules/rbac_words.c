#include "modules/rbac_words.h"

#include <malloc.h>
#include <stdlib.h>

#include "base/mem.h"

/* The bytes that the array's texts take; false when one is no text. */
static bool
measure(const json_t *array, size_t *bytes)
{
    size_t i;
    json_t *value;

    *bytes = 0;
    json_array_foreach(array, i, value)
    {
        if (!json_is_string(value)) {
            return false;
        }
        *bytes += json_string_length(value);
    }
    return true;
}

bool
gw_rbac_words_read(struct gw_rbac_words *w, const json_t *array)
{
    size_t n = json_array_size(array);
    size_t bytes;

    *w = (struct gw_rbac_words){0};
    if (array == NULL || json_is_null(array)) {
        return true;
    }
    if (!json_is_array(array) || !measure(array, &bytes)) {
        return false;
    }
    if (n == 0) {
        return true;
    }
    w->list = gw_mem_alloc(n * sizeof(*w->list) + bytes + 1);
    char *text = (char *)(w->list + n);
    for (; w->n < n; w->n++) {
        const json_t *value = json_array_get(array, w->n);
        struct gw_str s = {text, json_string_length(value)};

        memcpy(text, json_string_value(value), s.n);
        text += s.n;
        w->list[w->n] = s;
        w->star = w->star || gw_str_eq(s, GW_STR("*"));
    }
    return true;
}

void
gw_rbac_words_fini(struct gw_rbac_words *w)
{
    free(w->list);
    *w = (struct gw_rbac_words){0};
}

size_t
gw_rbac_words_bytes(const struct gw_rbac_words *w)
{
    return malloc_usable_size(w->list);
}

bool
gw_rbac_words_have(const struct gw_rbac_words *w, struct gw_str word)
{
    for (unsigned i = 0; i < w->n; i++) {
        if (gw_str_eq(w->list[i], word)) {
            return true;
        }
    }
    return false;
}
