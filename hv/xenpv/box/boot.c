/*
 * What the loader left: boot_params (Linux, Documentation/arch/x86/zero-page.rst), the ACPI table
 * of CPUs. Read by the identity map that it made; the loader is trusted, its lengths are not.
 */
#include "boot.h"

#define BP_RSDP          0x070
#define BP_E820_ENTRIES  0x1e8
#define BP_RAMDISK       0x218
#define BP_RAMDISK_SIZE  0x21c
#define BP_CMDLINE       0x228
#define BP_SETUP_DATA    0x250
#define BP_E820          0x2d0
#define E820_SIZE        20u
#define E820_MAX         128u
#define E820_RAM         1u
#define SETUP_CC_BLOB    7u
#define LOW_END          0x100000u

struct boot boot;

static uint64_t load(uint64_t at, unsigned int bytes)
{
    uint64_t v = 0;

    memcpy(&v, (const void *)(uintptr_t)at, bytes);
    return v;
}

static void read_map(uint64_t bp)
{
    uint32_t n = (uint32_t)load(bp + BP_E820_ENTRIES, 1);

    for (uint32_t i = 0; i < MIN(n, E820_MAX) && boot.ranges < BOOT_RANGES; i++) {
        uint64_t e = bp + BP_E820 + (uint64_t)i * E820_SIZE;
        uint64_t start = ALIGN_UP(load(e, 8), PAGE_SIZE);
        uint64_t end = ALIGN_DOWN(load(e, 8) + load(e + 8, 8), PAGE_SIZE);

        if (load(e + 16, 4) == E820_RAM && start >= LOW_END && start < end) {
            boot.range[boot.ranges++] = (struct boot_range){start, end};
            pages_count = MAX(pages_count, end / PAGE_SIZE);
        }
    }
}

/* Linux, arch/x86/include/uapi/asm/setup_data.h: next, type, length, data. */
static void find_blob(uint64_t bp)
{
    uint64_t at = load(bp + BP_SETUP_DATA, 8);

    for (unsigned int i = 0; at != 0 && i < 16; i++) {
        if (load(at + 8, 4) == SETUP_CC_BLOB) {
            boot.cc_blob = load(at + 16, 4);
        }
        at = load(at, 8);
    }
}

void boot_read(uint64_t bp, uint64_t c_bit)
{
    extern const char box_end[];

    boot.c_bit = c_bit;
    box.c_mfn = c_bit >> PAGE_SHIFT;
    boot.ramdisk = load(bp + BP_RAMDISK, 4);
    boot.ramdisk_len = load(bp + BP_RAMDISK_SIZE, 4);
    boot.cmdline = (const char *)(uintptr_t)load(bp + BP_CMDLINE, 4);
    boot.rsdp = load(bp + BP_RSDP, 8);
    read_map(bp);
    find_blob(bp);
    boot.next = ALIGN_UP(own_pa(box_end), SIZE_2M);
    boot.limit = boot.ramdisk_len != 0 ? boot.ramdisk : boot.range[0].end;
}

void *boot_pages(uint64_t count)
{
    uint64_t at = boot.next;

    if (count > (boot.limit - at) / PAGE_SIZE) {
        panic("not enough memory: %lu pages more are needed", (unsigned long)count);
    }
    boot.next += count * PAGE_SIZE;
    return memset((void *)(uintptr_t)at, 0, count * PAGE_SIZE);
}

/* ACPI 6.5, 5.2.12: local APICs (type 0) and x2APICs (9) that are enabled. */
static uint32_t count_madt(uint64_t at)
{
    uint64_t end = at + load(at + 4, 4);
    uint32_t n = 0;

    for (at += 44; at + 2 <= end; at += load(at + 1, 1)) {
        uint64_t type = load(at, 1), len = load(at + 1, 1);

        if (len < 2) {
            break;
        }
        n += (type == 0 && (load(at + 4, 4) & 1) != 0) || (type == 9 && (load(at + 8, 4) & 1) != 0);
    }
    return n;
}

uint32_t boot_count_cpus(void)
{
    uint64_t xsdt = boot.rsdp != 0 ? load(boot.rsdp + 24, 8) : 0;
    uint32_t n = 0;

    for (uint64_t at = 36; xsdt != 0 && at + 8 <= load(xsdt + 4, 4); at += 8) {
        uint64_t table = load(xsdt + at, 8);

        if (load(table, 4) == 0x43495041) { /* "APIC" */
            n = count_madt(table);
        }
    }
    return MIN(MAX(n, 1u), VCPUS_MAX);
}
