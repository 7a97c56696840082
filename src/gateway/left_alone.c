#include "gateway/left_alone.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"

struct one {
    unsigned workers; /* that leave it alone */
    struct gw_left_alone what;
    char url[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct gw_map *all; /* by URL; made with the first, gone with the last */

void
gw_left_alone_note(const char *url, bool anew, const char *reason)
{
    size_t n = strlen(url) + 1;

    (void)pthread_mutex_lock(&lock);
    all = all == NULL ? gw_map_of_values() : all;
    struct one *one = gw_map_get(all, gw_str_of(url));
    if (one == NULL) {
        assert(anew);
        one = gw_mem_alloc(sizeof(*one) + n);
        memcpy(one->url, url, n);
        one->what.since_ms = gw_clock_wall_ms();
        (void)gw_map_put(all, gw_str_of(one->url), one);
    }
    one->workers += anew;
    (void)snprintf(one->what.reason, sizeof(one->what.reason), "%s", reason);
    (void)pthread_mutex_unlock(&lock);
}

void
gw_left_alone_end(const char *url)
{
    (void)pthread_mutex_lock(&lock);
    struct one *one = all == NULL ? NULL : gw_map_get(all, gw_str_of(url));
    assert(one != NULL && one->workers > 0);
    if (--one->workers == 0) {
        (void)gw_map_take(all, gw_str_of(url));
        free(one);
    }
    if (gw_map_count(all) == 0) {
        gw_map_free(all, NULL);
        all = NULL;
    }
    (void)pthread_mutex_unlock(&lock);
}

bool
gw_left_alone_status(struct gw_str url, struct gw_left_alone *out)
{
    (void)pthread_mutex_lock(&lock);
    const struct one *one = all == NULL ? NULL : gw_map_get(all, url);
    if (one != NULL) {
        *out = one->what;
    }
    (void)pthread_mutex_unlock(&lock);
    return one != NULL;
}
