/*
 * Layouts of ELF kernels with a PVH note. <elf.h> makes the images; hvm_start_info is read through
 * structures written from Xen's public/arch-x86/hvm/start_info.h, apart from hv/domain's offsets.
 */
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/cu.h"
#include "../lib/domain_host.h"
#include "../lib/domain_lay.h"
#include "../lib/fake_vm.h"

struct hvm_start_info {
    uint32_t magic;
    uint32_t version;
    uint32_t flags;
    uint32_t nr_modules;
    uint64_t modlist_paddr;
    uint64_t cmdline_paddr;
    uint64_t rsdp_paddr;
    uint64_t memmap_paddr;
    uint32_t memmap_entries;
    uint32_t reserved;
};
struct hvm_modlist_entry {
    uint64_t paddr;
    uint64_t size;
    uint64_t cmdline_paddr;
    uint64_t reserved;
};
struct hvm_memmap_table_entry {
    uint64_t addr;
    uint64_t size;
    uint32_t type;
    uint32_t reserved;
};
_Static_assert(sizeof(struct hvm_start_info) == 56, "start_info.h");
_Static_assert(sizeof(struct hvm_memmap_table_entry) == 24, "start_info.h");

struct note {
    Elf64_Nhdr n;
    char name[4];
    uint64_t desc;
};

struct kernel64 {
    Elf64_Ehdr e;
    Elf64_Phdr ph[4];
    struct note note;
    uint8_t code[256];
};
struct kernel32 {
    Elf32_Ehdr e;
    Elf32_Phdr ph[2];
    struct note note;
    uint8_t code[256];
};
enum { LOAD, NOTE, SPARE, LOAD2 };

static const struct note entry_note = {{4, 8, 18}, "Xen", 0x100010};

static void make64(struct kernel64 *k)
{
    memset(k, 0, sizeof(*k));
    memcpy(k->e.e_ident, "\177ELF\2\1\1", 7);
    k->e.e_type = ET_EXEC;
    k->e.e_machine = EM_X86_64;
    k->e.e_phoff = offsetof(struct kernel64, ph);
    k->e.e_phentsize = sizeof(k->ph[0]);
    k->e.e_phnum = 4;
    k->ph[LOAD] = (Elf64_Phdr){
        PT_LOAD, PF_X, offsetof(struct kernel64, code), ~0ull << 31, 0x100000, 128, 0x3000, 0x1000};
    k->ph[NOTE] =
        (Elf64_Phdr){PT_NOTE, 0, offsetof(struct kernel64, note), 0, 0, sizeof(k->note), 0, 4};
    k->ph[LOAD2] = (Elf64_Phdr){
        PT_LOAD, PF_W, offsetof(struct kernel64, code) + 128, 0, 0x200000, 128, 128, 0x1000};
    k->note = entry_note;
}

static void make32(struct kernel32 *k)
{
    memset(k, 0, sizeof(*k));
    memcpy(k->e.e_ident, "\177ELF\1\1\1", 7);
    k->e.e_type = ET_EXEC;
    k->e.e_machine = EM_386;
    k->e.e_phoff = offsetof(struct kernel32, ph);
    k->e.e_phentsize = sizeof(k->ph[0]);
    k->e.e_phnum = 2;
    k->ph[LOAD] =
        (Elf32_Phdr){PT_LOAD, offsetof(struct kernel32, code), 0, 0x100000, 256, 256, PF_X, 0x1000};
    k->ph[NOTE] = (Elf32_Phdr){PT_NOTE, offsetof(struct kernel32, note), 0, 0, 20, 0, 0, 4};
    k->note = entry_note;
    k->note.n.n_descsz = 4;
}

static void start(struct laid *t, struct kernel64 *k)
{
    make64(k);
    lay_config(t, MiB(2) + MiB(2), k, sizeof(*k));
}

/* A pointer to guest-physical memory that a piece provides. */
static const void *at(const struct laid *t, uint64_t gpa, size_t len)
{
    for (uint32_t i = 0; i < t->l.pieces; i++) {
        const struct piece *q = &t->l.piece[i];

        if (gpa >= q->at && len <= q->len && gpa - q->at <= q->len - len) {
            return q->data + (gpa - q->at);
        }
    }
    CU_FAIL_FATAL("not in any piece");
    return NULL;
}

static void segments_go_to_their_physical_addresses(void)
{
    struct kernel64 k;
    struct laid t;
    const struct piece *q;

    start(&t, &k);
    CU_ASSERT_TRUE_FATAL(lay(&t));
    q = lay_piece(&t, PIECE_KERNEL, 0);
    CU_ASSERT_EQUAL(q->at, 0x100000);
    CU_ASSERT_EQUAL(q->len, 128);
    CU_ASSERT_EQUAL(q->span, 0x3000);
    CU_ASSERT_PTR_EQUAL(q->data, k.code);
    q = lay_piece(&t, PIECE_KERNEL, 1);
    CU_ASSERT_EQUAL(q->at, 0x200000);
    CU_ASSERT_PTR_EQUAL(q->data, k.code + 128);
    CU_ASSERT_EQUAL(t.l.entry.mode, ENTRY_PVH32);
    CU_ASSERT_EQUAL(t.l.entry.rip, 0x100010);
    lay_free(&t);
}

static void a_32_bit_elf_does_as_well(void)
{
    struct kernel32 k;
    struct laid t;

    make32(&k);
    lay_config(&t, MiB(2), &k, sizeof(k));
    CU_ASSERT_TRUE_FATAL(lay(&t));
    CU_ASSERT_EQUAL(lay_piece(&t, PIECE_KERNEL, 0)->len, 256);
    CU_ASSERT_EQUAL(t.l.entry.rip, 0x100010);
    lay_free(&t);
}

static void start_info_leads_to_everything(void)
{
    static const uint8_t ramdisk[5000] = {7};
    struct kernel64 k;
    struct laid t;
    const struct hvm_start_info *si;
    const struct hvm_modlist_entry *mod;

    start(&t, &k);
    t.cfg.ramdisk = (struct blob){ramdisk, sizeof(ramdisk)};
    t.cfg.cmdline = "panic=1";
    CU_ASSERT_TRUE_FATAL(lay(&t));
    si = at(&t, t.l.entry.boot_data, sizeof(*si));
    CU_ASSERT_EQUAL(si->magic, 0x336ec578);
    CU_ASSERT_EQUAL(si->version, 1);
    CU_ASSERT_EQUAL(si->flags, 0);
    CU_ASSERT_EQUAL(si->reserved, 0);
    CU_ASSERT_EQUAL_FATAL(si->nr_modules, 1);
    CU_ASSERT_STRING_EQUAL(at(&t, si->cmdline_paddr, 8), "panic=1");
    CU_ASSERT_EQUAL(*(const uint8_t *)at(&t, si->rsdp_paddr, 1), 0xac);
    mod = at(&t, si->modlist_paddr, sizeof(*mod));
    CU_ASSERT_EQUAL(mod->size, sizeof(ramdisk));
    CU_ASSERT_EQUAL(mod->paddr, MiB(4) - 0x2000);
    CU_ASSERT_EQUAL(mod->cmdline_paddr, 0);
    CU_ASSERT_EQUAL(mod->reserved, 0);
    CU_ASSERT_PTR_EQUAL(at(&t, mod->paddr, sizeof(ramdisk)), ramdisk);
    lay_free(&t);
}

static void start_info_has_the_memory_map(void)
{
    static const struct hvm_memmap_table_entry want[] = {{0, 0x90000, 1, 0},
                                                         {0x90000, 0x2000, 3, 0},
                                                         {0x92000, 0x6e000, 2, 0},
                                                         {0x100000, MiB(3071), 1, 0},
                                                         {GiB(4), GiB(2), 1, 0}};
    struct kernel64 k;
    struct laid t;
    const struct hvm_start_info *si;

    start(&t, &k);
    t.cfg.memory = GiB(5);
    CU_ASSERT_TRUE_FATAL(lay(&t));
    si = at(&t, t.l.entry.boot_data, sizeof(*si));
    CU_ASSERT_EQUAL_FATAL(si->memmap_entries, 5);
    CU_ASSERT_EQUAL(memcmp(at(&t, si->memmap_paddr, sizeof(want)), want, sizeof(want)), 0);
    CU_ASSERT_EQUAL(si->nr_modules, 0);
    CU_ASSERT_EQUAL(si->modlist_paddr, 0);
    lay_free(&t);
}

static void headers_that_are_not_ours_are_refused(void)
{
    static const struct {
        size_t at;
        uint8_t byte;
    } changes[] = {
        {EI_CLASS, 3},
        {EI_DATA, ELFDATA2MSB},
        {offsetof(Elf64_Ehdr, e_type), ET_REL},
        {offsetof(Elf64_Ehdr, e_machine), EM_ARM},
    };

    for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
        struct kernel64 k;
        struct laid t;

        start(&t, &k);
        ((uint8_t *)&k)[changes[i].at] = changes[i].byte;
        lay_refused(&t, ABI_BAD_FORMAT, "guest0: kernel: not an x86 ELF executable");
    }
}

#define REFUSED(field, value, status, message)                                                     \
    do {                                                                                           \
        struct kernel64 k_;                                                                        \
        struct laid t_;                                                                            \
        start(&t_, &k_);                                                                           \
        k_.field = value;                                                                          \
        lay_refused(&t_, status, "guest0: " message);                                              \
    } while (0)

static void program_headers_are_bounded(void)
{
    REFUSED(e.e_phnum, 0, ABI_BAD_FORMAT, "kernel: 0 program headers of 56 bytes");
    REFUSED(e.e_phnum, 65, ABI_BAD_FORMAT, "kernel: 65 program headers of 56 bytes");
    REFUSED(e.e_phentsize, 55, ABI_BAD_FORMAT, "kernel: 4 program headers of 55 bytes");
    REFUSED(e.e_phnum, 64, ABI_BAD_FORMAT, "kernel: program headers are outside the file");
    REFUSED(e.e_phoff, ~0ull, ABI_BAD_FORMAT, "kernel: program headers are outside the file");
    REFUSED(e.e_phoff, sizeof(struct kernel64) - 4 * 56 + 1, ABI_BAD_FORMAT,
            "kernel: program headers are outside the file");
}

static void segments_are_bounded(void)
{
    REFUSED(ph[LOAD].p_offset, ~0ull, ABI_BAD_FORMAT, "kernel: segment 0 is outside the file");
    REFUSED(ph[LOAD].p_filesz, ~0ull, ABI_BAD_FORMAT, "kernel: segment 0 is outside the file");
    REFUSED(ph[NOTE].p_offset, ~0ull, ABI_BAD_FORMAT, "kernel: segment 1 is outside the file");
    REFUSED(ph[LOAD].p_memsz, 127, ABI_BAD_FORMAT, "kernel: segment 0 has more bytes than memory");
    REFUSED(ph[LOAD2].p_paddr, MiB(4), ABI_NO_MEMORY,
            "kernel segment of 128 bytes at 400000 does not fit in 4 MiB of memory");
    REFUSED(ph[LOAD2].p_paddr, ~0ull - 64, ABI_NO_MEMORY,
            "kernel segment of 128 bytes at ffffffffffffffbf does not fit in 4 MiB of memory");
    REFUSED(ph[LOAD2].p_memsz, ~0ull, ABI_NO_MEMORY,
            "kernel segment of 18446744073709551615 bytes at 200000 does not fit in 4 MiB of "
            "memory");
    REFUSED(ph[LOAD2].p_paddr, 0xa0000, ABI_NO_MEMORY,
            "kernel segment of 128 bytes at a0000 does not fit in 4 MiB of memory");
}

static void segments_that_overlap_are_refused(void)
{
    REFUSED(ph[LOAD2].p_paddr, 0x102fff, ABI_BAD_FORMAT,
            "kernel segment at 102fff overlaps the kernel at 100000");
    REFUSED(ph[LOAD2].p_paddr, 0x90000, ABI_BAD_FORMAT,
            "kernel segment at 90000 overlaps the ACPI tables at 90000");
    REFUSED(ph[LOAD2].p_paddr, 0x2800, ABI_BAD_FORMAT,
            "hvm_start_info at 2000 overlaps the kernel at 2800");
}

static void segments_without_memory_are_skipped(void)
{
    struct kernel64 k;
    struct laid t;

    start(&t, &k);
    k.ph[LOAD2].p_memsz = 0;
    k.ph[LOAD2].p_filesz = 0;
    CU_ASSERT_TRUE(lay(&t));
    CU_ASSERT_PTR_NULL(lay_piece(&t, PIECE_KERNEL, 1));
    lay_free(&t);
}

static void more_segments_than_the_limit_are_refused(void)
{
    enum { N = 18 };
    struct {
        struct kernel64 k;
        Elf64_Phdr ph[N];
    } f;
    struct laid t;

    make64(&f.k);
    f.k.e.e_phoff = sizeof(f.k);
    f.k.e.e_phnum = N;
    for (unsigned int i = 0; i < N; i++) {
        f.ph[i] = f.k.ph[i == 0 ? NOTE : LOAD];
        f.ph[i].p_paddr += i * 0x3000u - 0x3000u;
    }
    lay_config(&t, MiB(4), &f, sizeof(f));
    lay_refused(&t, ABI_LIMIT, "guest0: kernel: more than 16 segments");
    f.k.e.e_phnum = N - 1;
    CU_ASSERT_TRUE(lay(&t));
    lay_free(&t);
}

static void the_entry_point_is_in_a_segment(void)
{
    REFUSED(note.desc, 0x100080, ABI_BAD_FORMAT, "kernel: entry point 100080 is in no segment");
    REFUSED(note.desc, ~0ull, ABI_BAD_FORMAT,
            "kernel: entry point ffffffffffffffff is in no segment");
}

static void an_elf_without_the_note_is_refused(void)
{
    REFUSED(note.n.n_type, 17, ABI_BAD_FORMAT, "kernel: an ELF without a PVH note");
    REFUSED(note.name[0], 'x', ABI_BAD_FORMAT, "kernel: an ELF without a PVH note");
    REFUSED(note.n.n_namesz, 3, ABI_BAD_FORMAT, "kernel: an ELF without a PVH note");
    REFUSED(ph[NOTE].p_filesz, 0, ABI_BAD_FORMAT, "kernel: an ELF without a PVH note");
}

static void malformed_notes_are_refused(void)
{
    REFUSED(note.n.n_namesz, ~0u, ABI_BAD_FORMAT, "kernel: segment 1: malformed note");
    REFUSED(note.n.n_descsz, ~0u, ABI_BAD_FORMAT, "kernel: segment 1: malformed note");
    REFUSED(note.n.n_descsz, 9, ABI_BAD_FORMAT, "kernel: segment 1: malformed note");
    REFUSED(note.n.n_descsz, 5, ABI_BAD_FORMAT, "kernel: segment 1: malformed note");
    REFUSED(ph[NOTE].p_filesz, 20, ABI_BAD_FORMAT, "kernel: segment 1: malformed note");
    REFUSED(ph[NOTE].p_filesz, 11, ABI_BAD_FORMAT, "kernel: segment 1: malformed note");
}

static void a_second_entry_note_is_refused(void)
{
    struct kernel64 k;
    struct laid t;

    start(&t, &k);
    k.ph[SPARE] = k.ph[NOTE];
    lay_refused(&t, ABI_BAD_FORMAT, "guest0: kernel: segment 2: malformed note");
}

static void a_kernel_truncated_anywhere_is_refused(void)
{
    struct kernel64 k;
    struct laid t;

    start(&t, &k);
    for (size_t len = 1; len < sizeof(k); len++) {
        t.cfg.kernel.len = len;
        CU_ASSERT_FALSE(lay(&t));
        lay_free(&t);
    }
}

static void any_changed_byte_is_survived(void)
{
    static const uint8_t bytes[] = {0, 1, 2, 4, 8, 0x10, 0x7f, 0x80, 0xff};
    struct kernel64 k;
    struct kernel32 k32;
    struct laid t;

    for (size_t i = 0; i < sizeof(bytes); i++) {
        for (size_t n = 4; n < offsetof(struct kernel64, code); n++) {
            start(&t, &k);
            ((uint8_t *)&k)[n] = bytes[i];
            (void)lay(&t); /* checks what it lays out */
            lay_free(&t);
        }
        for (size_t n = 4; n < offsetof(struct kernel32, code); n++) {
            make32(&k32);
            lay_config(&t, MiB(4), &k32, sizeof(k32));
            ((uint8_t *)&k32)[n] = bytes[i];
            (void)lay(&t);
            lay_free(&t);
        }
    }
}

static const struct cu_test tests[] = {
    CU(segments_go_to_their_physical_addresses),
    CU(a_32_bit_elf_does_as_well),
    CU(start_info_leads_to_everything),
    CU(start_info_has_the_memory_map),
    CU(headers_that_are_not_ours_are_refused),
    CU(program_headers_are_bounded),
    CU(segments_are_bounded),
    CU(segments_that_overlap_are_refused),
    CU(segments_without_memory_are_skipped),
    CU(more_segments_than_the_limit_are_refused),
    CU(the_entry_point_is_in_a_segment),
    CU(an_elf_without_the_note_is_refused),
    CU(malformed_notes_are_refused),
    CU(a_second_entry_note_is_refused),
    CU(a_kernel_truncated_anywhere_is_refused),
    CU(any_changed_byte_is_survived),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("domain_pvh", tests, argc, argv);
}
