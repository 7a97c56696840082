#include "base/err.h"

#include <assert.h>
#include <ctype.h>
#include <pthread.h>
#include <stddef.h>

#include "base/str.h"

static const struct {
    const char *name;
    int status;
    const char *reason, *text;
} errors[] = {
#define X(name, status, reason, text) {#name, status, reason, text},
    GW_ERRORS(X)
#undef X
};

#define N_ERRORS  (sizeof(errors) / sizeof(errors[0]))
#define NAME_SIZE 32

/* The X-macro can only give NO_TOKEN; people and dashboards read no_token. */
static char names[N_ERRORS][NAME_SIZE];
static pthread_once_t names_once = PTHREAD_ONCE_INIT;

static void
make_names(void)
{
    for (size_t e = 0; e < N_ERRORS; e++) {
        size_t n = strlen(errors[e].name);

        assert(n < NAME_SIZE);
        for (size_t i = 0; i < n; i++) {
            names[e][i] = (char)tolower((unsigned char)errors[e].name[i]);
        }
    }
}

static size_t
index_of(enum gw_err e)
{
    assert((size_t)e < N_ERRORS);
    return (size_t)e;
}

const char *
gw_err_name(enum gw_err e)
{
    (void)pthread_once(&names_once, make_names);
    return names[index_of(e)];
}

const char *
gw_err_text(enum gw_err e)
{
    return errors[index_of(e)].text;
}

const char *
gw_err_reason(enum gw_err e)
{
    return errors[index_of(e)].reason;
}

int
gw_err_status(enum gw_err e)
{
    return errors[index_of(e)].status;
}

int
gw_err_count(void)
{
    return (int)N_ERRORS;
}
