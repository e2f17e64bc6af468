/*
 * What an SEV-SNP guest's layout has beside the boot protocol's: the C-bit in its page tables, the
 * pages that the firmware fills, the blob that tells Linux about them (Linux,
 * arch/x86/include/asm/sev.h: cc_blob_sev_info), and a shim that validates the rest of memory.
 */
#include "hv/check.h"
#include "hv/shim.h"
#include "hv/string.h"
#include "plan_x86.h"
#include "text.h"

#define GPA_SETUP_DATA 0xb000u
#define GPA_SECRETS    0x98000u /* in the part of the map that is reserved */
#define GPA_CPUID      0x99000u
#define GPA_CC_BLOB    0x9a000u
#define GPA_SHIM       0x9b000u

#define HDR_SETUP_DATA 0x250
#define SETUP_CC_BLOB  7u
#define CC_BLOB_MAGIC  0x45444d41u /* "AMDE" */
#define CC_BLOB_SIZE   40u
#define SETUP_NEXT    32u /* where the next of the setup data is */
#define SETUP_SIZE    (SETUP_NEXT + SETUP_EFI_SIZE)

#define PTE_P  BIT(0)
#define PTE_RW BIT(1)
#define PTE_PS BIT(7)
#define TABLE_ENTRIES 512u
#define LOW_GIB       4u
#define EAGER_MORE    MiB(32)

static const struct piece *piece_of(const struct plan *p, enum piece_kind kind)
{
    for (uint32_t i = 0; i < p->l->pieces; i++) {
        if (p->l->piece[i].kind == kind) {
            return &p->l->piece[i];
        }
    }
    panic("layout without a piece of kind %u", (unsigned int)kind);
}

/* Computed pieces lie in the plan's own scratch memory. */
static uint8_t *piece_data(const struct plan *p, enum piece_kind kind)
{
    return (uint8_t *)(uintptr_t)piece_of(p, kind)->data;
}

/* Every table and page private; beyond 4 GiB by pages of 1 GiB, which every SNP chip has. */
static void encrypt_tables(struct plan *p)
{
    uint8_t *t = piece_data(p, PIECE_PAGE_TABLES);
    uint64_t c = BIT(p->cfg->c_bit);

    for (uint64_t i = LOW_GIB; i < TABLE_ENTRIES; i++) {
        le_store(t + PAGE_SIZE + 8 * i, 8, i * SIZE_1G | PTE_P | PTE_RW | PTE_PS);
    }
    for (uint64_t i = 0; i < (2 + LOW_GIB) * TABLE_ENTRIES; i++) {
        uint64_t pte = le_load(t + 8 * i, 8);

        if ((pte & PTE_P) != 0) {
            le_store(t + 8 * i, 8, pte | c);
        }
    }
}

/* setup: SETUP_SIZE bytes, the blob's entry first. */
static enum abi_status place_blob(struct plan *p, uint8_t *setup)
{
    uint8_t *blob = plan_take(p, CC_BLOB_SIZE);
    enum abi_status st;

    le_store(blob, 4, CC_BLOB_MAGIC);
    le_store(blob + 8, 8, GPA_SECRETS);
    le_store(blob + 16, 4, PAGE_SIZE);
    le_store(blob + 24, 8, GPA_CPUID);
    le_store(blob + 32, 4, PAGE_SIZE);
    le_store(setup + 8, 4, SETUP_CC_BLOB);
    le_store(setup + 12, 4, 4);
    le_store(setup + 16, 4, GPA_CC_BLOB);
    le_store(piece_data(p, PIECE_BOOT_DATA) + HDR_SETUP_DATA, 8, GPA_SETUP_DATA);
    st = plan_place(p, "CC blob",
                    (struct piece){PIECE_CC_BLOB, GPA_CC_BLOB, PAGE_SIZE, blob, CC_BLOB_SIZE});
    return st != ABI_OK ? st
                        : plan_place(p, "setup data",
                                     (struct piece){PIECE_SETUP_DATA, GPA_SETUP_DATA, PAGE_SIZE,
                                                    setup, SETUP_SIZE});
}

static enum abi_status place_firmware_pages(struct plan *p)
{
    enum abi_status st = plan_place(
        p, "secrets page", (struct piece){PIECE_SECRETS, GPA_SECRETS, PAGE_SIZE, NULL, 0});

    return st != ABI_OK ? st
                        : plan_place(p, "CPUID page",
                                     (struct piece){PIECE_CPUID, GPA_CPUID, PAGE_SIZE, NULL, 0});
}

/* The first piece that ends above `at`; its launched pages are [*start, *end). */
static bool next_launched(const struct layout *l, uint64_t at, uint64_t *start, uint64_t *end)
{
    bool found = false;

    for (uint32_t i = 0; i < l->pieces; i++) {
        uint64_t from = ALIGN_DOWN(l->piece[i].at, PAGE_SIZE);
        uint64_t to = piece_launched_end(&l->piece[i]);

        if (to > at && to > from && (!found || from < *start)) {
            *start = from;
            *end = to;
            found = true;
        }
    }
    return found;
}

static enum abi_status add_range(struct plan *p, struct shim_table *t, uint64_t from, uint64_t to)
{
    if (t->count != 0 && t->range[t->count - 1].end == from) {
        t->range[t->count - 1].end = to;
        return ABI_OK;
    }
    if (t->count == SHIM_RANGES_MAX) {
        return plan_fail(p, ABI_LIMIT, "kernel has too many pieces for an encrypted guest");
    }
    t->range[t->count].start = from;
    t->range[t->count].end = to;
    t->count++;
    return ABI_OK;
}

static enum abi_status add_zeros(struct plan *p, uint64_t from, uint64_t to)
{
    if (from >= to) {
        return ABI_OK;
    }
    if (p->l->pieces == LAYOUT_PIECES_MAX) {
        return plan_fail(p, ABI_LIMIT, "kernel has too many pieces for an encrypted guest");
    }
    p->l->piece[p->l->pieces++] = (struct piece){PIECE_ZERO, from, to - from, NULL, 0};
    return ABI_OK;
}

/* What shares 2 MiB with launched pages is launched, too, cleared: what is left is whole 2 MiB. */
static enum abi_status fill_gaps(struct plan *p)
{
    uint64_t at = 0, start = 0, end = 0;
    enum abi_status st = ABI_OK;

    while (st == ABI_OK && next_launched(p->l, at, &start, &end)) {
        uint64_t head = MIN(ALIGN_UP(at, SIZE_2M), start);

        st = add_zeros(p, at, head);
        st = st == ABI_OK ? add_zeros(p, MAX(head, ALIGN_DOWN(start, SIZE_2M)), start) : st;
        at = end;
    }
    return st == ABI_OK ? add_zeros(p, at, ALIGN_UP(at, SIZE_2M)) : st;
}

/*
 * Linux unpacks itself before it can accept memory by more than 4 KiB: that part is accepted by
 * the shim, the kernel's own span and as much again for a place chosen at random.
 */
static uint64_t eager_end(const struct plan *p, const struct piece *kernel)
{
    return MIN(p->ram_end, ALIGN_UP(kernel->at + 2 * kernel->span + EAGER_MORE, SIZE_2M));
}

struct sorting {
    struct shim_table *shim;
    struct unaccepted later; /* count 0: nothing is left for later */
    uint64_t start, end;     /* not this */
};

/* Whole 2 MiB in [from, to): to the shim, or to the kernel's bitmap. */
static enum abi_status sort_range(struct plan *p, struct sorting *s, uint64_t from, uint64_t to)
{
    enum abi_status st = ABI_OK;

    for (uint64_t at = from; at < to && st == ABI_OK; at += SIZE_2M) {
        uint64_t bit = at / SIZE_2M;

        if (bit < s->later.count && (at < s->start || at >= s->end)) {
            s->later.bits[bit / 8] |= (uint8_t)(1u << bit % 8);
        } else {
            st = add_range(p, s->shim, at, at + SIZE_2M);
        }
    }
    return st;
}

/* All RAM that the launch does not put in place itself. */
static enum abi_status sort_ram(struct plan *p, struct sorting *s)
{
    uint64_t high = p->cfg->memory - p->ram_end;
    uint64_t at = 0, start = 0, end = 0;
    enum abi_status st = ABI_OK;

    while (st == ABI_OK && next_launched(p->l, at, &start, &end)) {
        st = sort_range(p, s, at, start);
        at = end;
    }
    st = st == ABI_OK ? sort_range(p, s, at, p->ram_end) : st;
    return st == ABI_OK ? sort_range(p, s, GiB(4), GiB(4) + high) : st;
}

static enum abi_status place_shim(struct plan *p, struct shim_table **table)
{
    size_t code = (size_t)(snp_shim_end - snp_shim_start);
    uint8_t *page = plan_take(p, PAGE_SIZE);

    CHECK(code <= SHIM_TABLE_OFFSET);
    memcpy(page, snp_shim_start, code);
    *table = (struct shim_table *)(page + SHIM_TABLE_OFFSET);
    (*table)->entry = p->l->entry.rip;
    p->l->entry.rip = GPA_SHIM;
    return plan_place(p, "shim",
                      (struct piece){PIECE_SHIM, GPA_SHIM, PAGE_SIZE, page, PAGE_SIZE});
}

static enum abi_status place_unaccepted(struct plan *p, uint8_t *setup, struct sorting *s)
{
    const struct piece *kernel = piece_of(p, PIECE_KERNEL);

    if (!unaccepted_x86_known(kernel, piece_of(p, PIECE_BOOT_DATA))) {
        return ABI_OK;
    }
    s->start = ALIGN_DOWN(kernel->at, SIZE_2M);
    s->end = eager_end(p, kernel);
    le_store(setup, 8, GPA_SETUP_DATA + SETUP_NEXT);
    return unaccepted_x86_plan(p, piece_data(p, PIECE_BOOT_DATA), setup + SETUP_NEXT, s->start,
                               s->end, &s->later);
}

enum abi_status snp_x86_plan(struct plan *p)
{
    uint8_t *setup = plan_take(p, SETUP_SIZE);
    struct sorting s = {0};
    enum abi_status st;

    if (p->l->entry.mode != ENTRY_LINUX64) {
        return plan_fail(p, ABI_NOT_SUPPORTED,
                         "kernel: an encrypted guest needs a bzImage, not a PVH ELF file");
    }
    p->l->snp = &p->cfg->snp;
    encrypt_tables(p);
    st = place_blob(p, setup);
    st = st == ABI_OK ? place_firmware_pages(p) : st;
    st = st == ABI_OK ? place_unaccepted(p, setup, &s) : st;
    st = st == ABI_OK ? place_shim(p, &s.shim) : st;
    st = st == ABI_OK ? fill_gaps(p) : st;
    return st == ABI_OK ? sort_ram(p, &s) : st;
}
