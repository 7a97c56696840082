/*
 * jwt_fetch_private.h - the thread that fetches keys: jwt_fetch.c is its life, jwt_question.c what
 * it asks the issuers.
 */
#ifndef GW_MODULES_JWT_FETCH_PRIVATE_H
#define GW_MODULES_JWT_FETCH_PRIVATE_H

#include <pthread.h>

#include "modules/jwt_answer.h"
#include "modules/jwt_fetch.h"

#define GW_JWT_AGAIN_MAX_MS 60000 /* between two questions that fail */

struct gw_jwt_fetcher {
    struct gw_mailbox *mailbox;
    pthread_t thread;
    CURLM *multi;
    struct gw_jwt_fetch_settings settings;
    char *file; /* of the settings; owned */
    struct gw_world *const *worlds;
    size_t n_worlds;
    void (*on_stop)(void);
    bool follows; /* it has been told of sources */
    bool stopping;
    bool unsaved;     /* more is known than the file says */
    bool save_failed; /* the last time */
};

/* Asks the source's issuer; demanded: since requests want it. */
void gw_jwt_question_begin(struct gw_jwt_fetcher *f, struct gw_jwt_source *s, bool demanded);

/* Keeps on disk what is known, if it is not there yet. */
void gw_jwt_save(struct gw_jwt_fetcher *f);

/* The workers are told: of another set, which is to be saved; of what has changed else. */
void gw_jwt_publish(struct gw_jwt_fetcher *f, struct gw_jwt_source *s, bool wake);
void gw_jwt_tell(struct gw_jwt_fetcher *f, struct gw_jwt_source *s, struct gw_jwt_keyset *keys,
                 bool wake);

#endif
