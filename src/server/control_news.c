/*
 * control_news.c - what has changed, to those who watch it (ADR 20).
 *
 * Behind the batch in the same mailbox: told by the rights that hold with it.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "server/control_private.h"
#include "server/watchers.h"

struct news_mail {
    struct gw_mail mail;
    struct gw_news *news; /* a reference */
};

/* On the worker. */
static void
run_news(struct gw_mail *mail, void *receiver)
{
    struct news_mail *m = (struct news_mail *)mail;
    struct gw_worker *w = receiver;

    gw_watchers_tell(w->world, m->news);
    gw_news_unref(m->news);
    free(m);
}

void
gw_control_tell_watchers(struct gw_control *c)
{
    struct gw_news *news = c->sync == NULL ? NULL : gw_sync_news(c->sync);

    for (unsigned i = 0; news != NULL && i < c->n_workers; i++) {
        if (gw_watchers_are_there(c->worlds[i])) {
            struct news_mail *m = gw_mem_alloc(sizeof(*m));

            *m = (struct news_mail){.mail = {.run = run_news}, .news = gw_news_ref(news)};
            gw_mailbox_send(c->workers[i].mailbox, &m->mail);
        }
    }
}
