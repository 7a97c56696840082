/* jwt_answer.h - what an issuer has answered, and what is said of it; for jwt_fetch.c. */
#ifndef GW_MODULES_JWT_ANSWER_H
#define GW_MODULES_JWT_ANSWER_H

#include "modules/jwt_entries.h"
#include "modules/jwt_http.h"

/* What is going on with a source. */
struct gw_jwt_fetch {
    struct gw_jwt_get *get; /* NULL: nothing is under way */
    uint64_t due_ms;        /* mono; of the next question */
    uint64_t ask_after_ms;  /* mono; before that, requests' questions are not passed on */
    uint64_t begun_ms;      /* wall; the question that is under way */
    uint64_t asked_ms;      /* wall; the last that had a good answer; 0: none */
    uint64_t answered;      /* that one's number */
    unsigned failures;      /* one after the other */
    bool naming;            /* get is for the document that names the set */
    bool wanted;            /* the next question is one that requests are the cause of */
};

/* Where the set is, by the document of OpenID Connect Discovery 1.0, 4.2 (or RFC 8414, 3.2); heap.
 * NULL and *trouble, in static words, when it is not the issuer's or not usable. */
char *gw_jwt_answer_url(const struct gw_jwt_source *s, struct gw_str text, const char **trouble);

/* The issuer's set is this text.  *trouble when it is of no use: then nothing has changed. */
enum gw_jwt_fetched gw_jwt_answer_keys(struct gw_jwt_source *s, struct gw_str text,
                                       const char **trouble);

/* Counts it; a change of what is known, and the begin and end of trouble, are lines of the log. */
void gw_jwt_answer_note(struct gw_jwt_source *s, enum gw_jwt_fetched how, const char *trouble);

/* "issuer ...: 2 keys (a, b): what" */
void gw_jwt_answer_say(const struct gw_jwt_source *s, const char *what);

#endif
