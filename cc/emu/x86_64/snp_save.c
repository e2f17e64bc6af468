/*
 * A save area (APM Vol. 2, table B-4) to what this CPU runs, and back: a VMCB of the chip's own,
 * the registers that VMRUN leaves to software, and the x87, SSE and wider state.
 */
#include "snp_core.h"

#include "../../../arch/x86_64/cpu/x86.h"
#include "arch_impl/insn.h"
#include "hv/string.h"

#define SEGMENTS   (10 * sizeof(struct vmcb_segment))
#define MXCSR_BITS 0xffffu
#define XCR0_PKRU  BIT(9)

#define GPRS(m)                                                                                    \
    m(rbx) m(rcx) m(rdx) m(rsi) m(rdi) m(rbp) m(r8) m(r9) m(r10) m(r11) m(r12) m(r13) m(r14) m(r15)
/* Those from CR4 to RIP, and from STAR to SYSENTER_EIP, lie in the same order in both. */
#define SCALARS(m)                                                                                 \
    m(cpl) m(efer) m(cr4) m(cr3) m(cr0) m(dr7) m(dr6) m(rflags) m(rip) m(rsp) m(rax) m(star)       \
    m(lstar) m(cstar) m(sfmask) m(kernel_gs_base) m(sysenter_cs) m(sysenter_esp) m(sysenter_eip)   \
    m(cr2) m(g_pat) m(dbgctl)

/* Two bits a register, 3: empty. The FXSAVE form has one, set: not empty. */
static uint8_t short_tags(uint16_t full)
{
    uint8_t tags = 0;

    for (unsigned int i = 0; i < 8; i++) {
        tags |= (full >> 2 * i & 3) != 3 ? (uint8_t)(1u << i) : 0;
    }
    return tags;
}

/* Which of zero, special and valid a register holds is worked out when it is asked for. */
static uint16_t full_tags(uint8_t tags)
{
    uint16_t full = 0;

    for (unsigned int i = 0; i < 8; i++) {
        full |= (tags >> i & 1) == 0 ? (uint16_t)(3u << 2 * i) : 0;
    }
    return full;
}

static uint8_t *component(struct emu_vcpu *v, unsigned int i)
{
    return (uint8_t *)v->fpu + cpuid(0xd, i).ebx;
}

/* The image in XSAVE's standard form, with every component in use. */
static void load_fpu(struct emu_vcpu *v)
{
    const struct vmsa *s = v->vmsa;
    struct emu_xsave *x = v->fpu;
    uint64_t mask = fpu_xcr0_mask();

    x->fcw = s->x87_fcw;
    x->fsw = s->x87_fsw;
    x->ftw = short_tags(s->x87_ftw);
    x->fop = s->x87_fop;
    x->rip = s->x87_rip;
    x->rdp = s->x87_dp;
    x->mxcsr = s->mxcsr & MXCSR_BITS;
    for (unsigned int i = 0; i < 8; i++) {
        memcpy(x->st[i], s->fpreg_x87 + 10 * i, 10);
    }
    memcpy(x->xmm, s->fpreg_xmm, sizeof(x->xmm));
    if (cpu_features.xsave) {
        x->xstate_bv = mask;
        if ((mask & XCR0_AVX) != 0) {
            memcpy(component(v, 2), s->fpreg_ymm, sizeof(s->fpreg_ymm));
        }
        if ((mask & XCR0_PKRU) != 0) {
            memcpy(component(v, 9), &s->pkru, sizeof(s->pkru));
        }
    }
    v->xcr0 = s->xcr0;
    fpu_load((const uint8_t *)x, v->xcr0);
}

static void store_fpu(struct emu_vcpu *v)
{
    struct vmsa *s = v->vmsa;
    struct emu_xsave *x = v->fpu;
    uint64_t mask = fpu_xcr0_mask();

    fpu_save((uint8_t *)x);
    s->x87_fcw = x->fcw;
    s->x87_fsw = x->fsw;
    s->x87_ftw = full_tags(x->ftw);
    s->x87_fop = x->fop;
    s->x87_rip = x->rip;
    s->x87_dp = x->rdp;
    s->mxcsr = x->mxcsr;
    for (unsigned int i = 0; i < 8; i++) {
        memcpy(s->fpreg_x87 + 10 * i, x->st[i], 10);
    }
    memcpy(s->fpreg_xmm, x->xmm, sizeof(x->xmm));
    if (cpu_features.xsave && (mask & XCR0_AVX) != 0) {
        memcpy(s->fpreg_ymm, component(v, 2), sizeof(s->fpreg_ymm));
    }
    if (cpu_features.xsave && (mask & XCR0_PKRU) != 0) {
        memcpy(&s->pkru, component(v, 9), sizeof(s->pkru));
    }
    s->xcr0 = v->xcr0;
}

bool emu_load_state(struct emu_vcpu *v)
{
    const struct vmsa *s = v->vmsa;
    struct vmcb *b = v->shadow;

    if (s->sev_features != SEV_FEATURE_SNP || s->vmpl >= EMU_VMPLS ||
        !fpu_xcr0_valid(s->xcr0) || s->xss != 0) {
        return false;
    }
    v->vmpl = s->vmpl;
    memcpy(&b->es, &s->es, SEGMENTS);
#define LOAD(f) b->f = s->f;
    SCALARS(LOAD)
#undef LOAD
#define LOAD(f) v->regs.f = s->f;
    GPRS(LOAD)
#undef LOAD
    load_fpu(v);
    if (cpu_features.rdtscp) {
        wrmsr(MSR_TSC_AUX, s->tsc_aux);
    }
    return true;
}

void emu_store_state(struct emu_vcpu *v)
{
    struct vmsa *s = v->vmsa;
    const struct vmcb *b = v->shadow;

    memcpy(&s->es, &b->es, SEGMENTS);
#define STORE(f) s->f = b->f;
    SCALARS(STORE)
#undef STORE
#define STORE(f) s->f = v->regs.f;
    GPRS(STORE)
#undef STORE
    store_fpu(v);
    if (cpu_features.rdtscp) {
        s->tsc_aux = (uint32_t)rdmsr(MSR_TSC_AUX);
    }
}
