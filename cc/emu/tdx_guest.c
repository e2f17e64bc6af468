/* TDCALL: what a TD asks of the module. ABI 5.5. */
#include "tdx_module.h"

#include "hv/string.h"

#include "emu_crypto.h"

#define EEQ_ACCEPT(level) (TDX_EEQ_ACCEPT | (uint64_t)(level) << 32)
#define VMCALL_NEVER      (BIT(0) | BIT(1) | BIT(4)) /* RAX, RCX, RSP */

/* A TD's buffer: bytes that do not cross a page. */
static enum tdx_access buffer(struct tdx_vp *vp, uint64_t gpa, bool write, void **out)
{
    uint64_t at, size;
    enum tdx_access a = tdx_access(vp, gpa, write ? EPT_VIOLATION_WRITE : EPT_VIOLATION_READ, &at,
                                   &size);

    if (a != TDX_ACCESS_OK) {
        return a;
    }
    *out = emu_mem(pa(at));
    if (*out == NULL) { /* only the host's tables can lead nowhere */
        tdx_exit_async(vp, TDX_EXIT_EPT_MISCONFIG, 0, TDX_EEQ_NONE, gpa & PAGE_MASK);
        return TDX_ACCESS_EXIT;
    }
    return TDX_ACCESS_OK;
}

static enum tdx_then not_there(struct tdx_vp *vp, enum tdx_access a, uint64_t gpa)
{
    if (a == TDX_ACCESS_EXIT) {
        return TDX_TD_EXIT;
    }
    if (!tdx_raise_ve(vp, TDX_EXIT_EPT_VIOLATION, EPT_VIOLATION_READ, gpa, 0)) {
        tdx_exit_dead(vp, TDX_NON_RECOVERABLE_VCPU, TDX_EXIT_TRIPLE_FAULT);
        return TDX_TD_EXIT;
    }
    return TDX_INJECT_VE;
}

static enum tdx_then answer(struct tdx_vp *vp, uint64_t st)
{
    vp->regs.rax = st;
    return TDX_RESUME;
}

static enum tdx_then invalid(struct tdx_vp *vp, uint32_t operand)
{
    return answer(vp, tdx_error(TDX_OPERAND_INVALID, operand));
}

static enum tdx_then vmcall(struct tdx_vp *vp)
{
    uint64_t rcx = vp->regs.rcx, never = VMCALL_NEVER;

    if ((vp->tdcs->config_flags & TD_CONFIG_NO_RBP_MOD) != 0) {
        never |= BIT(5);
    }
    if ((rcx >> 32) != 0 || (rcx & never) != 0) {
        return invalid(vp, TDX_RCX);
    }
    vp->exit = (struct tdx_exit_info){.rax = TDX_EXIT_TDCALL, .tdvmcall = true};
    return TDX_TD_EXIT;
}

static enum tdx_then vp_info(struct tdx_vp *vp)
{
    struct tdx_regs *r = &vp->regs;

    r->rcx = 48;
    r->rdx = vp->tdcs->attributes;
    r->r8 = __atomic_load_n(&vp->tdcs->num_vcpus, __ATOMIC_RELAXED) |
            (uint64_t)vp->tdcs->max_vcpus << 32;
    r->r9 = vp->index;
    r->r10 = 0; /* no TDG.SYS.RD */
    r->r11 = 0;
    return answer(vp, TDX_SUCCESS);
}

static enum tdx_then veinfo_get(struct tdx_vp *vp)
{
    struct tdx_regs *r = &vp->regs;
    struct tdx_ve_info v = vp->ve;

    vp->ve.valid = 0;
    if (v.valid == 0) {
        v = (struct tdx_ve_info){0};
    }
    r->rcx = v.reason;
    r->rdx = v.qualification;
    r->r8 = v.gla;
    r->r9 = v.gpa;
    r->r10 = v.instruction;
    return answer(vp, v.valid == 0 ? tdx_error(TDX_NO_VALID_VE_INFO, 0) : TDX_SUCCESS);
}

/* RTMR[n] = SHA384(RTMR[n] | 48 bytes): BASE 12.2 */
static enum tdx_then rtmr_extend(struct tdx_vp *vp)
{
    uint64_t gpa = vp->regs.rcx, n = vp->regs.rdx;
    struct tdx_call c = {0};
    uint8_t both[96];
    enum tdx_access a;
    void *data;

    if (!IS_ALIGNED(gpa, 64) || !sept_gpa_ok(vp->tdcs, gpa)) {
        return invalid(vp, TDX_RCX);
    }
    a = buffer(vp, gpa, false, &data);
    if (a != TDX_ACCESS_OK) {
        return not_there(vp, a, gpa);
    }
    if (n >= TDX_RTMRS) {
        return invalid(vp, TDX_RDX);
    }
    if (!tdx_hold(&c, &vp->tdcs->rtmr_lock, true)) {
        return answer(vp, tdx_error(TDX_OPERAND_BUSY, TDX_RTMR));
    }
    memcpy(both, vp->tdcs->rtmr[n], 48);
    memcpy(&both[48], data, 48);
    emu_fpu_begin();
    emu_sha384(both, sizeof(both), vp->tdcs->rtmr[n]);
    emu_fpu_end();
    tdx_drop_all(&c);
    return answer(vp, TDX_SUCCESS);
}

static bool gpa_in_reach(const struct tdx_vp *vp, uint64_t gpa)
{
    return gpa < TDX_SHARED_BIT((vp->tdcs->config_flags & TD_CONFIG_GPAW) != 0) * 2;
}

static enum tdx_then report(struct tdx_vp *vp)
{
    uint64_t to = vp->regs.rcx, from = vp->regs.rdx;
    struct tdx_call c = {0};
    struct tdx_report made;
    enum tdx_access a;
    uint8_t nonce[64];
    void *p;

    if (!IS_ALIGNED(to, sizeof(made)) || !gpa_in_reach(vp, to)) {
        return invalid(vp, TDX_RCX);
    }
    if (!IS_ALIGNED(from, sizeof(nonce)) || !gpa_in_reach(vp, from)) {
        return invalid(vp, TDX_RDX);
    }
    a = buffer(vp, from, false, &p);
    if (a != TDX_ACCESS_OK) {
        return not_there(vp, a, from);
    }
    if (vp->regs.r8 != 0) { /* the subtype */
        return invalid(vp, TDX_R8);
    }
    memcpy(nonce, p, sizeof(nonce));
    if (!tdx_hold(&c, &vp->tdcs->rtmr_lock, false)) {
        return answer(vp, tdx_error(TDX_OPERAND_BUSY, TDX_RTMR));
    }
    tdx_report_make(vp->tdcs, nonce, &made);
    tdx_drop_all(&c);
    a = buffer(vp, to, true, &p);
    if (a != TDX_ACCESS_OK) {
        return not_there(vp, a, to);
    }
    memcpy(p, &made, sizeof(made));
    return answer(vp, TDX_SUCCESS);
}

static enum tdx_then cpuidve_set(struct tdx_vp *vp)
{
    if ((vp->regs.rcx & ~3ull) != 0) {
        return invalid(vp, TDX_RCX);
    }
    vp->cpuid_ve_supervisor = (vp->regs.rcx & 1) != 0;
    vp->cpuid_ve_user = (vp->regs.rcx & 2) != 0;
    return answer(vp, TDX_SUCCESS);
}

/* The page of that size is pending: it becomes the TD's, and zero. */
static enum tdx_then accept_entry(struct tdx_vp *vp, uint64_t *e, uint64_t gpa, unsigned int level)
{
    struct tdx_call c = {0};
    uint64_t now;

    if (!tdx_hold_entry(&c, e)) {
        return answer(vp, tdx_error(TDX_OPERAND_BUSY, TDX_RCX));
    }
    now = sept_get(e);
    switch (sept_state_of(now)) {
    case SEPT_PENDING:
        tdx_page_blank(now & SEPT_PA, level);
        sept_set(e, sept_entry(SEPT_MAPPED, now));
        tdx_drop_all(&c);
        return answer(vp, TDX_SUCCESS);
    case SEPT_MAPPED:
        tdx_drop_all(&c);
        return answer(vp, tdx_error(TDX_PAGE_ALREADY_ACCEPTED, level));
    case SEPT_NL_MAPPED:
    case SEPT_NL_BLOCKED:
        tdx_drop_all(&c);
        return answer(vp, tdx_error(TDX_PAGE_SIZE_MISMATCH, level));
    case SEPT_FREE:
    case SEPT_BLOCKED:
    case SEPT_PENDING_BLOCKED:
        break;
    }
    tdx_drop_all(&c);
    tdx_exit_async(vp, TDX_EXIT_EPT_VIOLATION, EPT_VIOLATION_WRITE, EEQ_ACCEPT(level), gpa);
    return TDX_TD_EXIT;
}

static enum tdx_then page_accept(struct tdx_vp *vp)
{
    uint64_t rcx = vp->regs.rcx, gpa = rcx & SEPT_PA, now;
    unsigned int want = rcx & 7, level;
    uint64_t *e;

    if ((rcx & ~(SEPT_PA | 7)) != 0 || want > TDX_2M || !IS_ALIGNED(gpa, TDX_LEVEL_SIZE(want)) ||
        !sept_gpa_ok(vp->tdcs, gpa)) {
        return invalid(vp, TDX_RCX);
    }
    e = sept_walk(vp->tdr, gpa, want, &level, &now);
    if (e != NULL) {
        return accept_entry(vp, e, gpa, want);
    }
    if (sept_state_of(now) == SEPT_MAPPED) {
        return answer(vp, tdx_error(TDX_PAGE_ALREADY_ACCEPTED, level));
    }
    tdx_exit_async(vp, TDX_EXIT_EPT_VIOLATION, EPT_VIOLATION_WRITE, EEQ_ACCEPT(want), gpa);
    return TDX_TD_EXIT;
}

static enum tdx_then vm_rd(struct tdx_vp *vp)
{
    struct tdx_regs *r = &vp->regs;
    uint64_t field = r->rdx, value = 0;

    r->r8 = 0;
    r->rdx = ~0ull;
    if (r->rcx != 0) { /* this TD */
        return invalid(vp, TDX_RCX);
    }
    if (!tdx_td_field(vp->tdcs, field, false, &value)) {
        return answer(vp, tdx_error(TDX_METADATA_FIELD_ID_INCORRECT, 0));
    }
    r->r8 = value;
    return answer(vp, TDX_SUCCESS);
}

static enum tdx_then vm_wr(struct tdx_vp *vp)
{
    struct tdx_regs *r = &vp->regs;
    uint64_t value = r->r8, mask = r->r9, old = 0;
    enum tdx_status st;

    r->r8 = 0;
    if (r->rcx != 0) {
        return invalid(vp, TDX_RCX);
    }
    st = tdx_td_write(vp->tdcs, r->rdx, value, mask, &old);
    r->r8 = old;
    return answer(vp, tdx_error(st, 0));
}

enum tdx_then tdx_tdcall(struct tdx_vp *vp)
{
    uint64_t rax = vp->regs.rax;

    if ((rax & ~0xffffffull) != 0 || TDX_VERSION(rax) > (TDX_LEAF(rax) == TDG_VM_RD ? 1 : 0)) {
        return invalid(vp, TDX_RAX);
    }
    switch (TDX_LEAF(rax)) {
    case TDG_VP_VMCALL:
        return vmcall(vp);
    case TDG_VP_INFO:
        return vp_info(vp);
    case TDG_MR_RTMR_EXTEND:
        return rtmr_extend(vp);
    case TDG_VP_VEINFO_GET:
        return veinfo_get(vp);
    case TDG_MR_REPORT:
        return report(vp);
    case TDG_VP_CPUIDVE_SET:
        return cpuidve_set(vp);
    case TDG_MEM_PAGE_ACCEPT:
        return page_accept(vp);
    case TDG_VM_RD:
        return vm_rd(vp);
    case TDG_VM_WR:
        return vm_wr(vp);
    default:
        return invalid(vp, TDX_RAX);
    }
}
