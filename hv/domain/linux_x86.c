/*
 * Linux on x86-64 by the 64-bit boot protocol (Linux, Documentation/arch/x86/boot.rst): the file
 * is a setup part, whose header says how, and a protected-mode part, which is loaded and entered
 * in long mode at its offset 200h. Offsets below are the document's, of the file and of
 * boot_params alike.
 */
#include "hv/check.h"
#include "hv/string.h"
#include "plan_x86.h"
#include "text.h"

/* boot_params ("zero page", zero-page.rst) */
#define BP_ACPI_RSDP_ADDR 0x070
#define BP_E820_ENTRIES   0x1e8
#define BP_HDR            0x1f1
#define BP_E820_TABLE     0x2d0
#define E820_ENTRY_SIZE   20u

/* setup_header */
#define HDR_SETUP_SECTS      0x1f1
#define HDR_SYSSIZE          0x1f4
#define HDR_BOOT_FLAG        0x1fe
#define HDR_JUMP_LEN         0x201 /* the header ends at 202h plus this */
#define HDR_HEADER           0x202
#define HDR_VERSION          0x206
#define HDR_TYPE_OF_LOADER   0x210
#define HDR_LOADFLAGS        0x211
#define HDR_RAMDISK_IMAGE    0x218
#define HDR_RAMDISK_SIZE     0x21c
#define HDR_CMD_LINE_PTR     0x228
#define HDR_INITRD_ADDR_MAX  0x22c
#define HDR_KERNEL_ALIGNMENT 0x230
#define HDR_RELOCATABLE      0x234
#define HDR_XLOADFLAGS       0x236
#define HDR_CMDLINE_SIZE     0x238
#define HDR_PREF_ADDRESS     0x258
#define HDR_INIT_SIZE        0x260
#define HDR_END_MIN          0x264
#define HDR_END_MAX          0x290

#define BOOT_FLAG          0xaa55u
#define HEADER_MAGIC       0x53726448u /* "HdrS" */
#define VERSION_MIN        0x020cu     /* the first with xloadflags */
#define LOADED_HIGH        BIT(0)
#define XLF_KERNEL_64      BIT(0)
#define LOADER_UNDEFINED   0xffu
#define SECTOR             512u
#define SETUP_SECTS_LEGACY 4u
#define ENTRY64            0x200u

#define PTE_P  BIT(0)
#define PTE_RW BIT(1)
#define PTE_PS BIT(7)

/* Flat 4 GiB segments, accessed: 64-bit code, data. */
#define GDT_CODE64 0x00af9b000000ffffull
#define GDT_DATA   0x00cf93000000ffffull

struct bzimage {
    size_t header_end;
    const uint8_t *code;
    uint64_t code_len;
    uint64_t at;   /* where it is loaded and runs */
    uint64_t span; /* what it needs there before it can read the memory map */
    uint64_t initrd_max;
};

bool linux_x86_is(struct blob k)
{
    return k.len >= HDR_END_MIN && le_load(k.data + HDR_BOOT_FLAG, 2) == BOOT_FLAG &&
           le_load(k.data + HDR_HEADER, 4) == HEADER_MAGIC;
}

static enum abi_status check_protocol(const struct plan *p, struct bzimage *z)
{
    struct blob k = p->cfg->kernel;
    uint32_t version = (uint32_t)le_load(k.data + HDR_VERSION, 2);

    if (version < VERSION_MIN) {
        return plan_fail(p, ABI_BAD_FORMAT, "kernel: boot protocol %u.%02u, 2.12 or later needed",
                         version >> 8, version & 0xff);
    }
    z->header_end = HDR_HEADER + k.data[HDR_JUMP_LEN];
    if (z->header_end < HDR_END_MIN || z->header_end > HDR_END_MAX || z->header_end > k.len) {
        return plan_fail(p, ABI_BAD_FORMAT, "kernel: setup header ends at %zxh", z->header_end);
    }
    if ((k.data[HDR_LOADFLAGS] & LOADED_HIGH) == 0 ||
        (le_load(k.data + HDR_XLOADFLAGS, 2) & XLF_KERNEL_64) == 0) {
        return plan_fail(p, ABI_BAD_FORMAT, "kernel: has no 64-bit entry point");
    }
    if (strlen(p->cfg->cmdline) > le_load(k.data + HDR_CMDLINE_SIZE, 4)) {
        return plan_fail(p, ABI_BAD_FORMAT, "command line of %zu characters, the kernel takes %u",
                         strlen(p->cfg->cmdline), (uint32_t)le_load(k.data + HDR_CMDLINE_SIZE, 4));
    }
    return ABI_OK;
}

/* The protected-mode part. What follows it in the file (a signature) is not loaded. */
static enum abi_status find_code(const struct plan *p, struct bzimage *z)
{
    struct blob k = p->cfg->kernel;
    uint32_t sects = k.data[HDR_SETUP_SECTS];
    uint64_t setup = (1 + (sects == 0 ? SETUP_SECTS_LEGACY : sects)) * (uint64_t)SECTOR;

    z->code_len = le_load(k.data + HDR_SYSSIZE, 4) * 16;
    if (setup + z->code_len > k.len) {
        return plan_fail(p, ABI_BAD_FORMAT, "kernel: truncated: %zu bytes, its header says %llu",
                         k.len, (unsigned long long)(setup + z->code_len));
    }
    if (z->code_len <= ENTRY64) {
        return plan_fail(p, ABI_BAD_FORMAT, "kernel: has no code");
    }
    z->code = k.data + setup;
    return ABI_OK;
}

/* boot.rst, init_size: the kernel moves itself up to pref_address, so it is put there at once. */
static enum abi_status find_place(const struct plan *p, struct bzimage *z)
{
    const uint8_t *k = p->cfg->kernel.data;
    uint64_t pref = le_load(k + HDR_PREF_ADDRESS, 8);
    uint64_t align = le_load(k + HDR_KERNEL_ALIGNMENT, 4);

    if (align < PAGE_SIZE || (align & (align - 1)) != 0) {
        return plan_fail(p, ABI_BAD_FORMAT, "kernel: kernel_alignment %llx",
                         (unsigned long long)align);
    }
    if (pref < GPA_HIGH_START || pref >= RAM_BELOW_4G) {
        return plan_fail(p, ABI_BAD_FORMAT, "kernel: pref_address %llx", (unsigned long long)pref);
    }
    z->at = k[HDR_RELOCATABLE] != 0 ? ALIGN_UP(pref, align) : pref;
    z->span = MAX(le_load(k + HDR_INIT_SIZE, 4), z->code_len);
    z->initrd_max = le_load(k + HDR_INITRD_ADDR_MAX, 4);
    return ABI_OK;
}

static enum abi_status plan_kernel(struct plan *p, struct bzimage *z)
{
    enum abi_status st = check_protocol(p, z);

    if (st == ABI_OK) {
        st = find_code(p, z);
    }
    if (st == ABI_OK) {
        st = find_place(p, z);
    }
    if (st != ABI_OK) {
        return st;
    }
    return plan_place(p, "kernel",
                      (struct piece){PIECE_KERNEL, z->at, z->span, z->code, z->code_len});
}

static void fill_e820(uint8_t *bp, const struct layout *l)
{
    bp[BP_E820_ENTRIES] = (uint8_t)l->map_entries;
    for (uint32_t i = 0; i < l->map_entries; i++) {
        uint8_t *e = bp + BP_E820_TABLE + i * E820_ENTRY_SIZE;

        le_store(e, 8, l->map[i].at);
        le_store(e + 8, 8, l->map[i].len);
        le_store(e + 16, 4, l->map[i].type);
    }
}

static enum abi_status plan_boot_params(struct plan *p, const struct bzimage *z, uint64_t ramdisk)
{
    uint8_t *bp = plan_take(p, PAGE_SIZE);

    memcpy(bp + BP_HDR, p->cfg->kernel.data + BP_HDR, z->header_end - BP_HDR);
    bp[HDR_TYPE_OF_LOADER] = LOADER_UNDEFINED;
    le_store(bp + HDR_RAMDISK_IMAGE, 4, ramdisk);
    le_store(bp + HDR_RAMDISK_SIZE, 4, p->cfg->ramdisk.len);
    le_store(bp + HDR_CMD_LINE_PTR, 4, GPA_CMDLINE);
    le_store(bp + HDR_SETUP_DATA, 8, 0);
    le_store(bp + BP_ACPI_RSDP_ADDR, 8, GPA_ACPI);
    fill_e820(bp, p->l);
    p->l->entry.boot_data = GPA_BOOT_DATA;
    return plan_place(p, "boot_params",
                      (struct piece){PIECE_BOOT_DATA, GPA_BOOT_DATA, PAGE_SIZE, bp, PAGE_SIZE});
}

/* Identity, the first 4 GiB in 2 MiB pages: every CPU has those. */
static enum abi_status plan_page_tables(struct plan *p)
{
    enum { DIRECTORIES = 4, ENTRIES = 512, SIZE = PAGE_TABLES_SIZE };
    const uint64_t pdpt = GPA_PAGE_TABLES + PAGE_SIZE, pd = pdpt + PAGE_SIZE;
    uint8_t *t = plan_take(p, SIZE);

    le_store(t, 8, pdpt | PTE_P | PTE_RW);
    for (uint64_t i = 0; i < DIRECTORIES; i++) {
        le_store(t + PAGE_SIZE + 8 * i, 8, (pd + i * PAGE_SIZE) | PTE_P | PTE_RW);
    }
    for (uint64_t i = 0; i < DIRECTORIES * ENTRIES; i++) {
        le_store(t + 2 * PAGE_SIZE + 8 * i, 8, i * SIZE_2M | PTE_P | PTE_RW | PTE_PS);
    }
    p->l->entry.page_tables = GPA_PAGE_TABLES;
    return plan_place(p, "page tables",
                      (struct piece){PIECE_PAGE_TABLES, GPA_PAGE_TABLES, SIZE, t, SIZE});
}

/* boot.rst, 64-bit boot protocol: __BOOT_CS 10h, __BOOT_DS 18h. */
static enum abi_status plan_gdt(struct plan *p)
{
    uint8_t *gdt = plan_take(p, 32);

    le_store(gdt + 0x10, 8, GDT_CODE64);
    le_store(gdt + 0x18, 8, GDT_DATA);
    p->l->entry.gdt = GPA_GDT;
    return plan_place(p, "GDT", (struct piece){PIECE_GDT, GPA_GDT, PAGE_SIZE, gdt, 32});
}

enum abi_status linux_x86_plan(struct plan *p)
{
    struct bzimage z = {0};
    uint64_t ramdisk = 0;
    enum abi_status st = plan_kernel(p, &z);

    if (st == ABI_OK) {
        st = plan_ramdisk(p, z.initrd_max + 1, &ramdisk);
    }
    if (st == ABI_OK) {
        st = plan_boot_params(p, &z, ramdisk);
    }
    if (st == ABI_OK) {
        st = plan_page_tables(p);
    }
    if (st == ABI_OK) {
        st = plan_gdt(p);
    }
    p->l->entry.mode = ENTRY_LINUX64;
    p->l->entry.rip = z.at + ENTRY64;
    return st;
}
