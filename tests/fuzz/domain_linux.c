/* Any bytes behind the magic numbers of a bzImage (boot.rst: boot_flag to HdrS). */
#include <asm/bootparam.h>
#include <string.h>

#include "../lib/domain_fuzz.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static uint8_t good[1 + 1024 + 1024] = {1}; /* 64 MiB */
    struct setup_header h = {
        .setup_sects = 1,
        .syssize = 1024 / 16,
        .loadflags = LOADED_HIGH,
        .initrd_addr_max = 0x7fffffff,
        .kernel_alignment = 0x200000,
        .relocatable_kernel = 1,
        .xloadflags = XLF_KERNEL_64,
        .cmdline_size = 2047,
        .pref_address = 0x1000000,
        .init_size = 0x400000,
    };

    (void)argc;
    (void)argv;
    memcpy(good + 1 + 0x1f1, &h, sizeof(h));
    fuzz_good = good;
    fuzz_good_len = sizeof(good);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_kernel(data, size, 0x1fe, "\x55\xaa\xeb\x6aHdrS\x0f\x02", 10);
    return 0;
}
