/* Layouts of real kernels: those that setup keeps in build/cache, or $CLOISTER_KERNELS lists. */
#include <asm/bootparam.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/cu.h"
#include "../lib/domain_host.h"
#include "../lib/domain_lay.h"
#include "../lib/fake_vm.h"

static uint8_t *read_file(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data;
    long size;

    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    fseek(f, 0, SEEK_END);
    size = ftell(f);
    rewind(f);
    CU_ASSERT_TRUE_FATAL(size > 0);
    data = malloc((size_t)size);
    *len = fread(data, 1, (size_t)size, f);
    CU_ASSERT_EQUAL_FATAL(*len, (size_t)size);
    fclose(f);
    return data;
}

static void each_kernel(void (*check)(const uint8_t *kernel, size_t len))
{
    const char *pattern = getenv("CLOISTER_KERNELS");
    glob_t g;

    if (pattern == NULL) {
        pattern = "build/cache/kernel-*/vmlinuz";
    }
    if (glob(pattern, 0, NULL, &g) != 0) {
        cu_skip(1, "no kernel matches build/cache/kernel-*/vmlinuz (tools/setup fetches them)");
        return;
    }
    for (size_t i = 0; i < g.gl_pathc; i++) {
        size_t len;
        uint8_t *kernel = read_file(g.gl_pathv[i], &len);

        if (len > 0x206 && memcmp(kernel + 0x202, "HdrS", 4) == 0) { /* not an Arm kernel */
            check(kernel, len);
        }
        free(kernel);
    }
    globfree(&g);
}

static void check_places(const uint8_t *kernel, size_t len)
{
    static const uint64_t sizes[] = {MiB(128), MiB(256), GiB(1), GiB(3), GiB(3) + MiB(2), GiB(16)};
    const struct setup_header *h = (const struct setup_header *)(kernel + 0x1f1);
    uint8_t *ramdisk = calloc(1, MiB(20));

    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        struct laid t;
        const struct piece *k;

        lay_config(&t, sizes[i], kernel, len);
        t.cfg.ramdisk = (struct blob){ramdisk, MiB(20)};
        t.cfg.cmdline = "console=hvc0 quiet";
        CU_ASSERT_TRUE_FATAL(lay(&t));
        k = lay_piece(&t, PIECE_KERNEL, 0);
        CU_ASSERT_EQUAL(k->at, h->pref_address);
        CU_ASSERT_EQUAL(k->span, h->init_size);
        CU_ASSERT_EQUAL(k->len, h->syssize * 16ull);
        CU_ASSERT_TRUE(lay_piece(&t, PIECE_RAMDISK, 0)->at >= k->at + k->span);
        lay_free(&t);
    }
    free(ramdisk);
}

static void distribution_kernels_lay_out_in_every_size_of_memory(void)
{
    each_kernel(check_places);
}

/* What the compressed kernel unpacks lies in what is loaded (boot.rst, payload_offset). */
static void check_payload(const uint8_t *kernel, size_t len)
{
    const struct setup_header *h = (const struct setup_header *)(kernel + 0x1f1);
    struct laid t;
    const struct piece *k;

    lay_config(&t, GiB(1), kernel, len);
    CU_ASSERT_TRUE_FATAL(lay(&t));
    k = lay_piece(&t, PIECE_KERNEL, 0);
    CU_ASSERT_TRUE((uint64_t)h->payload_offset + h->payload_length <= k->len);
    CU_ASSERT_TRUE(k->data + k->len <= kernel + len);
    lay_free(&t);
}

static void all_of_the_compressed_payload_is_loaded(void)
{
    each_kernel(check_payload);
}

static void check_too_small(const uint8_t *kernel, size_t len)
{
    struct laid t;

    lay_config(&t, MiB(32), kernel, len);
    CU_ASSERT_FALSE(lay(&t));
    CU_ASSERT_EQUAL(t.st, ABI_NO_MEMORY);
    CU_ASSERT_PTR_NOT_NULL(strstr(t.err, "at 1000000 does not fit in 32 MiB of memory"));
    lay_free(&t);
}

static void distribution_kernels_say_when_memory_is_too_small(void)
{
    each_kernel(check_too_small);
}

static const struct cu_test tests[] = {
    CU(distribution_kernels_lay_out_in_every_size_of_memory),
    CU(all_of_the_compressed_payload_is_loaded),
    CU(distribution_kernels_say_when_memory_is_too_small),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("domain_kernels", tests, argc, argv);
}
