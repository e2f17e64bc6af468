/*
 * An encrypted disk, opened with the secret: a dm-crypt mapping without a header, made by the
 * device mapper's ioctls (linux/dm-ioctl.h), and read through.
 */
#include "agent.h"
#include "attest.h"

#include <attest/hash.h>
#include <attest/hex.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <linux/fs.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define KEY_BYTES    64u          /* AES-256-XTS: two keys */
#define VOLUME_BYTES (64u << 20)  /* what is read at most */
#define MAPPING      "cloister"
#define CONTROL      "/dev/mapper/control"

struct request {
    struct dm_ioctl head;
    struct dm_target_spec target;
    char parameters[512];
};

static int dm_call(int fd, unsigned long number, struct request *q)
{
    q->head.version[0] = DM_VERSION_MAJOR;
    q->head.data_size = sizeof(*q);
    q->head.data_start = sizeof(q->head);
    snprintf(q->head.name, sizeof(q->head.name), MAPPING);
    return ioctl(fd, number, q);
}

/* "aes-xts-plain64 KEY 0 DISK 0": sectors of 512 bytes, numbered from 0 */
static void describe(struct request *q, const char *disk, uint64_t bytes, const struct secret *key)
{
    char hex[2 * KEY_BYTES + 1];

    q->head.target_count = 1;
    q->head.flags = DM_READONLY_FLAG | DM_SECURE_DATA_FLAG;
    q->target.length = bytes / 512;
    snprintf(q->target.target_type, sizeof(q->target.target_type), "crypt");
    snprintf(q->parameters, sizeof(q->parameters), "aes-xts-plain64 %s 0 /dev/%s 0",
             hex_encode(key->p, KEY_BYTES, hex), disk);
    OPENSSL_cleanse(hex, sizeof(hex));
}

/* The mapping's device number, 0 when the kernel refuses. */
static uint64_t map(int fd, const char *disk, uint64_t bytes, const struct secret *key)
{
    struct request q = {.head = {.flags = 0}};
    bool ok = dm_call(fd, DM_DEV_CREATE, &q) == 0;

    memset(&q, 0, sizeof(q));
    describe(&q, disk, bytes, key);
    ok = ok && dm_call(fd, DM_TABLE_LOAD, &q) == 0;
    OPENSSL_cleanse(&q, sizeof(q));
    ok = ok && dm_call(fd, DM_DEV_SUSPEND, &q) == 0; /* without DM_SUSPEND_FLAG: resume */
    return ok ? q.head.dev : 0;
}

static bool disk_bytes(const char *disk, uint64_t *bytes)
{
    char path[64];
    int fd;
    bool ok;

    snprintf(path, sizeof(path), "/dev/%.32s", disk);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    ok = fd >= 0 && ioctl(fd, BLKGETSIZE64, bytes) == 0 && *bytes >= 512 &&
         *bytes <= VOLUME_BYTES;
    if (fd >= 0) {
        close(fd);
    }
    return ok;
}

static bool read_whole(uint64_t device, uint8_t *out, size_t bytes)
{
    char path[64];
    size_t have = 0;
    ssize_t n = 1;
    int fd;

    snprintf(path, sizeof(path), "/dev/dm-%u", minor(device));
    fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && have < bytes && (n = read(fd, out + have, bytes - have)) > 0) {
        have += (size_t)n;
    }
    if (fd >= 0) {
        close(fd);
    }
    return have == bytes;
}

static void tell(const char *disk, const uint8_t *content, size_t bytes)
{
    uint8_t digest[32];
    char hex[2 * sizeof(digest) + 1];

    if (!attest_hash1(ATTEST_SHA256, content, bytes, digest)) {
        say_failed("the volume cannot be hashed");
        return;
    }
    hex_encode(digest, sizeof(digest), hex);
    say("volume %s opened: %zu bytes, sha256 %s", disk, bytes, hex);
    say_event("volume", "\"disk\":\"%s\",\"bytes\":%zu,\"sha256\":\"%s\"", disk, bytes, hex);
}

void volume_open(const char *disk, const struct secret *key)
{
    int control = open(CONTROL, O_RDWR | O_CLOEXEC);
    uint64_t device = 0;
    uint64_t bytes = 0;
    uint8_t *content;

    if (key->len != KEY_BYTES) {
        say_failed("a volume's key has %u bytes, the secret has %zu", KEY_BYTES, key->len);
    } else if (!disk_bytes(disk, &bytes)) {
        say_failed("the volume's disk %.32s is not there, or not from 512 bytes to 64 MiB", disk);
    } else if (control < 0 || (device = map(control, disk, bytes, key)) == 0) {
        say_failed("the volume cannot be mapped: %s", strerror(errno));
    } else {
        content = malloc(bytes);
        if (content == NULL || !read_whole(device, content, bytes)) {
            say_failed("the volume cannot be read: %s", strerror(errno));
        } else {
            tell(disk, content, bytes);
        }
        free(content);
    }
    if (control >= 0) {
        close(control);
    }
}
