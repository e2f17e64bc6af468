/*
 * What a TD's access to a guest-physical address meets: the secure EPT below the SHARED bit, the
 * host's own tables above it. BASE 8.5, 16; SDM Vol. 3, 29.3.
 */
#include "tdx_module.h"

#include "hv/string.h"

#define EPT_LEAF        BIT(7)
#define EPT_SUPPRESS_VE BIT(63)
#define TD_CTLS_NO_VE   BIT(0)

void tdx_exit_async(struct tdx_vp *vp, uint64_t reason, uint64_t qualification, uint64_t extended,
                    uint64_t gpa)
{
    vp->exit = (struct tdx_exit_info){
        .rax = tdx_error(TDX_SUCCESS, (uint32_t)reason),
        .qualification = (uint32_t)qualification,
        .extended = extended,
        .gpa = gpa,
    };
}

void tdx_exit_dead(struct tdx_vp *vp, enum tdx_status code, uint64_t reason)
{
    vp->exit = (struct tdx_exit_info){.rax = tdx_error(code, (uint32_t)reason)};
    vp->state = VP_DISABLED;
    if (code == TDX_NON_RECOVERABLE_TD) {
        vp->tdr->fatal = 1;
    }
}

bool tdx_raise_ve(struct tdx_vp *vp, uint32_t reason, uint64_t qualification, uint64_t gpa,
                  uint64_t instruction)
{
    if (vp->ve.valid != 0) {
        return false;
    }
    vp->ve = (struct tdx_ve_info){
        .valid = 0xffffffff,
        .reason = reason,
        .qualification = qualification,
        .gpa = gpa,
        .instruction = instruction,
    };
    return true;
}

static enum tdx_access private(struct tdx_vp *vp, uint64_t gpa, uint64_t violation, uint64_t *at,
                               uint64_t *size)
{
    uint64_t entry;
    unsigned int level;
    bool pending;

    (void)sept_walk(vp->tdr, gpa, TDX_4K, &level, &entry);
    pending = sept_state_of(entry) == SEPT_PENDING;
    if (sept_state_of(entry) == SEPT_MAPPED) {
        tdx_page_fill(entry & SEPT_PA, level);
        *size = TDX_LEVEL_SIZE(level);
        *at = (entry & SEPT_PA) + gpa % *size;
        return TDX_ACCESS_OK;
    }
    if (pending && (vp->tdcs->td_ctls & TD_CTLS_NO_VE) == 0) {
        return TDX_ACCESS_VE;
    }
    tdx_exit_async(vp, TDX_EXIT_EPT_VIOLATION, violation,
                   pending ? TDX_EEQ_PENDING : TDX_EEQ_NONE, gpa & PAGE_MASK);
    return TDX_ACCESS_EXIT;
}

/* The host's tables have the SHARED bit in their addresses. It may be careless with them. */
static enum tdx_access shared(struct tdx_vp *vp, uint64_t gpa, uint64_t violation, uint64_t *at,
                              uint64_t *size)
{
    uint64_t table = vp->shared_eptp;

    for (unsigned int level = TDX_512G; tdx_shared_hpa_ok(table, PAGE_SIZE); level--) {
        const uint64_t *page = emu_mem(pa(table));
        uint64_t entry = __atomic_load_n(&page[gpa >> (PAGE_SHIFT + 9 * level) & 511],
                                         __ATOMIC_ACQUIRE);

        if ((entry & SEPT_RWX) == 0) {
            if ((entry & EPT_SUPPRESS_VE) == 0) {
                return TDX_ACCESS_VE;
            }
            break;
        }
        if (level == TDX_4K || ((entry & EPT_LEAF) != 0 && level < TDX_512G)) {
            if ((entry & violation & SEPT_RWX) != (violation & SEPT_RWX)) {
                break;
            }
            *size = TDX_LEVEL_SIZE(level);
            *at = (entry & SEPT_PA & ~(*size - 1)) + gpa % *size;
            return TDX_ACCESS_OK;
        }
        table = entry & SEPT_PA;
    }
    tdx_exit_async(vp, TDX_EXIT_EPT_VIOLATION, violation, TDX_EEQ_NONE, gpa & PAGE_MASK);
    return TDX_ACCESS_EXIT;
}

enum tdx_access tdx_access(struct tdx_vp *vp, uint64_t gpa, uint64_t violation, uint64_t *at,
                           uint64_t *size)
{
    uint64_t bit = TDX_SHARED_BIT((vp->tdcs->config_flags & TD_CONFIG_GPAW) != 0);

    return (gpa & bit) != 0 ? shared(vp, gpa, violation, at, size)
                            : private(vp, gpa, violation, at, size);
}
