/*
 * An ELF kernel by the PVH boot protocol (Xen, docs/misc/pvh.pandoc): segments go to their physical
 * addresses, and the note XEN_ELFNOTE_PHYS32_ENTRY has the 32-bit entry point. Structure layouts:
 * System V gABI, chapters 4 and 5; Xen, public/arch-x86/hvm/start_info.h.
 */
#include "hv/check.h"
#include "hv/string.h"
#include "plan_x86.h"
#include "text.h"

#define EI_CLASS   4
#define EI_DATA    5
#define E_TYPE     0x10
#define E_MACHINE  0x12
#define E_MIN      0x34u
#define CLASS32    1
#define CLASS64    2
#define DATA_LSB   1
#define ET_EXEC    2
#define EM_386     3
#define EM_X86_64  62
#define PT_LOAD    1
#define PT_NOTE    4
#define PHNUM_MAX  64u
#define LOADS_MAX  16u
#define NOTE_ENTRY 18 /* XEN_ELFNOTE_PHYS32_ENTRY */

/* struct hvm_start_info, version 1, and what follows it on its page */
#define SI_MAGIC        0x336ec578u
#define SI_SIZE         56u
#define SI_MODULE_AT    64u
#define SI_MODULE_SIZE  32u
#define SI_MEMMAP_AT    96u
#define SI_MEMMAP_ENTRY 24u

/* Where the two ELF classes keep what is needed: offset and width of each field. */
struct field {
    uint8_t at, bytes;
};
struct elf_class {
    uint8_t ehdr_size, phdr_size;
    struct field phoff, phentsize, phnum;
    struct field type, offset, paddr, filesz, memsz, align;
};
static const struct elf_class class32 = {
    52, 32, {0x1c, 4}, {0x2a, 2}, {0x2c, 2}, {0, 4}, {4, 4}, {12, 4}, {16, 4}, {20, 4}, {28, 4},
};
static const struct elf_class class64 = {
    64, 56, {0x20, 8}, {0x36, 2}, {0x38, 2}, {0, 4}, {8, 8}, {24, 8}, {32, 8}, {40, 8}, {48, 8},
};

struct elf {
    const struct elf_class *c;
    const uint8_t *phdr;
    uint32_t phnum;
    bool has_entry;
    uint64_t entry;
    bool entry_loaded; /* the entry point lies in a segment */
    uint32_t loads;
};

static const uint8_t *phdr(const struct elf *e, uint32_t i)
{
    return e->phdr + (size_t)i * e->c->phdr_size;
}

static uint64_t field(const uint8_t *p, struct field f)
{
    return le_load(p + f.at, f.bytes);
}

bool pvh_x86_is(struct blob k)
{
    return k.len >= E_MIN && memcmp(k.data, "\177ELF", 4) == 0;
}

static enum abi_status check_ehdr(const struct plan *p, struct elf *e)
{
    struct blob k = p->cfg->kernel;
    uint64_t phoff;

    e->c = k.data[EI_CLASS] == CLASS64 ? &class64 : &class32;
    if ((k.data[EI_CLASS] != CLASS64 && k.data[EI_CLASS] != CLASS32) ||
        k.data[EI_DATA] != DATA_LSB || le_load(k.data + E_TYPE, 2) != ET_EXEC ||
        (le_load(k.data + E_MACHINE, 2) != EM_X86_64 && le_load(k.data + E_MACHINE, 2) != EM_386)) {
        return plan_fail(p, ABI_BAD_FORMAT, "kernel: not an x86 ELF executable");
    }
    if (k.len < e->c->ehdr_size) {
        return plan_fail(p, ABI_BAD_FORMAT, "kernel: ELF header truncated");
    }
    phoff = field(k.data, e->c->phoff);
    e->phnum = (uint32_t)field(k.data, e->c->phnum);
    if (field(k.data, e->c->phentsize) != e->c->phdr_size || e->phnum == 0 ||
        e->phnum > PHNUM_MAX) {
        return plan_fail(p, ABI_BAD_FORMAT, "kernel: %u program headers of %u bytes", e->phnum,
                         (uint32_t)field(k.data, e->c->phentsize));
    }
    if (phoff > k.len || (uint64_t)e->phnum * e->c->phdr_size > k.len - phoff) {
        return plan_fail(p, ABI_BAD_FORMAT, "kernel: program headers are outside the file");
    }
    e->phdr = k.data + phoff;
    return ABI_OK;
}

/* A segment's bytes in the file, whose range is checked before anything is read. */
static enum abi_status segment_data(const struct plan *p, const struct elf *e, uint32_t i,
                                    struct blob *data)
{
    const uint8_t *ph = phdr(e, i);
    uint64_t offset = field(ph, e->c->offset);
    uint64_t len = field(ph, e->c->filesz);

    if (offset > p->cfg->kernel.len || len > p->cfg->kernel.len - offset) {
        return plan_fail(p, ABI_BAD_FORMAT, "kernel: segment %u is outside the file", i);
    }
    *data = (struct blob){p->cfg->kernel.data + offset, (size_t)len};
    return ABI_OK;
}

static enum abi_status plan_segment(struct plan *p, struct elf *e, uint32_t i, struct blob data)
{
    const uint8_t *ph = phdr(e, i);
    uint64_t at = field(ph, e->c->paddr);
    uint64_t span = field(ph, e->c->memsz);

    if (span < data.len) {
        return plan_fail(p, ABI_BAD_FORMAT, "kernel: segment %u has more bytes than memory", i);
    }
    if (span == 0) {
        return ABI_OK;
    }
    if (++e->loads > LOADS_MAX) {
        return plan_fail(p, ABI_LIMIT, "kernel: more than %u segments", LOADS_MAX);
    }
    e->entry_loaded |= e->entry >= at && e->entry - at < data.len;
    return plan_place(p, "kernel segment",
                      (struct piece){PIECE_KERNEL, at, span, data.data, data.len});
}

static enum abi_status bad_note(const struct plan *p, uint32_t i)
{
    return plan_fail(p, ABI_BAD_FORMAT, "kernel: segment %u: malformed note", i);
}

/* gABI, chapter 5, Note Section: namesz, descsz, type, then name and desc, each padded. */
static enum abi_status read_notes(const struct plan *p, struct elf *e, uint32_t i, struct blob n)
{
    uint64_t pad = field(phdr(e, i), e->c->align) == 8 ? 8 : 4;

    while (n.len >= 12) {
        uint64_t name = le_load(n.data, 4), desc = le_load(n.data + 4, 4);
        uint64_t desc_at = ALIGN_UP(12 + name, pad);
        uint64_t next = ALIGN_UP(desc_at + desc, pad);

        if (desc_at + desc > n.len) {
            return bad_note(p, i);
        }
        if (name == 4 && memcmp(n.data + 12, "Xen", 4) == 0 &&
            le_load(n.data + 8, 4) == NOTE_ENTRY) {
            if (e->has_entry || (desc != 4 && desc != 8)) {
                return bad_note(p, i);
            }
            e->has_entry = true;
            e->entry = le_load(n.data + desc_at, (unsigned int)desc);
        }
        next = MIN(next, n.len);
        n = (struct blob){n.data + next, n.len - (size_t)next};
    }
    return n.len == 0 ? ABI_OK : bad_note(p, i);
}

/* Applies to every segment of one type. */
static enum abi_status each_segment(struct plan *p, struct elf *e, uint32_t type)
{
    for (uint32_t i = 0; i < e->phnum; i++) {
        struct blob data = {NULL, 0};
        enum abi_status st;

        if (field(phdr(e, i), e->c->type) != type) {
            continue;
        }
        st = segment_data(p, e, i, &data);
        if (st == ABI_OK) {
            st = type == PT_NOTE ? read_notes(p, e, i, data) : plan_segment(p, e, i, data);
        }
        if (st != ABI_OK) {
            return st;
        }
    }
    return ABI_OK;
}

static enum abi_status plan_kernel(struct plan *p, struct elf *e)
{
    enum abi_status st = check_ehdr(p, e);

    if (st == ABI_OK) {
        st = each_segment(p, e, PT_NOTE);
    }
    if (st != ABI_OK) {
        return st;
    }
    if (!e->has_entry) {
        return plan_fail(p, ABI_BAD_FORMAT, "kernel: an ELF without a PVH note");
    }
    st = each_segment(p, e, PT_LOAD);
    if (st == ABI_OK && !e->entry_loaded) {
        return plan_fail(p, ABI_BAD_FORMAT, "kernel: entry point %llx is in no segment",
                         (unsigned long long)e->entry);
    }
    return st;
}

static void fill_memmap(uint8_t *page, const struct layout *l)
{
    for (uint32_t i = 0; i < l->map_entries; i++) {
        uint8_t *e = page + SI_MEMMAP_AT + i * SI_MEMMAP_ENTRY;

        le_store(e, 8, l->map[i].at);
        le_store(e + 8, 8, l->map[i].len);
        le_store(e + 16, 4, l->map[i].type);
    }
}

static enum abi_status plan_start_info(struct plan *p, uint64_t ramdisk)
{
    enum { LEN = SI_MEMMAP_AT + LAYOUT_MAP_MAX * SI_MEMMAP_ENTRY };
    uint8_t *si = plan_take(p, LEN);
    bool has_ramdisk = p->cfg->ramdisk.len != 0;

    le_store(si + 0, 4, SI_MAGIC);
    le_store(si + 4, 4, 1); /* version */
    le_store(si + 12, 4, has_ramdisk);
    le_store(si + 16, 8, has_ramdisk ? GPA_BOOT_DATA + SI_MODULE_AT : 0);
    le_store(si + 24, 8, GPA_CMDLINE);
    le_store(si + 32, 8, GPA_ACPI);
    le_store(si + 40, 8, GPA_BOOT_DATA + SI_MEMMAP_AT);
    le_store(si + 48, 4, p->l->map_entries);
    le_store(si + SI_MODULE_AT, 8, ramdisk);
    le_store(si + SI_MODULE_AT + 8, 8, p->cfg->ramdisk.len);
    fill_memmap(si, p->l);
    p->l->entry.boot_data = GPA_BOOT_DATA;
    return plan_place(p, "hvm_start_info",
                      (struct piece){PIECE_BOOT_DATA, GPA_BOOT_DATA, PAGE_SIZE, si, LEN});
}

enum abi_status pvh_x86_plan(struct plan *p)
{
    struct elf e = {0};
    uint64_t ramdisk = 0;
    enum abi_status st = plan_kernel(p, &e);

    if (st == ABI_OK) {
        st = plan_ramdisk(p, p->ram_end, &ramdisk);
    }
    if (st == ABI_OK) {
        st = plan_start_info(p, ramdisk);
    }
    p->l->entry.mode = ENTRY_PVH32;
    p->l->entry.rip = e.entry;
    return st;
}
