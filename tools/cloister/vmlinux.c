/*
 * Linux, Documentation/arch/x86/boot.rst: the setup header says where in the protected-mode part
 * the compressed kernel lies. Its last four bytes are the size that it unpacks to.
 */
#include "vmlinux.h"

#include "bundle_schema.h"
#include "cli.h"

#include <lz4.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#define SETUP_SECTS    0x1f1
#define BOOT_FLAG      0x1fe
#define HEADER         0x202
#define VERSION        0x206
#define PAYLOAD_OFFSET 0x248
#define PAYLOAD_LENGTH 0x24c
#define HEADER_END     0x250
#define VERSION_MIN    0x0208u /* the first with a payload */
#define UNPACKED_MAX   (512u << 20)

static uint32_t le(const unsigned char *p, unsigned int bytes)
{
    uint32_t v = 0;

    while (bytes-- > 0) {
        v = v << 8 | p[bytes];
    }
    return v;
}

bool vmlinux_is_bzimage(const struct bundle_blob *image)
{
    const unsigned char *p = image->data;

    return image->size >= HEADER_END && le(p + BOOT_FLAG, 2) == 0xaa55 &&
           memcmp(p + HEADER, "HdrS", 4) == 0;
}

/* The compressed kernel, without the size behind it. */
static bool find_payload(const struct bundle_blob *image, const unsigned char **at, size_t *len,
                         uint32_t *unpacked)
{
    const unsigned char *p = image->data;
    size_t sects = p[SETUP_SECTS] != 0 ? p[SETUP_SECTS] : 4;
    size_t start = (sects + 1) * 512 + (size_t)le(p + PAYLOAD_OFFSET, 4);
    size_t length = le(p + PAYLOAD_LENGTH, 4);

    if (le(p + VERSION, 2) < VERSION_MIN || length < 8 || start > image->size ||
        length > image->size - start) {
        return false;
    }
    *at = p + start;
    *len = length - 4;
    *unpacked = le(p + start + length - 4, 4);
    return *unpacked >= 4 && *unpacked <= UNPACKED_MAX;
}

static bool unpack_zstd(const unsigned char *from, size_t len, unsigned char *to, size_t size)
{
    size_t frame = ZSTD_findFrameCompressedSize(from, len);

    return !ZSTD_isError(frame) && ZSTD_decompress(to, size, from, frame) == size;
}

/* LZ4's legacy frame (lz4_Frame_format.md): a size and a block, until the end; 8 MiB a block. */
static bool unpack_lz4(const unsigned char *from, size_t len, unsigned char *to, size_t size)
{
    size_t at = 4, out = 0;

    while (len - at >= 4) {
        size_t block = le(from + at, 4);
        size_t room = size - out < (8u << 20) ? size - out : 8u << 20;
        int n;

        at += 4;
        if (block > len - at || block > (size_t)LZ4_COMPRESSBOUND(8 << 20)) {
            return false;
        }
        n = LZ4_decompress_safe((const char *)from + at, (char *)to + out, (int)block, (int)room);
        if (n < 0) {
            return false;
        }
        at += block;
        out += (size_t)n;
    }
    return at == len && out == size;
}

static const struct {
    unsigned char magic[4];
    bool (*unpack)(const unsigned char *from, size_t len, unsigned char *to, size_t size);
} methods[] = {
    {{0x28, 0xb5, 0x2f, 0xfd}, unpack_zstd},
    {{0x02, 0x21, 0x4c, 0x18}, unpack_lz4},
};
#define METHODS (sizeof(methods) / sizeof(methods[0]))

bool vmlinux_from(const struct bundle_blob *image, struct bundle_blob *out,
                  struct bundle_error *error)
{
    const unsigned char *at = NULL;
    uint32_t size = 0;
    size_t len = 0, i = 0;

    if (!vmlinux_is_bzimage(image) || !find_payload(image, &at, &len, &size)) {
        return bundle_fail(error, "is no bzImage with a compressed kernel");
    }
    while (i < METHODS && memcmp(at, methods[i].magic, sizeof(methods[i].magic)) != 0) {
        i++;
    }
    if (i == METHODS) {
        return bundle_fail(error, "its kernel is compressed neither by zstd nor by lz4");
    }
    out->data = cli_alloc(size);
    out->size = size;
    if (!methods[i].unpack(at, len, out->data, size) || memcmp(out->data, "\177ELF", 4) != 0) {
        free(out->data);
        return bundle_fail(error, "its compressed kernel is damaged, or no ELF file");
    }
    return true;
}

bool vmlinux_unpack(const char *path, char **unpacked, struct bundle_error *error)
{
    struct bundle_blob image, kernel;
    struct bundle_error why;
    bool good = true;

    *unpacked = NULL;
    if (!bundle_load(path, &image, error)) {
        return false;
    }
    if (vmlinux_is_bzimage(&image)) {
        good = vmlinux_from(&image, &kernel, &why);
        if (!good) {
            bundle_fail(error, "%.200s: %.100s", path, why.text);
        } else {
            *unpacked = bundle_save_temporary(&kernel, false, error);
            good = *unpacked != NULL;
            free(kernel.data);
        }
    }
    free(image.data);
    return good;
}
