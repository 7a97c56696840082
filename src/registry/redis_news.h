/* redis_news.h - what the script's `changes` and the hash of objects say; no connection. */
#ifndef GW_REGISTRY_REDIS_NEWS_H
#define GW_REGISTRY_REDIS_NEWS_H

#include <hiredis/hiredis.h>

#include "base/map.h"
#include "registry/object.h"

#define GW_REDIS_EPOCH_MAX 40 /* of an epoch, which is as long as a SHA-1; more is cut */

/* Why all is listed. */
enum gw_redis_why {
    GW_REDIS_FIRST,       /* for the first time */
    GW_REDIS_RECONNECTED, /* somebody else may be master now, without our last changes */
    GW_REDIS_UNUSABLE,    /* an answer was something else than asked for */
    GW_REDIS_BEGUN,       /* the store had no epoch, and now has */
    GW_REDIS_WIPED,
    GW_REDIS_REPLACED,
    GW_REDIS_OLDER,
    GW_REDIS_FORKED,  /* the change that is known has another one in its place */
    GW_REDIS_STRAYED, /* the hash was changed past the script */
    GW_REDIS_EMPTIED,
    GW_REDIS_MISSED,  /* entries are not there (any more) */
    GW_REDIS_FOREIGN, /* one does not say what has changed */
    GW_REDIS_WHYS
};
const char *gw_redis_why_text(enum gw_redis_why why);  /* goes on from "listed because ..." */
const char *gw_redis_why_label(enum gw_redis_why why); /* one word, for metrics */

/* What `changes` answers; borrowed from the reply. */
struct gw_redis_news {
    const char *epoch;
    const char *foreign; /* the id of an entry that ends them; "": none */
    uint64_t revision, oldest, upto;
    const redisReply *fields; /* field, json or nil, ... */
    uint64_t awaited_ms;      /* for so long from now on somebody waits for all gateways */
    const redisReply *stamps; /* revision, stamp, ... (redis_stamps.h) */
    long long hash_fields;    /* of the hash, at `revision`; -1: not known */
};

/* False: the reply is something else. */
bool gw_redis_news_read(const redisReply *reply, struct gw_redis_news *news);

/* Why the news do not continue what is known; GW_REDIS_FIRST: they do.  stamp: of the revision; 0:
 * not known. */
enum gw_redis_why gw_redis_news_broken(const struct gw_redis_news *news, const char *epoch,
                                       uint64_t revision, uint64_t stamp);

/* Does the registry have that very change?  As far as they tell; stamp 0: that is not known. */
bool gw_redis_news_has(const struct gw_redis_news *news, uint64_t revision, uint64_t stamp);

/* Has another change that number now?  As far as they tell of it. */
bool gw_redis_news_has_another(const struct gw_redis_news *news, uint64_t revision, uint64_t stamp);

/* The fields of the hash that are no objects. */
struct gw_redis_bad {
    struct gw_map *fields; /* to a mark: of which list they are */
    char marks[2];
    int list; /* 0 or 1: the present one's */
};
void gw_redis_bad_init(struct gw_redis_bad *bad);
void gw_redis_bad_fini(struct gw_redis_bad *bad);
void gw_redis_bad_begin(struct gw_redis_bad *bad); /* all fields are going to be read */
void gw_redis_bad_end(struct gw_redis_bad *bad);   /* they were: the others are gone */

/* A name with a NUL byte in it is nobody's, and not that of the object before the NUL.  What else
 * has no object, or one that can't be used, is gone: so a list would find it. */
bool gw_redis_field_is_name(const redisReply *field);

/* The object of a field of the hash; or NULL, and it is in `bad`, and logged if it was not before.
 * json may be nil: no object, and well. */
struct gw_object *gw_redis_field_read(const char *hash, const redisReply *field,
                                      const redisReply *json, struct gw_redis_bad *bad);

#endif
