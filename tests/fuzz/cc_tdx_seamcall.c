/*
 * A hostile hypervisor: any sequence of SEAMCALLs on a TD that the production driver launched, and
 * of entries into it. Whatever it does, the TD reaches no page that was not added before it was
 * finalised or accepted by itself, no page has two places, and no lock stays taken.
 */
#include "cc_host.h"

#include "hv/page.h"

#include <stdlib.h>
#include <string.h>

#define PLACES 64u /* guest pages that it plays with, from LAY_FREE on */
#define SPARE  16u /* pages of the host's own */
#define RESET_AFTER 25u /* inputs: each may lose its TD's memory, and its key */

struct input {
    const uint8_t *p;
    size_t len;
};

static struct input in;
static struct vm *vm;
static pa_t spare;
static bool accepted[PLACES];

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

static uint64_t take(size_t n)
{
    uint64_t value = 0;

    n = n < in.len ? n : in.len;
    memcpy(&value, in.p, n);
    in.p += n;
    in.len -= n;
    return value;
}

/* Pages of the host's, of the TD's RAM, control pages, tables; now and then anything. */
static uint64_t page(void)
{
    const struct tdx_td *td = &tdx_of(vm)->td;
    uint8_t pick = (uint8_t)take(1);

    switch (pick >> 5) {
    case 0:
    case 1:
    case 2:
        return spare.v + pick % SPARE * PAGE_SIZE;
    case 3:
        return td->tdr.v;
    case 4:
        return tdx_vcpu_of(vm->vcpu[pick & 1])->tdvpr.v;
    case 5:
        return td->pages->pa[pick % td->pages->count];
    case 6:
        return snp_pa(vm, LAY_FREE + pick % PLACES * PAGE_SIZE).v;
    default:
        return take(8);
    }
}

static uint64_t place(void)
{
    uint8_t pick = (uint8_t)take(1);

    return pick >= 0xf0 ? take(8)
                        : TDX_PAGE(pick >= 0xe0 ? 0 : LAY_FREE + pick % PLACES * PAGE_SIZE,
                                   pick >= 0xe0 ? pick & 3 : 0);
}

static void seamcall(void)
{
    static const uint8_t leaves[] = {
        TDH_MEM_PAGE_AUG,      TDH_MEM_RANGE_BLOCK,  TDH_MEM_TRACK,         TDH_MEM_PAGE_REMOVE,
        TDH_MEM_RANGE_UNBLOCK, TDH_MEM_PAGE_DEMOTE,  TDH_MEM_PAGE_PROMOTE,  TDH_MEM_SEPT_ADD,
        TDH_MEM_SEPT_REMOVE,   TDH_MEM_SEPT_RD,      TDH_MEM_PAGE_ADD,      TDH_MR_EXTEND,
        TDH_MR_FINALIZE,       TDH_MNG_RD,           TDH_PHYMEM_PAGE_RDMD,  TDH_PHYMEM_PAGE_RECLAIM,
        TDH_VP_RD,             TDH_VP_CREATE,        TDH_MNG_ADDCX,         TDH_MNG_INIT};
    uint8_t pick = (uint8_t)take(1);
    struct tdx_regs r = {.rax = leaves[pick % ARRAY_SIZE(leaves)]};

    r.rcx = pick >= 0x20 ? place() : page();
    r.rdx = pick % 16 == 0 ? page() : tdx_of(vm)->td.tdr.v;
    if (r.rax == TDH_MEM_TRACK) {
        r.rcx = r.rdx;
    }
    r.r8 = page();
    r.r9 = page();
    (void)tdx_hw_seamcall(&r);
}

/* The TD looks at one of the places: it is there only if it was accepted since it came. */
static uint64_t looked_at;

static void looks(struct tdx_vp *vp)
{
    uint64_t at, size, i = (looked_at - LAY_FREE) / PAGE_SIZE;

    if (tdx_access(vp, looked_at, EPT_VIOLATION_READ, &at, &size) == TDX_ACCESS_OK) {
        const struct tdx_pamt *e = tdx_pamt_of(at, TDX_4K);

        check(accepted[i]);
        check(e->type == TDX_PT_REG && tdx_owner_of(e) == vp->tdr_pa);
    }
    tdx_exit_async(vp, TDX_EXIT_INTERRUPT, 0, TDX_EEQ_NONE, 0);
}

static void takes(struct tdx_vp *vp)
{
    vp->regs.rax = TDG_MEM_PAGE_ACCEPT;
    vp->regs.rcx = looked_at;
    if (tdx_tdcall(vp) == TDX_RESUME && vp->regs.rax == TDX_SUCCESS) {
        accepted[(looked_at - LAY_FREE) / PAGE_SIZE] = true;
    }
    tdx_exit_async(vp, TDX_EXIT_INTERRUPT, 0, TDX_EEQ_NONE, 0);
}

/* As the hypervisor would, but it handles no exit. */
static void enter(void (*code)(struct tdx_vp *))
{
    uint8_t pick = (uint8_t)take(1);
    struct tdx_vcpu *t = tdx_vcpu_of(vm->vcpu[pick >> 7]);
    struct tdx_regs r = {.rax = TDH_VP_ENTER, .rcx = t->tdvpr.v};

    t->associated = true;
    looked_at = LAY_FREE + pick % PLACES * PAGE_SIZE;
    tdx_cpu_code = code;
    (void)tdx_hw_vp_enter(&r);
    tdx_cpu_code = NULL;
}

/* What is away was not accepted as it comes again. */
static void forget_what_is_away(void)
{
    const struct tdx_tdr *tdr = fake_chip(tdx_of(vm)->td.tdr);

    for (unsigned int i = 0; i < PLACES; i++) {
        unsigned int level;
        uint64_t entry;

        (void)sept_walk(tdr, LAY_FREE + i * PAGE_SIZE, TDX_4K, &level, &entry);
        if (sept_state_of(entry) == SEPT_FREE || sept_state_of(entry) == SEPT_PENDING) {
            accepted[i] = false;
        }
    }
}

static void no_lock_is_left(void)
{
    const struct tdx_tdcs *t = tdx_tdcs_of(fake_chip(tdx_of(vm)->td.tdr));

    check(t->op_lock == 0 && t->sept_lock == 0 && t->epoch_lock == 0 && t->rtmr_lock == 0);
    check(t->refcount[0] == 0 && t->refcount[1] == 0);
    for (unsigned int i = 0; i < SPARE; i++) {
        check(tdx_pamt_of(spare.v + i * PAGE_SIZE, TDX_4K)->lock == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned int inputs;

    in = (struct input){data, size};
    if (inputs++ % RESET_AFTER == 0) {
        snp_boot(MiB(512));
    }
    vm = snp_guest(CC_TDX, 2);
    memset(accepted, 0, sizeof(accepted));
    check(page_alloc(4, PAGE_HV, 0, &spare));
    while (in.len > 0) {
        switch (take(1) % 4) {
        case 0:
            enter(looks);
            break;
        case 1:
            enter(takes);
            break;
        default:
            seamcall();
            break;
        }
        no_lock_is_left();
        forget_what_is_away();
    }
    snp_drop(vm); /* pages that it took back itself are lost to the hypervisor */
    return 0;
}
