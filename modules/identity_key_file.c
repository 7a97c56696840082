/* identity_key_file.c - a private key in a file: read, and made when there is none. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/mem.h"
#include "modules/identity_keys.h"

#define FILE_MAX 65536

bool
gw_identity_key_read(const char *path, struct gw_str *pem, const char **why)
{
    char *bytes = gw_mem_alloc(FILE_MAX + 1);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t n = 0;
    ssize_t got = fd < 0 ? -1 : 1;

    while (got > 0 && n < FILE_MAX) {
        got = read(fd, bytes + n, FILE_MAX - n);
        n += got > 0 ? (size_t)got : 0;
    }
    *why = got < 0 ? strerror(errno) : "is larger than 64 KiB";
    if (fd >= 0) {
        (void)close(fd);
    }
    *pem = (struct gw_str){bytes, n};
    if (got != 0) {
        gw_identity_key_forget(*pem);
        *pem = GW_STR_NONE;
    }
    return got == 0;
}

void
gw_identity_key_forget(struct gw_str pem)
{
    char *bytes = (char *)(uintptr_t)pem.p; /* ours: gw_identity_key_read() made it */

    OPENSSL_cleanse(bytes, pem.n);
    free(bytes);
}

/* Of a new key. */
static bool
write_key(FILE *f)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    bool good = key != NULL && PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1;

    EVP_PKEY_free(key);
    ERR_clear_error();
    if (!good && errno == 0) {
        errno = EIO;
    }
    return good && fflush(f) == 0 && fsync(fileno(f)) == 0;
}

/* A whole key file under another name.  False and errno. */
static bool
write_beside(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

    if (f == NULL) {
        int why = errno;

        if (fd >= 0) {
            (void)close(fd);
        }
        errno = why;
        return false;
    }
    errno = 0;
    bool good = write_key(f);
    int why = errno;
    good = fclose(f) == 0 && good;
    errno = why;
    return good;
}

/* The new name itself survives a power cut only when the folder was synced, too. */
static void
sync_folder(const char *path)
{
    char *copy = gw_mem_strdup(path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0) {
        (void)fsync(fd);
        (void)close(fd);
    }
    free(copy);
}

bool
gw_identity_key_make(const char *path)
{
    struct gw_buf beside = {0};

    if (access(path, F_OK) == 0) {
        return true;
    }
    gw_buf_printf(&beside, "%s.new.%d", path, (int)getpid());
    (void)unlink(beside.p); /* of a process with our number that was killed */
    bool good = write_beside(beside.p);
    /* Not a rename, which would put ours in the place of one that came meanwhile. */
    good = good && (link(beside.p, path) == 0 || errno == EEXIST);
    int why = errno;
    (void)unlink(beside.p);
    if (good) {
        sync_folder(path);
    }
    gw_buf_fini(&beside);
    errno = why;
    return good;
}
