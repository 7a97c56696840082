#include "registry/fleet.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

/* Beyond it a beat is of a clock that there is no more: Redis has failed over to one that is
 * behind, and whoever has not beaten since then is silent. */
#define AHEAD_MS 1000

#define PARTS    5 /* of one member: id, revision, epoch, since, last beat */

static bool
take_text(char *out, size_t size, const redisReply *part)
{
    if (part->type != REDIS_REPLY_STRING || (size_t)part->len >= size ||
        strlen(part->str) != (size_t)part->len) {
        return false;
    }
    memcpy(out, part->str, (size_t)part->len + 1);
    return true;
}

static bool
take_number(uint64_t *out, const redisReply *part)
{
    return part->type == REDIS_REPLY_STRING &&
           gw_str_u64((struct gw_str){part->str, (size_t)part->len}, out);
}

/* Whoever writes to Redis by hand may have put in something else: that is no gateway. */
static bool
read_member(struct gw_fleet_member *m, redisReply *const *parts)
{
    return take_text(m->id, sizeof(m->id), parts[0]) && take_number(&m->revision, parts[1]) &&
           take_text(m->epoch, sizeof(m->epoch), parts[2]) && take_number(&m->since_ms, parts[3]) &&
           take_number(&m->heard_ms, parts[4]);
}

bool
gw_fleet_read(struct gw_fleet *f, const redisReply *reply)
{
    const redisReply *list;
    size_t n = 0;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3 ||
        reply->element[0]->type != REDIS_REPLY_INTEGER ||
        reply->element[1]->type != REDIS_REPLY_STRING ||
        reply->element[2]->type != REDIS_REPLY_ARRAY || reply->element[2]->elements % PARTS != 0) {
        return false;
    }
    list = reply->element[2];
    free(f->members);
    f->members = gw_mem_alloc((list->elements / PARTS + 1) * sizeof(*f->members));
    for (size_t i = 0; i < list->elements; i += PARTS) {
        n += read_member(&f->members[n], list->element + i);
    }
    f->n = n;
    f->now_ms = (uint64_t)reply->element[0]->integer;
    f->beat = reply->element[1]->str;
    return true;
}

void
gw_fleet_fini(struct gw_fleet *f)
{
    free(f->members);
    *f = (struct gw_fleet){0};
}

static uint64_t
silent_ms(const struct gw_fleet *f, const struct gw_fleet_member *m)
{
    return f->now_ms > m->heard_ms ? f->now_ms - m->heard_ms : 0;
}

bool
gw_fleet_lives(const struct gw_fleet *f, const struct gw_fleet_member *m, long long silence_ms)
{
    return silent_ms(f, m) <= (uint64_t)silence_ms && m->heard_ms <= f->now_ms + AHEAD_MS;
}

size_t
gw_fleet_living(const struct gw_fleet *f, long long silence_ms)
{
    size_t n = 0;

    for (size_t i = 0; i < f->n; i++) {
        n += gw_fleet_lives(f, &f->members[i], silence_ms);
    }
    return n;
}

static void
name(struct gw_diag *diag, const struct gw_fleet *f, const struct gw_fleet_member *m, bool here)
{
    double s = (double)silent_ms(f, m) / 1000;

    if (here) {
        gw_diag_error(diag, (struct gw_place){0}, "%s: at revision %" PRIu64 ", heard %.1f s ago",
                      m->id, m->revision, s);
    } else {
        gw_diag_error(diag, (struct gw_place){0},
                      "%s: it has not taken over this registry yet, heard %.1f s ago", m->id, s);
    }
}

size_t
gw_fleet_behind(const struct gw_fleet *f, const char *self, const char *epoch, uint64_t revision,
                long long silence_ms, struct gw_diag *diag)
{
    size_t n = 0;

    for (size_t i = 0; i < f->n; i++) {
        const struct gw_fleet_member *m = &f->members[i];
        bool here = strcmp(m->epoch, epoch) == 0;

        if (strcmp(m->id, self) == 0 || !gw_fleet_lives(f, m, silence_ms) ||
            (here && m->revision >= revision)) {
            continue;
        }
        n++;
        if (diag != NULL) {
            name(diag, f, m, here);
        }
    }
    return n;
}
