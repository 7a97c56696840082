#include "modules/login_flights.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"

struct gw_login_flights {
    struct gw_map *map; /* by key, which is part of the flight */
    struct gw_login_flight *oldest, **end;
};

struct gw_login_flights *
gw_login_flights_new(void)
{
    struct gw_login_flights *f = gw_mem_alloc(sizeof(*f));

    f->map = gw_map_of_values();
    f->end = &f->oldest;
    return f;
}

static void
free_flight(struct gw_login_flight *flight)
{
    gw_login_answer_unref(flight->answer);
    free(flight);
}

void
gw_login_flights_free(struct gw_login_flights *f)
{
    if (f == NULL) {
        return;
    }
    gw_map_free(f->map, NULL);
    while (f->oldest != NULL) {
        struct gw_login_flight *flight = f->oldest;

        f->oldest = flight->newer;
        free_flight(flight);
    }
    free(f);
}

static struct gw_str
key_of(const unsigned char key[GW_LOGIN_FLIGHT_KEY])
{
    return (struct gw_str){(const char *)key, GW_LOGIN_FLIGHT_KEY};
}

struct gw_login_flight *
gw_login_flights_get(struct gw_login_flights *f, const unsigned char key[GW_LOGIN_FLIGHT_KEY],
                     uint64_t got_ms, uint64_t now_ms)
{
    struct gw_login_flight *flight = gw_map_get(f->map, key_of(key));

    if (flight == NULL || flight->answer == NULL) {
        return flight;
    }
    return now_ms < flight->until_ms && flight->answer->got_ms > got_ms ? flight : NULL;
}

/* From the oldest on, as far as they are of no more use, or too many. */
static void
forget_some(struct gw_login_flights *f, uint64_t now_ms, size_t most)
{
    while (f->oldest != NULL && f->oldest->answer != NULL &&
           (now_ms >= f->oldest->until_ms || gw_map_count(f->map) >= most)) {
        struct gw_login_flight *flight = f->oldest;

        f->oldest = flight->newer;
        f->end = f->oldest == NULL ? &f->oldest : f->end;
        if (gw_map_get(f->map, key_of(flight->key)) == flight) {
            (void)gw_map_take(f->map, key_of(flight->key));
        }
        free_flight(flight);
    }
}

/* One of before with the same key stays in the line, and is no longer found. */
struct gw_login_flight *
gw_login_flights_begin(struct gw_login_flights *f, const unsigned char key[GW_LOGIN_FLIGHT_KEY],
                       uint64_t now_ms, size_t most)
{
    struct gw_login_flight *flight = gw_mem_alloc(sizeof(*flight));

    forget_some(f, now_ms, most);
    memcpy(flight->key, key, sizeof(flight->key));
    (void)gw_map_put(f->map, key_of(flight->key), flight);
    *f->end = flight;
    f->end = &flight->newer;
    return flight;
}

void
gw_login_flight_land(struct gw_login_flight *flight, struct gw_login_answer *answer,
                     uint64_t until_ms)
{
    flight->answer = gw_login_answer_ref(answer);
    flight->until_ms = until_ms;
}

size_t
gw_login_flights_count(const struct gw_login_flights *f)
{
    return gw_map_count(f->map);
}
