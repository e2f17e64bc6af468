/* What the box of PV64 guests gets as its ramdisk: kernel and ramdisk, where it looks for them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cloister/pv64.h"
#include "cu.h"
#include "pv64.h"

static char kernel_path[80], disk_path[80];

static void write_file(const char *path, const char *text, size_t size)
{
    struct bundle_blob blob = {(void *)(uintptr_t)text, size};
    struct bundle_error error;

    CU_ASSERT_FATAL(bundle_save(path, &blob, &error));
}

static struct bundle_blob packed(const char *ramdisk)
{
    struct bundle_blob blob = {NULL, 0};
    struct bundle_error error;
    char *path = NULL;

    CU_ASSERT_FATAL(pv64_pack(kernel_path, ramdisk, &path, &error));
    CU_ASSERT_FATAL(bundle_load(path, &blob, &error));
    return blob;
}

static void the_kernel_begins_on_the_second_page_and_the_ramdisk_on_the_next_whole_one(void)
{
    static const char kernel[5000] = "\177ELF", disk[] = "ramdisk";
    struct pv64_archive a;
    struct bundle_blob blob;

    write_file(kernel_path, kernel, sizeof(kernel));
    write_file(disk_path, disk, sizeof(disk));
    blob = packed(disk_path);
    CU_ASSERT_EQUAL_FATAL(blob.size, 3 * 4096 + sizeof(disk));
    memcpy(&a, blob.data, sizeof(a));
    CU_ASSERT_EQUAL(memcmp(a.magic, PV64_MAGIC, sizeof(a.magic)), 0);
    CU_ASSERT_EQUAL(a.kernel_len, sizeof(kernel));
    CU_ASSERT_EQUAL(a.ramdisk_len, sizeof(disk));
    CU_ASSERT_EQUAL(memcmp((char *)blob.data + 4096, kernel, sizeof(kernel)), 0);
    CU_ASSERT_EQUAL(memcmp((char *)blob.data + 3 * 4096, disk, sizeof(disk)), 0);
    free(blob.data);
}

static void there_may_be_no_ramdisk(void)
{
    struct bundle_blob blob;
    struct pv64_archive a;

    write_file(kernel_path, "\177ELF", 4);
    blob = packed(NULL);
    memcpy(&a, blob.data, sizeof(a));
    CU_ASSERT_EQUAL(a.ramdisk_len, 0);
    free(blob.data);
}

static void a_kernel_that_cannot_be_read_is_named(void)
{
    struct bundle_error error;
    char *path = NULL;

    CU_ASSERT_FALSE(pv64_pack("/nonexistent", NULL, &path, &error));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "/nonexistent"));
    CU_ASSERT_PTR_NULL(path);
}

static const struct cu_test tests[] = {
    CU(the_kernel_begins_on_the_second_page_and_the_ramdisk_on_the_next_whole_one),
    CU(there_may_be_no_ramdisk),
    CU(a_kernel_that_cannot_be_read_is_named),
    CU_END,
};

int main(int argc, char **argv)
{
    snprintf(kernel_path, sizeof(kernel_path), "%s/kernel", cu_scratch());
    snprintf(disk_path, sizeof(disk_path), "%s/disk", cu_scratch());
    return cu_main("tools_pv64", tests, argc, argv);
}
