/* The kernel inside a bzImage: found, unpacked, or refused for what is wrong. */
#include <lz4.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "cu.h"
#include "vmlinux.h"

#define CODE    1024u /* setup_sects 1: the protected-mode part begins in the third sector */
#define PAYLOAD 0x40u
#define SIZE    8192u

static unsigned char image[SIZE], kernel[4000];

static void le(unsigned int at, unsigned int bytes, uint32_t v)
{
    for (unsigned int i = 0; i < bytes; i++) {
        image[at + i] = (unsigned char)(v >> (8 * i));
    }
}

/* A bzImage of a kernel that is an ELF file by its first bytes. */
static void make(void)
{
    size_t len;

    memset(image, 0, sizeof(image));
    for (unsigned int i = 0; i < sizeof(kernel); i++) {
        kernel[i] = (unsigned char)(i * 7);
    }
    memcpy(kernel, "\177ELF", 4);
    len = ZSTD_compress(image + CODE + PAYLOAD, SIZE - CODE - PAYLOAD, kernel, sizeof(kernel), 3);
    CU_ASSERT_FATAL(!ZSTD_isError(len));
    image[0x1f1] = 1;
    le(0x1fe, 2, 0xaa55);
    memcpy(image + 0x202, "HdrS", 4);
    le(0x206, 2, 0x020f);
    le(0x248, 4, PAYLOAD);
    le(0x24c, 4, (uint32_t)len + 4);
    le(CODE + PAYLOAD + (unsigned int)len, 4, sizeof(kernel));
}

/* The same by LZ4, in two blocks of a legacy frame. */
static void make_lz4(void)
{
    unsigned int at = CODE + PAYLOAD + 4;

    make();
    memset(image + CODE, 0, sizeof(image) - CODE);
    le(CODE + PAYLOAD, 4, 0x184c2102);
    for (unsigned int half = 0; half < 2; half++) {
        int n = LZ4_compress_default((char *)kernel + half * 2000, (char *)image + at + 4, 2000,
                                     (int)(SIZE - at - 4));

        CU_ASSERT_FATAL(n > 0);
        le(at, 4, (uint32_t)n);
        at += 4 + (unsigned int)n;
    }
    le(at, 4, sizeof(kernel));
    le(0x24c, 4, at + 4 - CODE - PAYLOAD);
}

static bool refused(const char *why)
{
    struct bundle_blob in = {image, sizeof(image)}, out;
    struct bundle_error error;

    if (vmlinux_from(&in, &out, &error)) {
        free(out.data);
        return false;
    }
    return strstr(error.text, why) != NULL;
}

static void a_kernel_is_unpacked_as_it_was(void)
{
    struct bundle_blob in = {image, sizeof(image)}, out = {NULL, 0};
    struct bundle_error error;

    make();
    CU_ASSERT_FATAL(vmlinux_from(&in, &out, &error));
    CU_ASSERT_EQUAL(out.size, sizeof(kernel));
    CU_ASSERT_EQUAL(memcmp(out.data, kernel, sizeof(kernel)), 0);
    free(out.data);
}

static void an_lz4_kernel_is_unpacked_block_by_block(void)
{
    struct bundle_blob in = {image, sizeof(image)}, out = {NULL, 0};
    struct bundle_error error;

    make_lz4();
    CU_ASSERT_FATAL(vmlinux_from(&in, &out, &error));
    CU_ASSERT_EQUAL(memcmp(out.data, kernel, sizeof(kernel)), 0);
    free(out.data);
    le(CODE + PAYLOAD + 4, 4, SIZE);
    CU_ASSERT_TRUE(refused("damaged"));
    le(CODE + PAYLOAD + 4, 4, 0xffffffff);
    CU_ASSERT_TRUE(refused("damaged"));
    make_lz4();
    le(0x24c, 4, 14);
    le(CODE + PAYLOAD + 10, 4, sizeof(kernel));
    CU_ASSERT_TRUE(refused("damaged"));
}

static void a_payload_outside_the_file_is_refused(void)
{
    make();
    le(0x248, 4, SIZE);
    CU_ASSERT_TRUE(refused("no bzImage"));
    le(0x248, 4, 0xffffffff);
    CU_ASSERT_TRUE(refused("no bzImage"));
    le(0x248, 4, PAYLOAD);
    le(0x24c, 4, 0xffffffff);
    CU_ASSERT_TRUE(refused("no bzImage"));
    le(0x24c, 4, 7);
    CU_ASSERT_TRUE(refused("no bzImage"));
}

static void a_damaged_kernel_is_refused(void)
{
    make();
    image[CODE + PAYLOAD + 30] ^= 0xff;
    image[CODE + PAYLOAD + 6] ^= 0xff;
    CU_ASSERT_TRUE(refused("damaged"));
    make();
    image[CODE + PAYLOAD] ^= 1;
    CU_ASSERT_TRUE(refused("neither by zstd nor by lz4"));
}

static void a_wrong_size_is_refused(void)
{
    unsigned int end;

    make();
    end = CODE + PAYLOAD + (image[0x24c] | (unsigned int)image[0x24d] << 8) - 4;
    le(end, 4, sizeof(kernel) - 1);
    CU_ASSERT_TRUE(refused("damaged"));
    le(end, 4, sizeof(kernel) + 1);
    CU_ASSERT_TRUE(refused("damaged"));
    le(end, 4, 0xffffffff);
    CU_ASSERT_TRUE(refused("no bzImage"));
}

static void other_files_are_no_bzimage(void)
{
    struct bundle_blob small = {image, 0x24f};
    struct bundle_blob whole = {image, sizeof(image)};

    make();
    CU_ASSERT_TRUE(vmlinux_is_bzimage(&whole));
    CU_ASSERT_FALSE(vmlinux_is_bzimage(&small));
    image[0x202] = 'h';
    CU_ASSERT_FALSE(vmlinux_is_bzimage(&whole));
    CU_ASSERT_TRUE(refused("no bzImage"));
}

static const struct cu_test tests[] = {
    CU(a_kernel_is_unpacked_as_it_was),
    CU(an_lz4_kernel_is_unpacked_block_by_block),
    CU(a_payload_outside_the_file_is_refused),
    CU(a_damaged_kernel_is_refused),
    CU(a_wrong_size_is_refused),
    CU(other_files_are_no_bzimage),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("tools_vmlinux", tests, argc, argv);
}
