/*
 * Layouts of bzImage kernels. The kernel's own <asm/bootparam.h> makes the images and reads the
 * boot_params, so a wrong offset in hv/domain cannot hide.
 */
#include <asm/bootparam.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/cu.h"
#include "../lib/domain_host.h"
#include "../lib/domain_lay.h"
#include "../lib/fake_vm.h"

enum { SETUP = LAY_SETUP, CODE = LAY_CODE };

struct kernel {
    uint8_t file[LAY_BZIMAGE];
};

static struct setup_header *hdr(struct kernel *k)
{
    return (struct setup_header *)(k->file + 0x1f1);
}

static void start(struct laid *t, struct kernel *k, uint64_t memory)
{
    lay_bzimage(k->file);
    lay_config(t, memory, k->file, sizeof(k->file));
}

static const struct boot_params *boot_params(const struct laid *t)
{
    const struct piece *q = lay_piece(t, PIECE_BOOT_DATA, 0);

    CU_ASSERT_PTR_NOT_NULL_FATAL(q);
    CU_ASSERT_EQUAL_FATAL(q->len, sizeof(struct boot_params));
    CU_ASSERT_EQUAL(q->at, t->l.entry.boot_data);
    return (const struct boot_params *)q->data;
}

static void the_kernel_goes_where_it_prefers(void)
{
    struct kernel k;
    struct laid t;
    const struct piece *q;

    start(&t, &k, MiB(64));
    CU_ASSERT_TRUE_FATAL(lay(&t));
    q = lay_piece(&t, PIECE_KERNEL, 0);
    CU_ASSERT_EQUAL(q->at, 0x1000000);
    CU_ASSERT_EQUAL(q->span, 0x400000);
    CU_ASSERT_EQUAL(q->len, CODE);
    CU_ASSERT_PTR_EQUAL(q->data, k.file + SETUP);
    CU_ASSERT_EQUAL(t.l.entry.mode, ENTRY_LINUX64);
    CU_ASSERT_EQUAL(t.l.entry.rip, 0x1000200);
    lay_free(&t);
}

static void a_relocatable_kernel_is_aligned_and_a_fixed_one_is_not(void)
{
    struct kernel k;
    struct laid t;

    start(&t, &k, MiB(64));
    hdr(&k)->pref_address = 0x1100000;
    CU_ASSERT_TRUE(lay(&t));
    CU_ASSERT_EQUAL(t.l.entry.rip, 0x1200200);
    lay_free(&t);
    hdr(&k)->relocatable_kernel = 0;
    CU_ASSERT_TRUE(lay(&t));
    CU_ASSERT_EQUAL(t.l.entry.rip, 0x1100200);
    lay_free(&t);
}

static void boot_params_carry_the_header_and_our_fields(void)
{
    struct kernel k;
    struct laid t;
    const struct boot_params *bp;

    start(&t, &k, MiB(64));
    t.cfg.cmdline = "quiet";
    CU_ASSERT_TRUE_FATAL(lay(&t));
    bp = boot_params(&t);
    CU_ASSERT_EQUAL(bp->sentinel, 0);
    CU_ASSERT_EQUAL(bp->hdr.header, hdr(&k)->header);
    CU_ASSERT_EQUAL(bp->hdr.version, 0x020f);
    CU_ASSERT_EQUAL(bp->hdr.init_size, 0x400000);
    CU_ASSERT_EQUAL(bp->hdr.pref_address, 0x1000000);
    CU_ASSERT_EQUAL(bp->hdr.type_of_loader, 0xff);
    CU_ASSERT_EQUAL(bp->hdr.setup_data, 0);
    CU_ASSERT_EQUAL(bp->ext_cmd_line_ptr, 0);
    CU_ASSERT_EQUAL(bp->acpi_rsdp_addr, lay_piece(&t, PIECE_ACPI, 0)->at);
    CU_ASSERT_EQUAL(bp->hdr.cmd_line_ptr, lay_piece(&t, PIECE_CMDLINE, 0)->at);
    CU_ASSERT_STRING_EQUAL((const char *)lay_piece(&t, PIECE_CMDLINE, 0)->data, "quiet");
    CU_ASSERT_EQUAL(bp->hdr.ramdisk_image, 0);
    CU_ASSERT_EQUAL(bp->hdr.ramdisk_size, 0);
    lay_free(&t);
}

static void nothing_of_the_file_but_the_header_reaches_boot_params(void)
{
    struct kernel k;
    struct laid t;
    const uint8_t *bp;

    start(&t, &k, MiB(64));
    CU_ASSERT_TRUE_FATAL(lay(&t));
    bp = (const uint8_t *)boot_params(&t);
    for (size_t i = 0; i < 0x1e8; i++) {
        CU_ASSERT_TRUE(bp[i] == 0 || (i >= 0x70 && i < 0x78));
    }
    for (size_t i = 0x202 + 0x6a; i < 0x2d0; i++) {
        CU_ASSERT_EQUAL(bp[i], 0);
    }
    lay_free(&t);
}

static void expect_map(uint64_t memory, const struct boot_e820_entry *want, unsigned int n)
{
    struct kernel k;
    struct laid t;
    const struct boot_params *bp;

    start(&t, &k, memory);
    CU_ASSERT_TRUE_FATAL(lay(&t));
    bp = boot_params(&t);
    CU_ASSERT_EQUAL_FATAL(bp->e820_entries, n);
    CU_ASSERT_EQUAL(memcmp(bp->e820_table, want, n * sizeof(*want)), 0);
    lay_free(&t);
}

static void the_memory_map_splits_at_the_hole_below_4_gib(void)
{
    const struct boot_e820_entry small[] = {
        {0, 0x90000, 1}, {0x90000, 0x2000, 3}, {0x92000, 0x6e000, 2}, {0x100000, MiB(63), 1}};
    const struct boot_e820_entry full[] = {
        {0, 0x90000, 1}, {0x90000, 0x2000, 3}, {0x92000, 0x6e000, 2}, {0x100000, MiB(3071), 1}};
    const struct boot_e820_entry large[] = {{0, 0x90000, 1},
                                            {0x90000, 0x2000, 3},
                                            {0x92000, 0x6e000, 2},
                                            {0x100000, MiB(3071), 1},
                                            {GiB(4), MiB(2), 1}};

    expect_map(MiB(64), small, 4);
    expect_map(GiB(3), full, 4);
    expect_map(GiB(3) + MiB(2), large, 5);
}

static void acpi_tables_are_made_for_their_place_and_vcpus(void)
{
    struct kernel k;
    struct laid t;

    start(&t, &k, MiB(64));
    t.cfg.vcpus = 64;
    host_acpi_len = KiB(16);
    CU_ASSERT_TRUE(lay(&t));
    CU_ASSERT_EQUAL(host_acpi_vcpus, 64);
    CU_ASSERT_EQUAL(host_acpi_at, lay_piece(&t, PIECE_ACPI, 0)->at);
    CU_ASSERT_EQUAL(lay_piece(&t, PIECE_ACPI, 0)->span, KiB(16));
    host_acpi_len = 6000;
    lay_free(&t);
}

/* Lays out with a ramdisk of that size, and answers where it went. */
static uint64_t ramdisk_at(struct laid *t, size_t size)
{
    uint8_t *ramdisk = calloc(1, size);
    uint64_t at = 0;

    t->cfg.ramdisk = (struct blob){ramdisk, size};
    if (lay(t)) {
        at = lay_piece(t, PIECE_RAMDISK, 0)->at;
        CU_ASSERT_EQUAL(boot_params(t)->hdr.ramdisk_image, at);
        CU_ASSERT_EQUAL(boot_params(t)->hdr.ramdisk_size, size);
        CU_ASSERT_EQUAL(boot_params(t)->ext_ramdisk_image, 0);
    }
    lay_free(t);
    free(ramdisk);
    return at;
}

static void the_ramdisk_goes_to_the_top_of_what_the_kernel_reaches(void)
{
    struct kernel k;
    struct laid t;

    start(&t, &k, MiB(64));
    CU_ASSERT_EQUAL(ramdisk_at(&t, 5000), MiB(64) - 0x2000);
    hdr(&k)->initrd_addr_max = 0x2ffffff;
    CU_ASSERT_EQUAL(ramdisk_at(&t, 4096), 0x2fff000);
    hdr(&k)->initrd_addr_max = 0xffffffff;
    t.cfg.memory = GiB(6);
    CU_ASSERT_EQUAL(ramdisk_at(&t, 1), 0xbffff000);
}

static void a_ramdisk_without_room_above_the_kernel_goes_below(void)
{
    struct kernel k;
    struct laid t;

    start(&t, &k, MiB(22));
    CU_ASSERT_EQUAL(ramdisk_at(&t, MiB(2)), MiB(20));
    CU_ASSERT_EQUAL(ramdisk_at(&t, MiB(3)), MiB(13));
    CU_ASSERT_EQUAL(ramdisk_at(&t, MiB(15)), MiB(1));
    hdr(&k)->initrd_addr_max = MiB(18);
    CU_ASSERT_EQUAL(ramdisk_at(&t, 1), MiB(16) - 4096);
}

static void a_ramdisk_that_fits_nowhere_is_refused(void)
{
    struct kernel k;
    struct laid t;

    start(&t, &k, MiB(22));
    CU_ASSERT_EQUAL(ramdisk_at(&t, MiB(15) + 1), 0);
    CU_ASSERT_EQUAL(t.st, ABI_NO_MEMORY);
    CU_ASSERT_STRING_EQUAL(t.err,
                           "guest0: ramdisk of 15728641 bytes does not fit in 22 MiB of memory");
    t.cfg.memory = MiB(256);
    CU_ASSERT_EQUAL(ramdisk_at(&t, MiB(300)), 0);
    CU_ASSERT_STRING_EQUAL(t.err, "guest0: ramdisk of 300 MiB does not fit in 256 MiB of memory");
}

static void a_kernel_that_does_not_fit_is_refused(void)
{
    struct kernel k;
    struct laid t;

    start(&t, &k, MiB(18));
    lay_refused(&t, ABI_NO_MEMORY,
           "guest0: kernel of 4 MiB at 1000000 does not fit in 18 MiB of memory");
    t.cfg.memory = MiB(20);
    CU_ASSERT_TRUE(lay(&t));
    lay_free(&t);
    hdr(&k)->init_size = 0xffffffff;
    t.cfg.memory = GiB(16);
    lay_refused(&t, ABI_NO_MEMORY,
           "guest0: kernel of 4294967295 bytes at 1000000 does not fit in 16384 MiB of memory");
}

static uint64_t entry_at(const struct laid *t, uint64_t table, unsigned int i)
{
    const struct piece *q = lay_piece(t, PIECE_PAGE_TABLES, 0);
    uint64_t e;

    CU_ASSERT_TRUE_FATAL(table >= q->at && table + 4096 <= q->at + q->len);
    memcpy(&e, q->data + (table - q->at) + 8 * i, 8);
    return e;
}

/* AMD APM volume 2, 5.3: as the CPU walks. */
static void page_tables_map_the_first_4_gib_onto_themselves(void)
{
    struct kernel k;
    struct laid t;

    start(&t, &k, MiB(64));
    CU_ASSERT_TRUE_FATAL(lay(&t));
    for (uint64_t va = 0; va < GiB(4); va += MiB(1)) {
        uint64_t e = entry_at(&t, t.l.entry.page_tables, va >> 39 & 511);

        CU_ASSERT_EQUAL(e & 0x8000000000000fff, 3);
        e = entry_at(&t, e & ~0xfffull, va >> 30 & 511);
        CU_ASSERT_EQUAL(e & 0x8000000000000fff, 3);
        e = entry_at(&t, e & ~0xfffull, va >> 21 & 511);
        CU_ASSERT_EQUAL(e, (va & ~0x1fffffull) | 0x83);
    }
    CU_ASSERT_EQUAL(entry_at(&t, t.l.entry.page_tables, 1), 0);
    lay_free(&t);
}

/* AMD APM volume 2, 4.7 and 4.8; boot.rst: __BOOT_CS 10h execute/read, __BOOT_DS 18h read/write. */
static void the_gdt_has_the_flat_segments_of_the_protocol(void)
{
    struct kernel k;
    struct laid t;
    const struct piece *q;
    uint64_t d[4];

    start(&t, &k, MiB(64));
    CU_ASSERT_TRUE_FATAL(lay(&t));
    q = lay_piece(&t, PIECE_GDT, 0);
    CU_ASSERT_EQUAL(q->at, t.l.entry.gdt);
    CU_ASSERT_EQUAL_FATAL(q->len, sizeof(d));
    memcpy(d, q->data, sizeof(d));
    CU_ASSERT_EQUAL(d[0], 0);
    CU_ASSERT_EQUAL(d[1], 0);
    for (unsigned int i = 2; i < 4; i++) {
        CU_ASSERT_EQUAL((d[i] & 0xffff) | (d[i] >> 32 & 0xf0000), 0xfffff); /* limit */
        CU_ASSERT_EQUAL((d[i] >> 16 & 0xffffff) | (d[i] >> 56 << 24), 0);   /* base */
        CU_ASSERT_TRUE(d[i] >> 55 & 1 && d[i] >> 47 & 1 && d[i] >> 44 & 1); /* G, P, S */
        CU_ASSERT_EQUAL(d[i] >> 45 & 3, 0);                                 /* DPL */
    }
    CU_ASSERT_EQUAL(d[2] >> 40 & 0xa, 0xa); /* code, readable */
    CU_ASSERT_EQUAL(d[2] >> 53 & 3, 1);     /* L, not D */
    CU_ASSERT_EQUAL(d[3] >> 40 & 0xa, 0x2); /* data, writable */
    lay_free(&t);
}

static void what_is_no_kernel_is_refused(void)
{
    struct kernel k;
    struct laid t;

    start(&t, &k, MiB(64));
    hdr(&k)->boot_flag = 0;
    lay_refused(&t, ABI_BAD_FORMAT, "guest0: kernel: neither a bzImage nor an ELF file");
    start(&t, &k, MiB(64));
    hdr(&k)->header ^= 1;
    lay_refused(&t, ABI_BAD_FORMAT, "guest0: kernel: neither a bzImage nor an ELF file");
    start(&t, &k, MiB(64));
    t.cfg.kernel.len = 1;
    lay_refused(&t, ABI_BAD_FORMAT, "guest0: kernel: neither a bzImage nor an ELF file");
}

#define REFUSED(field, value, message)                                                             \
    do {                                                                                           \
        struct kernel k_;                                                                          \
        struct laid t_;                                                                            \
        start(&t_, &k_, MiB(64));                                                                  \
        hdr(&k_)->field = value;                                                                   \
        lay_refused(&t_, ABI_BAD_FORMAT, "guest0: kernel: " message);                              \
    } while (0)

static void header_fields_that_cannot_be_are_refused(void)
{
    REFUSED(version, 0x020b, "boot protocol 2.11, 2.12 or later needed");
    REFUSED(jump, 0x61eb, "setup header ends at 263h");
    REFUSED(jump, 0x8feb, "setup header ends at 291h");
    REFUSED(loadflags, 0, "has no 64-bit entry point");
    REFUSED(xloadflags, 0, "has no 64-bit entry point");
    REFUSED(setup_sects, 0, "truncated: 10240 bytes, its header says 10752");
    REFUSED(setup_sects, 255, "truncated: 10240 bytes, its header says 139264");
    REFUSED(syssize, CODE / 16 + 1, "truncated: 10240 bytes, its header says 10256");
    REFUSED(syssize, 0xffffffff, "truncated: 10240 bytes, its header says 68719478768");
    REFUSED(syssize, 0x20, "has no code");
    REFUSED(kernel_alignment, 0, "kernel_alignment 0");
    REFUSED(kernel_alignment, 0x800, "kernel_alignment 800");
    REFUSED(kernel_alignment, 0x300000, "kernel_alignment 300000");
    REFUSED(pref_address, 0xfffff, "pref_address fffff");
    REFUSED(pref_address, 0xfffffffffffff000, "pref_address fffffffffffff000");
}

static void a_command_line_beyond_the_kernels_limit_is_refused(void)
{
    struct kernel k;
    struct laid t;

    start(&t, &k, MiB(64));
    hdr(&k)->cmdline_size = 4;
    t.cfg.cmdline = "quiet";
    lay_refused(&t, ABI_BAD_FORMAT, "guest0: command line of 5 characters, the kernel takes 4");
}

static void a_kernel_truncated_anywhere_is_refused(void)
{
    struct kernel k;
    struct laid t;

    start(&t, &k, MiB(64));
    for (size_t len = 1; len < LAY_BZIMAGE; len++) {
        t.cfg.kernel.len = len;
        CU_ASSERT_FALSE(lay(&t));
        lay_free(&t);
    }
}

static void any_changed_header_byte_is_survived(void)
{
    static const uint8_t bytes[] = {0, 1, 0x0f, 0x10, 0x7f, 0x80, 0xff};
    struct kernel k;
    struct laid t;

    for (size_t at = 0x1f1; at < 0x280; at++) {
        for (size_t i = 0; i < sizeof(bytes); i++) {
            start(&t, &k, GiB(5));
            t.cfg.ramdisk = (struct blob){k.file, sizeof(k.file)};
            k.file[at] = bytes[i];
            (void)lay(&t); /* checks what it lays out */
            lay_free(&t);
        }
    }
}

static void the_same_description_gives_the_same_bytes(void)
{
    struct kernel k;
    struct laid a, b;

    start(&a, &k, MiB(64));
    b = a;
    CU_ASSERT_TRUE_FATAL(lay(&a) && lay(&b));
    CU_ASSERT_EQUAL(a.l.pieces, b.l.pieces);
    for (uint32_t i = 0; i < a.l.pieces; i++) {
        CU_ASSERT_EQUAL(a.l.piece[i].at, b.l.piece[i].at);
        CU_ASSERT_EQUAL(a.l.piece[i].len, b.l.piece[i].len);
    }
    CU_ASSERT_EQUAL(memcmp(a.scratch, b.scratch, LAYOUT_SCRATCH_SIZE), 0);
    lay_free(&a);
    lay_free(&b);
}

static const struct cu_test tests[] = {
    CU(the_kernel_goes_where_it_prefers),
    CU(a_relocatable_kernel_is_aligned_and_a_fixed_one_is_not),
    CU(boot_params_carry_the_header_and_our_fields),
    CU(nothing_of_the_file_but_the_header_reaches_boot_params),
    CU(the_memory_map_splits_at_the_hole_below_4_gib),
    CU(acpi_tables_are_made_for_their_place_and_vcpus),
    CU(the_ramdisk_goes_to_the_top_of_what_the_kernel_reaches),
    CU(a_ramdisk_without_room_above_the_kernel_goes_below),
    CU(a_ramdisk_that_fits_nowhere_is_refused),
    CU(a_kernel_that_does_not_fit_is_refused),
    CU(page_tables_map_the_first_4_gib_onto_themselves),
    CU(the_gdt_has_the_flat_segments_of_the_protocol),
    CU(what_is_no_kernel_is_refused),
    CU(header_fields_that_cannot_be_are_refused),
    CU(a_command_line_beyond_the_kernels_limit_is_refused),
    CU(a_kernel_truncated_anywhere_is_refused),
    CU(any_changed_header_byte_is_survived),
    CU(the_same_description_gives_the_same_bytes),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("domain_linux", tests, argc, argv);
}
