/* The broker's key file. */
#include "store.h"

#include <attest/hex.h>

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIGITS (2 * STORE_KEY_SIZE)

static enum attest_status bad(struct attest_error *err, const char *path, const char *expected,
                              const char *found)
{
    return attest_fail(err, ATTEST_UNUSABLE, "key file", path, expected, "%s", found);
}

/* Group may read: so a service manager hands a credential to an unprivileged user. */
static enum attest_status check_mode(int fd, const char *path, struct attest_error *err)
{
    struct stat st;

    if (fstat(fd, &st) != 0) {
        return bad(err, path, "a readable file", strerror(errno));
    }
    if (!S_ISREG(st.st_mode)) {
        return bad(err, path, "a regular file", "something else");
    }
    if ((st.st_mode & 037) != 0) {
        return attest_fail(err, ATTEST_UNUSABLE, "key file", path,
                           "mode 0600, or 0640: closed to others (and a key that was open may be "
                           "known)", "%04o", (unsigned int)st.st_mode & 07777);
    }
    return ATTEST_OK;
}

enum attest_status store_key_load(const char *path, uint8_t key[STORE_KEY_SIZE],
                                  struct attest_error *err)
{
    char text[DIGITS + 3] = "";
    enum attest_status st;
    ssize_t n;
    int fd;
    bool ok;

    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return bad(err, path, "a file that this user may read; `attestd init` makes one",
                   strerror(errno));
    }
    st = check_mode(fd, path, err);
    if (st != ATTEST_OK) {
        close(fd);
        return st;
    }
    n = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (n == DIGITS + 1 && text[DIGITS] == '\n') {
        text[DIGITS] = '\0';
    }
    ok = n >= DIGITS && hex_decode_exact(text, key, STORE_KEY_SIZE);
    OPENSSL_cleanse(text, sizeof(text));
    return ok ? ATTEST_OK
              : bad(err, path, "64 hex digits, as `attestd init` writes", "something else");
}

/* What could not be written whole is no key: it goes again. */
static enum attest_status write_new(const char *path, const char *text, size_t len,
                                    struct attest_error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool ok;

    if (fd < 0) {
        return bad(err, path, "a new file in a folder that this user can write", strerror(errno));
    }
    errno = ENOSPC; /* what a write that stops short means */
    ok = write(fd, text, len) == (ssize_t)len && fsync(fd) == 0;
    ok = close(fd) == 0 && ok;
    if (!ok) {
        (void)bad(err, path, "a disk with room for it, that can be written: then try again",
                  strerror(errno));
        (void)unlink(path);
    }
    return ok ? ATTEST_OK : ATTEST_UNUSABLE;
}

enum attest_status store_key_create(const char *path, struct attest_error *err)
{
    uint8_t key[STORE_KEY_SIZE];
    char text[DIGITS + 2];
    enum attest_status st;

    if (RAND_bytes(key, sizeof(key)) != 1) {
        return bad(err, path, "32 random bytes for it", "OpenSSL gives none");
    }
    hex_encode(key, sizeof(key), text);
    text[DIGITS] = '\n';
    st = write_new(path, text, DIGITS + 1, err);
    OPENSSL_cleanse(key, sizeof(key));
    OPENSSL_cleanse(text, sizeof(text));
    return st;
}

void store_subkey(const uint8_t key[STORE_KEY_SIZE], const char *label, uint8_t out[32])
{
    unsigned int n = 0;

    if (HMAC(EVP_sha256(), key, STORE_KEY_SIZE, (const uint8_t *)label, strlen(label), out, &n) ==
            NULL ||
        n != 32) {
        abort(); /* SHA-256 cannot fail on 32 bytes; going on with no key would be worse */
    }
}
