/*
 * jwt_curl.h - libcurl, loaded when a configuration first names an issuer whose keys are fetched.
 *
 * It brings 30 libraries with it.  Linked, it would be in every process and every command: three
 * times as long to start (6.7 ms for 2.3), 5 MB more for each process (docs/adr/0013).
 */
#ifndef GW_MODULES_JWT_CURL_H
#define GW_MODULES_JWT_CURL_H

#include <stdbool.h>

#include <curl/curl.h>

/* The functions that are used, without their prefix "curl_". */
#define GW_CURL_FUNCTIONS(X) \
    X(global_init)           \
    X(global_cleanup)        \
    X(multi_init)            \
    X(multi_cleanup)         \
    X(multi_perform)         \
    X(multi_poll)            \
    X(multi_info_read)       \
    X(multi_add_handle)      \
    X(multi_remove_handle)   \
    X(easy_init)             \
    X(easy_setopt)           \
    X(easy_getinfo)          \
    X(easy_strerror)         \
    X(easy_cleanup)          \
    X(slist_append)          \
    X(slist_free_all)

struct gw_curl {
#define X(name) __typeof__ (&curl_##name)(name);
    GW_CURL_FUNCTIONS(X)
#undef X
};

/* Control thread.  Loads it, once.  False and *why (valid until the next try): it is not there, or
 * lacks a function. */
bool gw_curl_load(const char **why);

/* Any thread, once it was loaded; the same until the process ends. */
const struct gw_curl *gw_curl(void);

#endif
