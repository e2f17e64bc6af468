#include "pv64.h"

#include "bundle_schema.h"
#include "cli.h"
#include "cloister/pv64.h"
#include "vmlinux.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 4096u

static bool load_kernel(const char *path, struct bundle_blob *elf, struct bundle_error *error)
{
    struct bundle_blob image;
    struct bundle_error why;
    bool good;

    if (!bundle_load(path, &image, error)) {
        return false;
    }
    if (!vmlinux_is_bzimage(&image)) {
        *elf = image;
        return true;
    }
    good = vmlinux_from(&image, elf, &why);
    free(image.data);
    return good || bundle_fail(error, "%.200s: %.100s", path, why.text);
}

static struct bundle_blob pack(const struct bundle_blob *kernel, const struct bundle_blob *ramdisk)
{
    struct pv64_archive a = {.kernel_len = kernel->size, .ramdisk_len = ramdisk->size};
    size_t at = sizeof(a) + (kernel->size + PAGE - 1) / PAGE * PAGE;
    struct bundle_blob all = {.size = at + ramdisk->size};

    unsigned char *to = cli_alloc(all.size); /* zeroed */

    memcpy(a.magic, PV64_MAGIC, sizeof(a.magic));
    memcpy(to, &a, sizeof(a));
    memcpy(to + sizeof(a), kernel->data, kernel->size);
    if (ramdisk->size != 0) {
        memcpy(to + at, ramdisk->data, ramdisk->size);
    }
    all.data = to;
    return all;
}

bool pv64_pack(const char *kernel, const char *ramdisk, char **archive, struct bundle_error *error)
{
    struct bundle_blob elf, disk = {0}, all;

    if (!load_kernel(kernel, &elf, error)) {
        return false;
    }
    if (ramdisk != NULL && !bundle_load(ramdisk, &disk, error)) {
        free(elf.data);
        return false;
    }
    all = pack(&elf, &disk);
    *archive = bundle_save_temporary(&all, false, error);
    free(all.data);
    free(disk.data);
    free(elf.data);
    return *archive != NULL;
}
