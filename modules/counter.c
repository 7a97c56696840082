#include "modules/counter.h"

static unsigned long long
sum_of(const struct gw_counted *row, struct gw_world *const *worlds, size_t n, const void *key,
       size_t size)
{
    unsigned long long sum = 0;

    for (size_t i = 0; i < n; i++) {
        const char *state = gw_world_state(worlds[i], key, size);
        unsigned long long own =
            gw_counter_read((const atomic_ullong *)(const void *)(state + row->at));

        sum = row->shared ? own : sum + own;
    }
    return sum;
}

void
gw_counted_write(struct gw_buf *out, const struct gw_counted *rows, struct gw_world *const *worlds,
                 size_t n, const void *key, size_t size)
{
    const char *name = NULL;

    for (const struct gw_counted *row = rows; row->help != NULL || row->label != NULL; row++) {
        if (row->name != NULL) {
            name = row->name;
            gw_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, row->help, name, row->type);
        }
        gw_buf_printf(out, "%s%s%s%s %llu\n", name, row->label == NULL ? "" : "{",
                      row->label == NULL ? "" : row->label, row->label == NULL ? "" : "}",
                      sum_of(row, worlds, n, key, size));
    }
}
