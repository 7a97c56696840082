/* follow_way.c - the folders on the way to a file. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/follow.h"

#define LINKS_MAX 40 /* as the kernel */

/* A path is cut in two for a moment: the folder of its first n bytes. */
static void
tell_folder(char *path, size_t n, void (*each)(void *arg, const char *folder), void *arg)
{
    while (n > 0 && path[n - 1] != '/') {
        n--;
    }
    size_t end = n > 1 ? n - 1 : n; /* without the slash, unless it is the root */
    char kept = path[end];

    path[end] = '\0';
    each(arg, n == 0 ? "." : path);
    path[end] = kept;
}

/* Is what the first n bytes name a link?  Then to what; 0: it is none. */
static size_t
read_link(char *path, size_t n, char target[PATH_MAX])
{
    char kept = path[n];

    path[n] = '\0';
    ssize_t got = readlink(path, target, PATH_MAX - 1);
    path[n] = kept;
    return got > 0 ? (size_t)got : 0;
}

/* The first link in it is replaced by what it leads to, and its folder is told.  False: there is
 * none. */
static bool
go_on(char path[PATH_MAX], void (*each)(void *arg, const char *folder), void *arg)
{
    char target[PATH_MAX];
    char next[PATH_MAX];

    for (size_t n = 1; path[n - 1] != '\0'; n++) {
        if (path[n] != '/' && path[n] != '\0') {
            continue;
        }
        size_t bytes = read_link(path, n, target);
        if (bytes == 0) {
            continue;
        }
        tell_folder(path, n, each, arg);
        size_t before = n;
        while (before > 0 && path[before - 1] != '/') {
            before--;
        }
        int made = snprintf(next, sizeof(next), "%.*s%.*s%s", target[0] == '/' ? 0 : (int)before,
                            path, (int)bytes, target, path + n);
        if (made < 0 || (size_t)made >= sizeof(next)) {
            return false;
        }
        memcpy(path, next, (size_t)made + 1);
        return true;
    }
    return false;
}

void
gw_follow_way(const char *path, void (*each)(void *arg, const char *folder), void *arg)
{
    char way[PATH_MAX];
    size_t n = strlen(path);
    int links = 0;

    if (n == 0 || n >= sizeof(way)) {
        return;
    }
    memcpy(way, path, n + 1);
    while (links < LINKS_MAX && go_on(way, each, arg)) {
        links++;
    }
    tell_folder(way, strlen(way), each, arg);
}
