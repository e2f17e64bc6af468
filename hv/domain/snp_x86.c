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

#define GPA_SECRETS 0x98000u /* in the part of the map that is reserved */
#define GPA_CPUID   0x99000u
#define GPA_CC_BLOB 0x9a000u
#define GPA_SHIM    0x9b000u

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

/* Every table and page private; beyond 4 GiB by pages of 1 GiB, which every SNP chip has. */
static void encrypt_tables(struct plan *p)
{
    uint8_t *t = plan_data(p, PIECE_PAGE_TABLES);
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
    le_store(plan_data(p, PIECE_BOOT_DATA) + HDR_SETUP_DATA, 8, GPA_SETUP_DATA);
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

    while (st == ABI_OK && shim_next_launched(p->l, at, &start, &end)) {
        uint64_t head = MIN(ALIGN_UP(at, SIZE_2M), start);

        st = add_zeros(p, at, head);
        st = st == ABI_OK ? add_zeros(p, MAX(head, ALIGN_DOWN(start, SIZE_2M)), start) : st;
        at = end;
    }
    return st == ABI_OK ? add_zeros(p, at, ALIGN_UP(at, SIZE_2M)) : st;
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

/* The blob is the first of the setup data, EFI the next where the kernel looks for it. */
static enum abi_status place_unaccepted(struct plan *p, uint8_t *setup, struct unaccepted *u)
{
    enum abi_status st = unaccepted_x86_plan(p, setup + SETUP_NEXT, u);

    if (u->count != 0) {
        le_store(setup, 8, GPA_SETUP_DATA + SETUP_NEXT);
    }
    return st;
}

enum abi_status snp_x86_plan(struct plan *p)
{
    uint8_t *setup = plan_take(p, SETUP_SIZE);
    struct unaccepted later = {0};
    struct shim_table *table;
    enum abi_status st;

    if (p->l->entry.mode != ENTRY_LINUX64) {
        return plan_fail(p, ABI_NOT_SUPPORTED,
                         "kernel: an encrypted guest needs a bzImage, not a PVH ELF file");
    }
    p->l->snp = &p->cfg->snp;
    encrypt_tables(p);
    st = place_blob(p, setup);
    st = st == ABI_OK ? place_firmware_pages(p) : st;
    st = st == ABI_OK ? place_unaccepted(p, setup, &later) : st;
    st = st == ABI_OK ? place_shim(p, &table) : st;
    st = st == ABI_OK ? fill_gaps(p) : st;
    return st == ABI_OK ? shim_sort_ram(p, table, &later) : st;
}
