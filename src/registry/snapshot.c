#include "registry/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/mem.h"
#include "registry/splice.h"

#define MAGIC      "ksgate-snapshot 1"
#define HEAD_BYTES 64                /* of the first line, padded with spaces */
#define CHUNK      65536             /* written and read at once */
#define MOST_BYTES ((size_t)4 << 30) /* of a snapshot that is read */

/* A file that is being written: 100 000 objects need not be in memory as text, too. */
struct out {
    int fd;
    XXH3_state_t *hash; /* of all that went behind the first line */
    size_t bytes;
    struct gw_buf buf;
    bool ok;
};

/* The first line: "ksgate-snapshot 1 BYTES XXH3     \n", always as long. */
static void
format_head(char head[HEAD_BYTES + 1], size_t bytes, XXH64_hash_t hash)
{
    int n = snprintf(head, HEAD_BYTES + 1, MAGIC " %zu %016" PRIx64, bytes, (uint64_t)hash);

    memset(head + n, ' ', HEAD_BYTES - (size_t)n);
    head[HEAD_BYTES - 1] = '\n';
}

static bool
write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, p, n);

        if (done < 0 && errno != EINTR) {
            return false;
        }
        if (done > 0) {
            p += done;
            n -= (size_t)done;
        }
    }
    return true;
}

static void
flush(struct out *out)
{
    if (out->ok && out->buf.n > 0) {
        (void)XXH3_64bits_update(out->hash, out->buf.p, out->buf.n);
        out->bytes += out->buf.n;
        out->ok = write_all(out->fd, out->buf.p, out->buf.n);
    }
    gw_buf_reset(&out->buf);
}

static void
end_line(struct out *out)
{
    gw_buf_puts(&out->buf, "\n");
    if (out->buf.n >= CHUNK) {
        flush(out);
    }
}

static void
write_body(struct out *out, const struct gw_snapshot *s)
{
    json_t *about =
        json_pack("{s:s, s:I, s:I, s:I, s:I, s:o*}", "epoch", s->epoch == NULL ? "" : s->epoch,
                  "revision", (json_int_t)s->revision, "saved_ms", (json_int_t)s->saved_ms,
                  "objects", (json_int_t)s->objects.n, "orphans", (json_int_t)s->orphans, "former",
                  s->former == NULL ? NULL : json_string(s->former));

    char *line = json_dumps(about, JSON_COMPACT);

    gw_buf_puts(&out->buf, line == NULL ? "null" : line);
    free(line);
    json_decref(about);
    end_line(out);
    for (size_t i = 0; i < s->objects.n && out->ok; i++) {
        gw_object_write(s->objects.items[i], &out->buf);
        end_line(out);
    }
    flush(out);
}

static bool
write_file(const char *path, const struct gw_snapshot *s)
{
    char head[HEAD_BYTES + 1];
    struct out out = {.ok = true};

    out.fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (out.fd < 0) {
        return false;
    }
    out.hash = XXH3_createState();
    (void)XXH3_64bits_reset(out.hash);
    format_head(head, 0, 0);
    out.ok = write_all(out.fd, head, HEAD_BYTES);
    write_body(&out, s);
    format_head(head, out.bytes, XXH3_64bits_digest(out.hash));
    bool ok = out.ok && pwrite(out.fd, head, HEAD_BYTES, 0) == HEAD_BYTES && fsync(out.fd) == 0;
    int why = errno;
    ok = close(out.fd) == 0 && ok;
    (void)XXH3_freeState(out.hash);
    gw_buf_fini(&out.buf);
    errno = why;
    return ok;
}

/* The rename itself survives a power cut only when the folder was synced, too. */
static void
sync_folder(const char *path)
{
    struct gw_str s = gw_str_of(path);

    while (s.n > 1 && s.p[s.n - 1] != '/') {
        s.n--;
    }
    char *folder = s.n > 1 || path[0] == '/' ? gw_mem_strndup(s) : gw_mem_strdup(".");
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        (void)close(fd);
    }
    free(folder);
}

bool
gw_snapshot_folder(const char *path)
{
    char *folder = gw_mem_strdup(path);
    bool ok = true;

    for (char *slash = strchr(folder + 1, '/'); ok && slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        ok = mkdir(folder, 0750) == 0 || errno == EEXIST || access(folder, X_OK) == 0;
        *slash = '/';
    }
    int why = errno;
    free(folder);
    errno = why;
    return ok;
}

bool
gw_snapshot_save(const struct gw_snapshot *s, const char *path)
{
    struct gw_buf beside = {0};

    gw_buf_printf(&beside, "%s.new", path);
    bool ok = gw_snapshot_folder(path) && write_file(beside.p, s) && rename(beside.p, path) == 0;
    int why = errno;
    if (ok) {
        sync_folder(path);
    } else {
        (void)unlink(beside.p);
    }
    gw_buf_fini(&beside);
    errno = why;
    return ok;
}

void
gw_snapshot_fini(struct gw_snapshot *s)
{
    free(s->epoch);
    free(s->former);
    gw_objects_fini(&s->objects);
    *s = (struct gw_snapshot){0};
}

/* The whole file; p NULL and errno when it can't be read, or is none (EISDIR, ENXIO). */
static struct gw_buf
read_file(const char *path)
{
    struct gw_buf text = {0};
    struct stat st;
    char chunk[CHUNK];
    ssize_t n;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe would have us wait */

    if (fd < 0) {
        return text;
    }
    int wrong = fstat(fd, &st) != 0                 ? errno
                : S_ISDIR(st.st_mode)               ? EISDIR
                : !S_ISREG(st.st_mode)              ? ENXIO
                : (uint64_t)st.st_size > MOST_BYTES ? EFBIG
                                                    : 0;
    if (wrong != 0) {
        (void)close(fd);
        errno = wrong;
        return text;
    }
    gw_buf_puts(&text, "");
    do {
        n = read(fd, chunk, sizeof(chunk));
        if (n > 0) {
            gw_buf_add(&text, chunk, (size_t)n);
        }
    } while (n > 0 || (n < 0 && errno == EINTR));
    int why = errno;
    (void)close(fd);
    if (n < 0) {
        gw_buf_fini(&text);
        text = (struct gw_buf){0};
        errno = why;
    }
    return text;
}

static const char *
read_about(struct gw_snapshot *s, struct gw_str line)
{
    json_t *about = json_loadb(line.p, line.n, 0, NULL);
    json_int_t revision = 0;
    json_int_t saved = 0;
    json_int_t orphans = 0;
    const char *epoch = NULL;
    const char *former = NULL;
    int bad = json_unpack(about, "{s:s, s:I, s:I, s?I, s?s}", "epoch", &epoch, "revision",
                          &revision, "saved_ms", &saved, "orphans", &orphans, "former", &former);

    if (bad == 0) {
        s->epoch = gw_mem_strdup(epoch);
        s->former = former == NULL ? NULL : gw_mem_strdup(former);
        s->revision = (uint64_t)revision;
        s->saved_ms = (uint64_t)saved;
        s->orphans = (size_t)orphans;
    }
    json_decref(about);
    return bad == 0 ? NULL : "its second line is not what it should be";
}

/* What is wrong with the text, or NULL and s is filled. */
static const char *
read_body(struct gw_snapshot *s, struct gw_str text)
{
    char head[HEAD_BYTES + 1];

    if (text.n < HEAD_BYTES || !gw_str_has_prefix(text, GW_STR(MAGIC " "))) {
        return "it is not a snapshot of this version";
    }
    struct gw_str body = gw_str_skip(text, HEAD_BYTES);
    format_head(head, body.n, XXH3_64bits(body.p, body.n));
    if (memcmp(head, text.p, HEAD_BYTES) != 0) {
        return "its checksum is wrong: it was cut or changed";
    }
    const char *wrong = read_about(s, gw_str_cut(&body, '\n'));
    size_t orphans = s->orphans;
    for (size_t line = 0; wrong == NULL && body.n > 0; line++) {
        struct gw_diag diag = {0};
        struct gw_object *o = gw_splice_read(gw_str_cut(&body, '\n'), NULL, &diag);

        /* a kind that only a newer version knows: the rest is good all the same */
        if (o != NULL) {
            gw_objects_add(&s->objects, o);
        } else if (line < orphans) {
            s->orphans--;
        }
        gw_diag_fini(&diag);
    }
    if (wrong == NULL && s->orphans > s->objects.n) {
        wrong = "it has fewer objects than it says were lost";
    }
    return wrong;
}

static void
set_aside(const char *path, const char *wrong, struct gw_diag *diag)
{
    struct gw_place at = {.file = path};
    struct gw_buf aside = {0};

    gw_buf_printf(&aside, "%s.refused", path);
    if (rename(path, aside.p) == 0) {
        gw_diag_error(diag, at, "the last state is not used: %s; the file is %s now", wrong,
                      aside.p);
    } else {
        gw_diag_error(diag, at, "the last state is not used: %s; it can't be renamed to %s: %s",
                      wrong, aside.p, strerror(errno));
    }
    gw_buf_fini(&aside);
}

enum gw_snapshot_result
gw_snapshot_load(struct gw_snapshot *s, const char *path, struct gw_diag *diag)
{
    struct gw_place at = {.file = path};
    struct gw_buf text = read_file(path);

    if (text.p == NULL) {
        if (errno == ENOENT) {
            return GW_SNAPSHOT_NONE;
        }
        gw_diag_error(diag, at, "the last state can't be read: %s",
                      errno == ENXIO ? "it is no regular file" : strerror(errno));
        return GW_SNAPSHOT_BROKEN;
    }
    const char *wrong = read_body(s, gw_buf_text(&text));
    gw_buf_fini(&text);
    if (wrong != NULL) {
        set_aside(path, wrong, diag);
        gw_snapshot_fini(s);
        return GW_SNAPSHOT_BROKEN;
    }
    return GW_SNAPSHOT_LOADED;
}
