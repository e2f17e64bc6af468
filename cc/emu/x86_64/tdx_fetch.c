/* A TD's own memory, where its CPU fetches: what an intercept does not tell of an instruction. */
#include "tdx_core.h"

#include "../../../arch/x86_64/cpu/x86.h"
#include "arch/boot.h"
#include "arch_impl/insn.h"
#include "hv/string.h"

static const void *private_at(struct tdx_vp *vp, uint64_t gpa)
{
    uint64_t entry, size;
    unsigned int level;

    (void)sept_walk(vp->tdr, gpa & ~TDX_SHARED_BIT(false), TDX_4K, &level, &entry);
    if (sept_state_of(entry) != SEPT_MAPPED) {
        return NULL;
    }
    size = TDX_LEVEL_SIZE(level);
    return emu_mem(pa((entry & SEPT_PA) + gpa % size));
}

static const void *virt_at(struct tdx_vp *vp, uint64_t va)
{
    uint64_t table = core_vmcb(vp)->cr3;

    for (unsigned int level = PT_LEVELS - 1;; level--) {
        uint64_t size = BIT(PAGE_SHIFT + 9 * level);
        const uint64_t *pte = private_at(vp, (table & PTE_PA) + (va / size % PT_ENTRIES) * 8);

        if (pte == NULL || (*pte & PTE_P) == 0) {
            return NULL;
        }
        if (level == 0 || (*pte & PTE_PS) != 0) {
            return private_at(vp, (*pte & PTE_PA & ~(size - 1)) + va % size);
        }
        table = *pte;
    }
}

bool core_fetch(struct tdx_vp *vp, uint8_t insn[4])
{
    const struct vmcb *b = core_vmcb(vp);

    if ((b->efer & EFER_LMA) == 0 || (b->cs.attributes & BIT(9)) == 0) {
        return false;
    }
    for (unsigned int i = 0, n; i < 4; i += n) {
        const uint8_t *bytes = virt_at(vp, b->rip + i);

        n = (unsigned int)MIN(4 - i, PAGE_SIZE - (b->rip + i) % PAGE_SIZE);
        if (bytes == NULL) {
            return false;
        }
        memcpy(&insn[i], bytes, n);
    }
    return true;
}
