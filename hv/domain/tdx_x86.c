/*
 * What a TD's layout has beside the boot protocol's: the shim that it starts in, where the CPU
 * itself starts, and the mailbox by which its CPUs wake each other.
 */
#include "hv/check.h"
#include "hv/shim.h"
#include "hv/string.h"
#include "plan_x86.h"

#define GPA_SHIM (GiB(4) - TDX_SHIM_SIZE)

static enum abi_status place_mailbox(struct plan *p)
{
    return plan_place(p, "wakeup mailbox",
                      (struct piece){PIECE_MAILBOX, GPA_MAILBOX, PAGE_SIZE, plan_take(p, PAGE_SIZE),
                                     PAGE_SIZE});
}

/* Setup data are what the kernel unpacks with: their page is measured as any other. */
static enum abi_status place_unaccepted(struct plan *p, struct unaccepted *later)
{
    uint8_t *setup = plan_take(p, SETUP_EFI_SIZE);
    enum abi_status st = unaccepted_x86_plan(p, setup, later);

    if (st != ABI_OK || later->count == 0) {
        return st;
    }
    le_store(plan_data(p, PIECE_BOOT_DATA) + HDR_SETUP_DATA, 8, GPA_SETUP_DATA);
    return plan_place(p, "setup data",
                      (struct piece){PIECE_SETUP_DATA, GPA_SETUP_DATA, PAGE_SIZE, setup,
                                     SETUP_EFI_SIZE});
}

static enum abi_status place_start(struct plan *p, struct unaccepted *later)
{
    uint8_t *shim = plan_take(p, TDX_SHIM_SIZE);
    uint8_t *page = shim + TDX_SHIM_SIZE - PAGE_SIZE;
    struct shim_table *t = (struct shim_table *)(page + SHIM_TABLE_OFFSET);
    struct shim_places *at = (struct shim_places *)(page + SHIM_PLACES_OFFSET);
    enum abi_status st;

    CHECK(tdx_shim_end - tdx_shim_start == TDX_SHIM_SIZE);
    memcpy(shim, tdx_shim_start, TDX_SHIM_SIZE);
    st = measured_x86_plan(p, (struct shim_measures *)(page + SHIM_MEASURES_OFFSET));
    st = st == ABI_OK ? shim_sort_ram(p, t, later) : st;
    if (st != ABI_OK) {
        return st;
    }
    t->entry = p->l->entry.rip;
    *at = (struct shim_places){
        .boot_data = p->l->entry.boot_data,
        .page_tables = p->l->entry.page_tables,
        .gdt_limit = 0x1f,
        .gdt_base = (uint32_t)p->l->entry.gdt,
        .mailbox = GPA_MAILBOX,
    };
    p->l->entry.rip = 0xfffffff0u;
    return plan_place_reserved(
        p, (struct piece){PIECE_SHIM, GPA_SHIM, TDX_SHIM_SIZE, shim, TDX_SHIM_SIZE});
}

enum abi_status tdx_x86_plan(struct plan *p)
{
    struct unaccepted later;
    enum abi_status st;

    if (p->l->entry.mode != ENTRY_LINUX64) {
        return plan_fail(p, ABI_NOT_SUPPORTED,
                         "kernel: an encrypted guest needs a bzImage, not a PVH ELF file");
    }
    st = place_mailbox(p);
    st = st == ABI_OK ? place_unaccepted(p, &later) : st;
    return st == ABI_OK ? place_start(p, &later) : st;
}
