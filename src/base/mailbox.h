/*
 * mailbox.h - messages from any thread to one (decision 2).
 *
 * The sender fills a struct whose first member is a gw_mail; it is the receiver's from
 * gw_mailbox_send() on.  The receiver waits for the descriptor to become readable and
 * then runs all that came, in the order of sending.
 */
#ifndef GW_BASE_MAILBOX_H
#define GW_BASE_MAILBOX_H

#include <stddef.h>

struct gw_mail {
    struct gw_mail *next;
    void (*run)(struct gw_mail *mail, void *receiver); /* frees the mail, or keeps it */
};

struct gw_mailbox;

struct gw_mailbox *gw_mailbox_new(void);

/* Mail still in it is run first, with receiver. */
void gw_mailbox_free(struct gw_mailbox *box, void *receiver);

/* An eventfd, readable while there is mail.  Owned by the box. */
int gw_mailbox_fd(const struct gw_mailbox *box);

void gw_mailbox_send(struct gw_mailbox *box, struct gw_mail *mail);

/* Runs all mail that is there now; returns how many.  Receiver's thread only. */
size_t gw_mailbox_run(struct gw_mailbox *box, void *receiver);

/* Within run(): the mail is not done.  Its run() is called once more by the next gw_mailbox_run(),
 * and what is behind it waits until then: the descriptor is readable, so a loop serves its other
 * events in between. */
void gw_mailbox_again(struct gw_mailbox *box);

#endif
