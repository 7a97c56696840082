#include "base/mailbox.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"

struct gw_mailbox {
    struct gw_mail *_Atomic newest; /* a stack; the receiver takes all of it and turns it round */
    int fd;
    struct gw_mail *rest; /* oldest first; the receiver's alone, as is the next */
    bool again;           /* the mail that runs is not done */
};

struct gw_mailbox *
gw_mailbox_new(void)
{
    struct gw_mailbox *box = gw_mem_alloc(sizeof(*box));

    atomic_init(&box->newest, NULL);
    box->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (box->fd < 0) { /* only at start, when threads are made: like memory, there is no going on */
        perror("ksgate: eventfd");
        abort();
    }
    return box;
}

void
gw_mailbox_free(struct gw_mailbox *box, void *receiver)
{
    if (box == NULL) {
        return;
    }
    while (gw_mailbox_run(box, receiver) > 0) {
        /* mail may send more mail */
    }
    (void)close(box->fd);
    free(box);
}

int
gw_mailbox_fd(const struct gw_mailbox *box)
{
    return box->fd;
}

/* Only who finds the box empty rings: the others' mail goes along with that one's. */
void
gw_mailbox_send(struct gw_mailbox *box, struct gw_mail *mail)
{
    int fd = box->fd; /* with the mail delivered, the receiver may close the box */
    struct gw_mail *below = atomic_load_explicit(&box->newest, memory_order_relaxed);

    do {
        mail->next = below;
    } while (!atomic_compare_exchange_weak_explicit(&box->newest, &below, mail,
                                                    memory_order_release, memory_order_relaxed));
    if (below == NULL) {
        const uint64_t one = 1;

        while (write(fd, &one, sizeof(one)) < 0 && errno == EINTR) {
            /* again; EAGAIN means that it is readable already */
        }
    }
}

static struct gw_mail *
oldest_first(struct gw_mail *newest)
{
    struct gw_mail *list = NULL;

    while (newest != NULL) {
        struct gw_mail *below = newest->next;

        newest->next = list;
        list = newest;
        newest = below;
    }
    return list;
}

static void
ring(struct gw_mailbox *box)
{
    const uint64_t one = 1;

    while (write(box->fd, &one, sizeof(one)) < 0 && errno == EINTR) {
        /* again; EAGAIN means that it is readable already */
    }
}

/* What was left the last time, and what has come since. */
static struct gw_mail *
take_all(struct gw_mailbox *box)
{
    struct gw_mail *list = box->rest;
    struct gw_mail **end = &list;

    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = oldest_first(atomic_exchange_explicit(&box->newest, NULL, memory_order_acquire));
    box->rest = NULL;
    return list;
}

size_t
gw_mailbox_run(struct gw_mailbox *box, void *receiver)
{
    uint64_t rings = 0;
    size_t n = 0;

    /* The bell first: mail that comes between the two steps then rings once too often,
     * the other way round it would lie there unheard. */
    while (read(box->fd, &rings, sizeof(rings)) < 0 && errno == EINTR) {
        /* again */
    }
    struct gw_mail *mail = take_all(box);
    while (mail != NULL) {
        struct gw_mail *next = mail->next; /* run() frees the mail, or sends it on */

        mail->run(mail, receiver);
        n++;
        if (box->again) {
            box->again = false;
            mail->next = next;
            box->rest = mail;
            ring(box);
            break;
        }
        mail = next;
    }
    return n;
}

void
gw_mailbox_again(struct gw_mailbox *box)
{
    box->again = true;
}
