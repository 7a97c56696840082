#include "modules/jwt_known.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/log.h"

#define MAGIC    "ksgate-keys 1 "
#define HEAD     31 /* bytes of the first line: the magic, 16 digits, its end */
#define FILE_MAX ((size_t)16 * 1024 * 1024)

/* ---- reading --------------------------------------------------------------------------------- */

/* Whoever can write it can make tokens for everybody. */
static const char *
check_owner(int fd, bool *foreign)
{
    struct stat st;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        return "is no file";
    }
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0 || (st.st_uid != geteuid() && geteuid() != 0)) {
        return "can be written by others than the server's user";
    }
    *foreign = st.st_uid != geteuid();
    return NULL;
}

/* False: it can't be read just now. */
static bool
read_all(int fd, struct gw_buf *text)
{
    char chunk[8192];
    ssize_t n = 1;

    while (n != 0 && text->n <= FILE_MAX) {
        n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno != EINTR) {
            return false;
        }
        gw_buf_add(text, chunk, n > 0 ? (size_t)n : 0);
    }
    return true;
}

static void
format_head(char head[HEAD + 1], struct gw_str body)
{
    (void)snprintf(head, HEAD + 1, MAGIC "%016" PRIx64 "\n", (uint64_t)XXH3_64bits(body.p, body.n));
}

static json_t *
parse(struct gw_str text, const char **why)
{
    char head[HEAD + 1];
    struct gw_str body = text.n < HEAD ? GW_STR_NONE : gw_str_skip(text, HEAD);

    format_head(head, body);
    if (text.n > FILE_MAX) {
        *why = "is too large";
        return NULL;
    }
    json_t *root = body.n > 0 && memcmp(head, text.p, HEAD) == 0
                       ? json_loadb(body.p, body.n, JSON_REJECT_DUPLICATES, NULL)
                       : NULL;
    if (root == NULL) {
        *why = "is not as it was written (its checksum is another)";
    }
    return root;
}

json_t *
gw_jwt_known_read(const char *path, struct gw_jwt_doubt *doubt)
{
    /* NONBLOCK: what is no file is not waited for */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct gw_buf text = {0};
    json_t *root = NULL;

    *doubt = (struct gw_jwt_doubt){0};
    if (fd < 0) {
        doubt->why = errno != ENOENT ? "can't be opened" : NULL;
        return NULL;
    }
    doubt->why = check_owner(fd, &doubt->foreign);
    doubt->bad = doubt->why != NULL;
    if (doubt->why == NULL && !read_all(fd, &text)) {
        doubt->why = "can't be read";
    } else if (doubt->why == NULL) {
        root = parse(gw_buf_text(&text), &doubt->why);
        doubt->bad = root == NULL;
    }
    gw_buf_fini(&text);
    (void)close(fd);
    return root;
}

const json_t *
gw_jwt_known_find(const json_t *root, const struct gw_jwt_source_name *name)
{
    const json_t *s;
    size_t i;

    json_array_foreach(json_object_get(root, "sources"), i, s)
    {
        const char *issuer = json_string_value(json_object_get(s, "issuer"));
        const char *url = json_string_value(json_object_get(s, "url"));

        if (issuer != NULL && url != NULL && strcmp(issuer, name->issuer) == 0 &&
            strcmp(url, name->url) == 0) {
            return s;
        }
    }
    return NULL;
}

/* ---- writing --------------------------------------------------------------------------------- */

static json_t *
source_json(struct gw_jwt_source *s)
{
    json_t *keys = json_array();

    for (size_t i = 0; i < s->n_entries; i++) {
        (void)json_array_append_new(keys, json_pack("{s:O, s:I}", "jwk", s->entries[i].jwk, "until",
                                                    (json_int_t)s->entries[i].until_ms));
    }
    return json_pack("{s:s, s:s, s:I, s:o}", "issuer", s->name.issuer, "url", s->name.url,
                     "fetched", (json_int_t)atomic_load(&s->fetched_ms), "keys", keys);
}

static char *
all_text(void)
{
    json_t *list = json_array();

    for (struct gw_jwt_source *s = gw_jwt_sources(); s != NULL; s = s->next) {
        if (atomic_load(&s->used) && s->n_entries > 0) {
            (void)json_array_append_new(list, source_json(s));
        }
    }
    json_t *root = json_pack("{s:o}", "sources", list);
    char *text = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    return text;
}

static bool
write_all(int fd, struct gw_str text)
{
    while (text.n > 0) {
        ssize_t n = write(fd, text.p, text.n);

        if (n < 0 && errno != EINTR) {
            return false;
        }
        text = gw_str_skip(text, n > 0 ? (size_t)n : 0);
    }
    return true;
}

static bool
write_new(const char *path, struct gw_str body)
{
    char head[HEAD + 1];
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0) {
        return false;
    }
    format_head(head, body);
    bool good = write_all(fd, gw_str_of(head)) && write_all(fd, body) && fsync(fd) == 0;
    int why = errno;
    good = close(fd) == 0 && good;
    errno = why;
    return good;
}

bool
gw_jwt_known_write(const char *path)
{
    struct gw_buf next = {0};
    char *text = all_text();

    gw_buf_printf(&next, "%s.new", path);
    bool good = text != NULL && write_new(next.p, gw_str_of(text)) && rename(next.p, path) == 0;
    int why = errno;
    free(text);
    gw_buf_fini(&next);
    errno = why;
    return good;
}

void
gw_jwt_known_set_aside(const char *path)
{
    struct gw_buf name = {0};

    gw_buf_printf(&name, "%s.bad", path);
    if (rename(path, name.p) == 0) {
        gw_log_warn("%s could not be believed: it is called %s now", path, name.p);
    }
    gw_buf_fini(&name);
}
