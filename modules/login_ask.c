#include "modules/login_ask.h"

#include <stdlib.h>

#include <openssl/crypto.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "modules/jwt_fetch.h"
#include "modules/login_flights.h"

#define CHAIN_MAX 8 /* refreshes one after the other that a logout follows */

/* The thread's. */
static struct gw_login_question *under_way;
static struct gw_login_flights *flights;
static struct gw_login_provider *fetching; /* with a reference each: their documents */

/* ---- the end of a question ---------------------------------------------------------------- */

static void
free_question(struct gw_login_question *q)
{
    gw_jwt_get_free(q->get);
    gw_login_answer_unref(q->answer);
    gw_login_provider_unref(q->provider);
    if (q->form != NULL) {
        OPENSSL_cleanse(q->form, strlen(q->form));
    }
    free(q->form);
    free(q);
}

/* On the worker. */
static void
run_told(struct gw_mail *mail, void *receiver)
{
    struct gw_login_question *q = (struct gw_login_question *)mail;

    (void)receiver;
    q->told(q, q->answer);
    free_question(q);
}

static void
leave(struct gw_login_question *q)
{
    *q->prev = q->next;
    if (q->next != NULL) {
        q->next->prev = q->prev;
    }
    q->provider->asking--;
}

enum {
    OF_DOCUMENT,
    OF_ENDPOINTS
};

/* What the provider has answered: each time that it changes, and not each time that it happens. */
static void
say(struct gw_login_provider *p, int what, const char *now, const char *error)
{
    if (now == p->trouble[what]) {
        return;
    }
    if (now != NULL) {
        gw_log_warn("login: the provider %s: %s%s%s", p->issuer, now, error[0] == '\0' ? "" : ": ",
                    error);
    } else {
        gw_log_info("login: the provider %s answers as it should again", p->issuer);
    }
    p->trouble[what] = now;
}

static void
say_answer(struct gw_login_provider *p, const struct gw_login_answer *a)
{
    bool bad = a->outcome == GW_LOGIN_AWAY || a->outcome == GW_LOGIN_ODD;

    say(p, OF_ENDPOINTS, bad ? a->trouble : NULL, a->error);
}

static void
tell(struct gw_login_question *q, struct gw_login_answer *a)
{
    leave(q);
    gw_jwt_get_free(q->get);
    q->get = NULL;
    if (q->told == NULL) {
        free_question(q);
        return;
    }
    q->answer = gw_login_answer_ref(a);
    q->mail.run = run_told;
    gw_world_send(q->world, &q->mail);
}

/* Takes the answer's reference. */
static void
tell_only(struct gw_login_question *q, struct gw_login_answer *a)
{
    tell(q, a);
    gw_login_answer_unref(a);
}

/* ---- the endpoints ------------------------------------------------------------------------ */

static void go_on(struct gw_login_question *q, CURLM *multi);

static void
no_longer_fetching(struct gw_login_provider *p)
{
    struct gw_login_provider **at = &fetching;

    while (*at != p) {
        at = &(*at)->fetching;
    }
    *at = p->fetching;
    gw_login_provider_unref(p);
}

/* What was known stands when the document can't be had. */
static void
on_document(void *thread, void *owner, CURLcode code)
{
    struct gw_login_provider *p = owner;
    struct gw_login_question *q = p->waiting;
    const char *why = gw_jwt_get_trouble(p->get, code);

    if (why == NULL) {
        why = gw_login_provider_read(p, gw_jwt_get_body(p->get));
    }
    gw_jwt_get_free(p->get);
    p->get = NULL;
    p->waiting = NULL;
    p->failed_ms = why == NULL ? 0 : gw_clock_mono_ms();
    if (why == NULL) {
        p->found_ms = gw_clock_mono_ms();
    }
    bool known = p->found_ms != 0;
    say(p, OF_DOCUMENT, why, "");
    no_longer_fetching(p); /* which may be its end, with its last question */
    while (q != NULL) {
        struct gw_login_question *after = q->after;

        q->after = NULL;
        if (known) {
            go_on(q, gw_jwt_fetch_multi(thread));
        } else {
            tell_only(q, gw_login_answer_new(GW_LOGIN_AWAY, why));
        }
        q = after;
    }
}

static bool
has_endpoints(const struct gw_login_provider *p)
{
    return p->document == NULL || p->found_ms != 0;
}

static bool
may_ask_again(const struct gw_login_provider *p)
{
    return p->failed_ms == 0 || gw_clock_mono_ms() - p->failed_ms >= (uint64_t)p->retry_ms;
}

static bool
is_stale(const struct gw_login_provider *p)
{
    return p->document != NULL && gw_clock_mono_ms() - p->found_ms >= (uint64_t)p->fresh_ms &&
           may_ask_again(p);
}

/* Nobody need wait for it. */
static void
fetch_document(struct gw_login_provider *p, CURLM *multi)
{
    const struct gw_jwt_ask ask = {
        .url = p->document,
        .ca_file = p->ca_file,
        .timeout_ms = p->timeout_ms,
        .over = on_document,
        .owner = p,
    };

    if (p->get != NULL) {
        return;
    }
    p->get = gw_jwt_get_start(multi, &ask);
    if (p->get != NULL) {
        p->fetching = fetching;
        fetching = gw_login_provider_ref(p);
    }
}

/* For the first time. */
static void
look_for_endpoints(struct gw_login_question *q, CURLM *multi)
{
    struct gw_login_provider *p = q->provider;

    if (!may_ask_again(p)) {
        tell_only(q, gw_login_answer_new(GW_LOGIN_AWAY, p->trouble[OF_DOCUMENT]));
        return;
    }
    fetch_document(p, multi);
    if (p->get == NULL) {
        tell_only(q, gw_login_answer_new(GW_LOGIN_AWAY, "its address is not usable"));
        return;
    }
    q->after = p->waiting;
    p->waiting = q;
}

static void
tell_endpoints(struct gw_login_question *q)
{
    struct gw_login_answer *a = gw_login_answer_new(GW_LOGIN_GOOD, NULL);

    for (unsigned e = 0; e < GW_LOGIN_N_ENDPOINTS; e++) {
        a->url[e] = gw_mem_strdup(gw_login_provider_url(q->provider, e));
    }
    tell_only(q, a);
}

/* ---- tokens ------------------------------------------------------------------------------- */

static void revoke(struct gw_login_question *q, CURLM *multi);

static void
wait_for(struct gw_login_question *q, struct gw_login_flight *flight)
{
    q->after = flight->first->after;
    flight->first->after = q;
}

/* Of the token that is to be replaced. */
static uint64_t
left_of(const struct gw_login_question *q)
{
    uint64_t now_ms = gw_clock_wall_ms();

    return q->expires_ms > now_ms ? q->expires_ms - now_ms : 0;
}

/* All who have asked for the same hear the same. */
static void
over(struct gw_login_question *q, struct gw_login_answer *a, CURLM *multi)
{
    if (q->kind != GW_LOGIN_ASK_REFRESH) {
        tell_only(q, a);
        return;
    }
    struct gw_login_question *others = q->after;
    struct gw_login_flight *flight = gw_login_flights_get(flights, q->key, q->got_ms, 0);
    gw_login_flight_land(flight, a,
                         gw_login_flight_until(q->provider, a, left_of(q), gw_clock_mono_ms()));
    tell_only(q, gw_login_answer_ref(a));
    while (others != NULL) {
        struct gw_login_question *after = others->after;

        others->after = NULL;
        if (others->kind == GW_LOGIN_ASK_REVOKE) {
            revoke(others, multi);
        } else {
            tell_only(others, gw_login_answer_ref(a));
        }
        others = after;
    }
    gw_login_answer_unref(a);
}

static void send_form(struct gw_login_question *q, CURLM *multi);

/* RFC 7009, 2.2: 503 asks for another try; so does a connection that was just being closed. */
static void
on_revoked(struct gw_login_question *q, const char *why, long status, CURLM *multi)
{
    if (why == NULL && status != 200) {
        why = "it has not taken back a refresh token (revocation_endpoint)";
    }
    if (why != NULL && !q->again) {
        q->again = true;
        gw_jwt_get_free(q->get);
        q->get = NULL;
        send_form(q, multi);
        return;
    }
    struct gw_login_answer *a =
        gw_login_answer_new(why == NULL ? GW_LOGIN_GOOD : GW_LOGIN_AWAY, why);
    say_answer(q->provider, a);
    over(q, a, multi);
}

static void
on_tokens(void *thread, void *owner, CURLcode code)
{
    struct gw_login_question *q = owner;
    long status = 0;
    const char *why = gw_jwt_get_answered(q->get, code, &status);

    if (q->kind == GW_LOGIN_ASK_REVOKE) {
        on_revoked(q, why, status, gw_jwt_fetch_multi(thread));
        return;
    }
    struct gw_login_answer *a =
        why != NULL ? gw_login_answer_new(GW_LOGIN_AWAY, why)
                    : gw_login_answer_read(status, gw_jwt_get_body(q->get), gw_clock_wall_ms());
    say_answer(q->provider, a);
    over(q, a, gw_jwt_fetch_multi(thread));
}

/* There are secrets in it. */
static void
forget(struct gw_buf *b)
{
    if (b->p != NULL) {
        OPENSSL_cleanse(b->p, b->n);
    }
    gw_buf_fini(b);
}

static void
send_form(struct gw_login_question *q, CURLM *multi)
{
    struct gw_login_provider *p = q->provider;
    const char *url = gw_login_provider_url(p, q->kind == GW_LOGIN_ASK_REVOKE ? GW_LOGIN_REVOCATION
                                                                              : GW_LOGIN_TOKEN);
    struct gw_buf form = {0};
    struct gw_buf header = {0};

    if (q->kind == GW_LOGIN_ASK_REVOKE) {
        gw_login_form_add(&form, "token", gw_str_of(q->form));
        gw_login_form_add(&form, "token_type_hint", GW_STR("refresh_token"));
    } else {
        gw_buf_puts(&form, q->form);
    }
    gw_login_provider_identify(p, &form, &header);
    if (url != NULL) {
        const struct gw_jwt_ask ask = {
            .url = url,
            .ca_file = p->ca_file,
            .timeout_ms = p->timeout_ms,
            .form = form.p,
            .authorization = header.p,
            .over = on_tokens,
            .owner = q,
        };

        q->get = gw_jwt_get_start(multi, &ask);
    }
    forget(&form);
    forget(&header);
    if (q->get == NULL) {
        over(q,
             gw_login_answer_new(GW_LOGIN_AWAY, "it has no such endpoint, or its address is "
                                                "not usable"),
             multi);
    }
}

/* Whoever logs out may have come with the cookie of before a refresh. */
static void
revoke(struct gw_login_question *q, CURLM *multi)
{
    for (unsigned i = 0; i < CHAIN_MAX; i++) {
        gw_login_flight_key(q->provider->tag, gw_str_of(q->form), q->key);
        struct gw_login_flight *flight =
            gw_login_flights_get(flights, q->key, q->got_ms, gw_clock_mono_ms());

        if (flight != NULL && flight->answer == NULL) {
            wait_for(q, flight); /* and then what came of it */
            return;
        }
        if (flight == NULL || flight->answer->refresh.text == NULL) {
            break;
        }
        OPENSSL_cleanse(q->form, strlen(q->form));
        free(q->form);
        q->form = gw_mem_strdup(flight->answer->refresh.text);
        q->got_ms = flight->answer->got_ms;
    }
    send_form(q, multi);
}

/* Once, whoever asks: the first asks for all. */
static void
refresh(struct gw_login_question *q, CURLM *multi)
{
    uint64_t now_ms = gw_clock_mono_ms();
    struct gw_login_flight *flight = gw_login_flights_get(flights, q->key, q->got_ms, now_ms);

    if (flight == NULL) {
        flight = gw_login_flights_begin(flights, q->key, now_ms, q->provider->remembered);
        flight->first = q;
        send_form(q, multi);
    } else if (flight->answer != NULL) {
        tell_only(q, gw_login_answer_ref(flight->answer));
    } else {
        wait_for(q, flight);
    }
}

static void
go_on(struct gw_login_question *q, CURLM *multi)
{
    if (q->kind == GW_LOGIN_ASK_ENDPOINTS) {
        tell_endpoints(q);
    } else if (q->kind == GW_LOGIN_ASK_REFRESH) {
        refresh(q, multi);
    } else if (q->kind == GW_LOGIN_ASK_REVOKE) {
        revoke(q, multi);
    } else {
        send_form(q, multi);
    }
}

/* ---- asked -------------------------------------------------------------------------------- */

/* Whoever asks again and again to log in does not keep sessions from being refreshed. */
static size_t
room_for(const struct gw_login_provider *p, enum gw_login_kind kind)
{
    return kind == GW_LOGIN_ASK_REFRESH ? p->pending : p->pending - p->pending / 2;
}

static void
run_question(struct gw_mail *mail, void *receiver)
{
    struct gw_login_question *q = (struct gw_login_question *)mail;
    struct gw_login_provider *p = q->provider;

    q->next = under_way;
    q->prev = &under_way;
    q->after = NULL;
    if (q->next != NULL) {
        q->next->prev = &q->next;
    }
    under_way = q;
    if (p->asking++ >= room_for(p, q->kind)) {
        tell_only(q, gw_login_answer_new(GW_LOGIN_AWAY, "as many questions to it are under way as "
                                                        "may be (login.pending)"));
    } else if (has_endpoints(p)) {
        if (is_stale(p)) {
            fetch_document(p, gw_jwt_fetch_multi(receiver));
        }
        go_on(q, gw_jwt_fetch_multi(receiver));
    } else {
        look_for_endpoints(q, gw_jwt_fetch_multi(receiver));
    }
}

void
gw_login_ask(struct gw_login_question *q)
{
    q->mail.run = run_question;
    gw_jwt_fetch_send(&q->mail);
}

/* No worker runs any more: nobody is told. */
static void
stop(void)
{
    while (under_way != NULL) {
        struct gw_login_question *q = under_way;

        under_way = q->next;
        free_question(q);
    }
    while (fetching != NULL) {
        gw_jwt_get_free(fetching->get);
        fetching->get = NULL;
        no_longer_fetching(fetching);
    }
    gw_login_flights_free(flights);
    flights = NULL;
}

void
gw_login_ask_start(struct gw_world *const *worlds, size_t n)
{
    gw_jwt_fetch_start(worlds, n);
    if (flights == NULL) { /* the thread has no question yet */
        flights = gw_login_flights_new();
        gw_jwt_fetch_on_stop(stop);
    }
}
