#include "modules/jwt_curl.h"

#include <assert.h>
#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#define LIBRARY "libcurl.so.4" /* the ABI's name since 2006 */

static struct gw_curl table;
static bool loaded;

/* A function's address as what dlsym() gives: POSIX says that they are alike, ISO C does not. */
static bool
find(void *library, const char *name, void *place)
{
    void *address = dlsym(library, name);

    memcpy(place, &address, sizeof(address));
    return address != NULL;
}

bool
gw_curl_load(const char **why)
{
    void *library = loaded ? NULL : dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    bool good = library != NULL;

    if (loaded) {
        return true;
    }
#define X(name) good = good && find(library, "curl_" #name, &table.name);
    GW_CURL_FUNCTIONS(X)
#undef X
    if (!good) {
        *why = dlerror();
        return false;
    }
    loaded = true; /* and stays: what it has brought along can't be unloaded */
    return true;
}

const struct gw_curl *
gw_curl(void)
{
    assert(loaded);
    return &table;
}
