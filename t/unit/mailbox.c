#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/mailbox.h"

#define SENDERS 4
#define LETTERS 5000

struct letter {
    struct gw_mail mail; /* first */
    unsigned sender, number;
};

struct post {
    struct gw_mailbox *box;
    unsigned next[SENDERS]; /* the number that is expected from each */
    unsigned got;
    bool in_order;
};

static void
on_letter(struct gw_mail *mail, void *receiver)
{
    struct letter *l = (struct letter *)mail;
    struct post *p = receiver;

    p->in_order = p->in_order && l->number == p->next[l->sender];
    p->next[l->sender]++;
    p->got++;
    free(l);
}

static void
send(struct gw_mailbox *box, unsigned sender, unsigned number)
{
    struct letter *l = malloc(sizeof(*l));

    *l = (struct letter){.mail.run = on_letter, .sender = sender, .number = number};
    gw_mailbox_send(box, &l->mail);
}

static bool
is_readable(const struct gw_mailbox *box, int wait_ms)
{
    struct pollfd p = {.fd = gw_mailbox_fd(box), .events = POLLIN};

    return poll(&p, 1, wait_ms) == 1;
}

static void
test_in_the_order_of_sending(void **state)
{
    struct post p = {.box = gw_mailbox_new(), .in_order = true};

    (void)state;
    assert_false(is_readable(p.box, 0));
    assert_int_equal(gw_mailbox_run(p.box, &p), 0);
    for (unsigned i = 0; i < 10; i++) {
        send(p.box, 0, i);
    }
    assert_true(is_readable(p.box, 0));
    assert_int_equal(gw_mailbox_run(p.box, &p), 10);
    assert_false(is_readable(p.box, 0));
    assert_true(p.in_order);
    send(p.box, 0, 10);
    assert_true(is_readable(p.box, 0));
    gw_mailbox_free(p.box, &p); /* runs what is left */
    assert_int_equal(p.got, 11);
    gw_mailbox_free(NULL, NULL);
}

struct resend {
    struct gw_mail mail;
    struct post *post;
    unsigned left;
};

static void
on_resend(struct gw_mail *mail, void *receiver)
{
    struct resend *r = (struct resend *)mail;

    (void)receiver;
    r->post->got++;
    if (r->left-- > 0) {
        gw_mailbox_send(r->post->box, mail);
    }
}

static void
test_mail_sent_meanwhile_waits_for_the_next_run(void **state)
{
    struct post p = {.box = gw_mailbox_new()};
    struct resend r = {.mail.run = on_resend, .post = &p, .left = 3};

    (void)state;
    gw_mailbox_send(p.box, &r.mail);
    assert_int_equal(gw_mailbox_run(p.box, &p), 1);
    assert_true(is_readable(p.box, 0));
    assert_int_equal(gw_mailbox_run(p.box, &p), 1);
    gw_mailbox_free(p.box, &p);
    assert_int_equal(p.got, 4);
}

struct long_mail {
    struct gw_mail mail;
    unsigned left;
};

static void
on_long_mail(struct gw_mail *mail, void *receiver)
{
    struct long_mail *l = (struct long_mail *)mail;
    struct post *p = receiver;

    p->in_order = p->in_order && p->got == 1; /* the one behind has not run */
    if (l->left-- > 0) {
        gw_mailbox_again(p->box);
    }
}

/* It yields, and keeps its place: what is behind it, and what comes meanwhile, waits. */
static void
test_mail_that_takes_long_is_run_in_parts(void **state)
{
    struct post p = {.box = gw_mailbox_new(), .in_order = true};
    struct long_mail l = {.mail.run = on_long_mail, .left = 3};

    (void)state;
    send(p.box, 0, 0);
    gw_mailbox_send(p.box, &l.mail);
    send(p.box, 0, 1);
    assert_int_equal(gw_mailbox_run(p.box, &p), 2);
    for (unsigned i = 0; i < 2; i++) {
        send(p.box, 0, 2 + i);
        assert_true(is_readable(p.box, 0));
        assert_int_equal(gw_mailbox_run(p.box, &p), 1);
        assert_int_equal(p.got, 1);
    }
    assert_true(is_readable(p.box, 0));
    assert_int_equal(gw_mailbox_run(p.box, &p), 4);
    assert_int_equal(p.got, 4);
    assert_false(is_readable(p.box, 0));

    p.got = 1; /* and at the end, all of it */
    l.left = 2;
    gw_mailbox_send(p.box, &l.mail);
    send(p.box, 0, 4);
    gw_mailbox_free(p.box, &p);
    assert_int_equal(p.got, 2);
    assert_true(p.in_order);
}

struct sender {
    struct gw_mailbox *box;
    unsigned number;
};

static void *
send_all(void *arg)
{
    const struct sender *s = arg;

    for (unsigned i = 0; i < LETTERS; i++) {
        send(s->box, s->number, i);
    }
    return NULL;
}

/* A ring that is lost would leave the receiver waiting: then poll() ends after its time and
 * the test fails. */
static void
test_many_senders_lose_nothing(void **state)
{
    struct post p = {.box = gw_mailbox_new(), .in_order = true};
    struct sender senders[SENDERS];
    pthread_t threads[SENDERS];

    (void)state;
    for (unsigned i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){p.box, i};
        assert_int_equal(pthread_create(&threads[i], NULL, send_all, &senders[i]), 0);
    }
    while (p.got < SENDERS * LETTERS && is_readable(p.box, 20000)) {
        (void)gw_mailbox_run(p.box, &p);
    }
    assert_int_equal(p.got, SENDERS * LETTERS);
    assert_true(p.in_order);
    for (unsigned i = 0; i < SENDERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    gw_mailbox_free(p.box, &p);
    assert_int_equal(p.got, SENDERS * LETTERS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_the_order_of_sending),
        cmocka_unit_test(test_mail_sent_meanwhile_waits_for_the_next_run),
        cmocka_unit_test(test_mail_that_takes_long_is_run_in_parts),
        cmocka_unit_test(test_many_senders_lose_nothing),
    };

    return cmocka_run_group_tests_name("mailbox", tests, NULL, NULL);
}
