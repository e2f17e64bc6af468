/* Model-specific registers: a guest's own, and those answered here. APM Vol. 2, Appendix A. */
#include "arch_impl/svm.h"

#include "../cpu/x86.h"
#include "arch_impl/insn.h"
#include "arch/boot.h"
#include "hv/string.h"

uint8_t svm_msrpm[8192] __attribute__((aligned(4096)));
static uint8_t encrypted_msrpm[8192] __attribute__((aligned(4096)));
uint8_t svm_iopm[12288] __attribute__((aligned(4096)));

#define EFER_GUEST (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | BIT(14) /* FFXSR */)

enum {
    MSR_XSS = 0xda0,
    MSR_SEV_ES_GHCB = 0xc0010130,
    MSR_SEV_STATUS = 0xc0010131,
    MSR_TSC = 0x10,
    MSR_BIOS_SIGN = 0x8b,
    MSR_MTRRCAP = 0xfe,
    MSR_SYSENTER_CS = 0x174,
    MSR_SYSENTER_EIP = 0x176,
    MSR_MCG_CAP = 0x179,
    MSR_MCG_STATUS = 0x17a,
    MSR_DEBUGCTL = 0x1d9,
    MSR_MTRR_VAR0 = 0x200,
    MSR_PAT = 0x277,
    MSR_MTRR_DEF = 0x2ff,
    MSR_KVM_WALL = 0x4b564d00,
    MSR_KVM_TIME = 0x4b564d01,
    MSR_STAR = 0xc0000081,
    MSR_SFMASK = 0xc0000084,
    MSR_KERNEL_GS = 0xc0000102,
    MSR_SYSCFG = 0xc0010010,
    MSR_HWCR = 0xc0010015,
    MSR_NB_CFG = 0xc001001f,
    MSR_DE_CFG = 0xc0011029,
};

#define MTRR_VCNT    8u
#define MTRR_CAP     (BIT(10) | BIT(8) | MTRR_VCNT)
#define DE_CFG_LFENCE BIT(1) /* LFENCE is serialising */

/* 15.11: two bits an MSR, read and write; three ranges of 2 KiB. */
static uint32_t permission_bit(uint32_t msr)
{
    uint32_t range = msr >= 0xc0010000 ? 2 : msr >= 0xc0000000 ? 1 : 0;

    return range * 2048 * 8 + (msr & 0x1fff) * 2;
}

static void pass_through(uint8_t *map, uint32_t first, uint32_t last)
{
    for (uint32_t msr = first; msr <= last; msr++) {
        uint32_t bit = permission_bit(msr);

        map[bit / 8] &= (uint8_t) ~(3u << bit % 8);
    }
}

void msr_init(void)
{
    memset(svm_msrpm, 0xff, sizeof(svm_msrpm));
    memset(svm_iopm, 0xff, sizeof(svm_iopm));
    /* All of these are in the VMCB: VMRUN, VMLOAD and VMSAVE switch them. */
    pass_through(svm_msrpm, MSR_SYSENTER_CS, MSR_SYSENTER_EIP);
    pass_through(svm_msrpm, MSR_STAR, MSR_SFMASK);
    pass_through(svm_msrpm, MSR_FS_BASE, MSR_KERNEL_GS);
    /* These are in an encrypted guest's save area, or between it and the chip. */
    memcpy(encrypted_msrpm, svm_msrpm, sizeof(svm_msrpm));
    pass_through(encrypted_msrpm, MSR_EFER, MSR_EFER);
    pass_through(encrypted_msrpm, MSR_PAT, MSR_PAT);
    pass_through(encrypted_msrpm, MSR_XSS, MSR_XSS);
    pass_through(encrypted_msrpm, MSR_SEV_ES_GHCB, MSR_SEV_STATUS);
}

uint64_t svm_encrypted_msrpm(void)
{
    return hva_to_pa(encrypted_msrpm).v;
}

void svm_leave_to_encrypted(uint32_t msr)
{
    pass_through(encrypted_msrpm, msr, msr);
}

static uint64_t *mtrr(struct mtrr_state *m, uint32_t msr)
{
    static const uint16_t fixed[11] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26a,
                                       0x26b, 0x26c, 0x26d, 0x26e, 0x26f};

    if (msr == MSR_MTRR_DEF) {
        return &m->def;
    }
    if (msr >= MSR_MTRR_VAR0 && msr < MSR_MTRR_VAR0 + 2 * MTRR_VCNT) {
        return &m->var[msr - MSR_MTRR_VAR0];
    }
    for (unsigned int i = 0; i < ARRAY_SIZE(fixed); i++) {
        if (msr == fixed[i]) {
            return &m->fixed[i];
        }
    }
    return NULL;
}

static bool is_apic(uint32_t msr)
{
    return msr >= 0x800 && msr <= 0x8ff;
}

#define APIC_BASE_MODE 0xc00u /* EXTD, EN */

static uint64_t apic_base(const struct vcpu *v)
{
    return 0xfee00c00u | (v->index == 0 ? BIT(8) : 0);
}

/*
 * 16.9: disabled -> xAPIC -> x2APIC, and disabled from both. Ours is always an x2APIC, but kernels
 * of another ABI may go round. There is nothing at FEE00000h in xAPIC mode.
 */
static bool set_apic_base(struct vcpu *v, uint64_t value)
{
    uint32_t now = v->arch.apic.base_clear;
    uint64_t to = apic_base(v) ^ value;

    if (to == now) {
        return true;
    }
    if (v->vm->legacy_abi == NULL || (to & ~(uint64_t)APIC_BASE_MODE) != 0) {
        return false;
    }
    if (to != APIC_BASE_MODE && !(to == 0x400 && now == APIC_BASE_MODE) &&
        !(to == 0 && now == 0x400)) {
        return false;
    }
    if (to == APIC_BASE_MODE) {
        vlapic_reset(v);
    }
    v->arch.apic.base_clear = (uint32_t)to;
    return true;
}

static bool is_module(const struct vcpu *v, uint32_t msr)
{
    return v->vm->legacy_abi != NULL && msr >= GUEST_ABI_BASE && msr <= GUEST_ABI_LAST;
}

/* Only with the leaves that tell of it. */
static bool has_kvm_clock(const struct vcpu *v)
{
    return v->vm->legacy_abi == NULL;
}

/* Registers that read as a constant, and whose writes of what they hold already are accepted. */
static bool constant(uint32_t msr, uint64_t *value)
{
    switch (msr) {
    case MSR_MTRRCAP:
        *value = MTRR_CAP;
        return true;
    case MSR_DE_CFG:
        *value = DE_CFG_LFENCE;
        return true;
    case MSR_BIOS_SIGN:
        *value = 0x01000065; /* a microcode level; updates are refused */
        return true;
    case MSR_MCG_CAP:
    case MSR_MCG_STATUS:
    case MSR_SYSCFG:
    case MSR_NB_CFG:
    case MSR_DEBUGCTL:
        *value = 0;
        return true;
    default:
        return false;
    }
}

bool guest_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    struct vmcb *b = v->arch.vmcb;
    const uint64_t *m;

    if (is_apic(msr)) {
        return v->arch.apic.base_clear == 0 && vlapic_read(v, msr, value);
    }
    if (is_module(v, msr)) {
        return v->vm->legacy_abi->rdmsr(v, msr, value);
    }
    m = mtrr(&v->arch.mtrr, msr);
    if (m != NULL) {
        *value = *m;
        return true;
    }
    switch (msr) {
    case MSR_TSC:
        *value = rdtsc() + b->tsc_offset;
        return true;
    case MSR_APIC_BASE:
        *value = apic_base(v) & ~(uint64_t)v->arch.apic.base_clear;
        return true;
    case MSR_TSC_DEADLINE:
        *value = v->arch.apic.tsc_deadline;
        return true;
    case MSR_EFER:
        *value = b->efer & EFER_GUEST;
        return true;
    case MSR_PAT:
        *value = b->g_pat;
        return true;
    case MSR_TSC_AUX:
        *value = v->arch.tsc_aux;
        return true;
    case MSR_HWCR:
        *value = v->arch.hwcr | BIT(24); /* the TSC runs at P0's rate */
        return true;
    case MSR_KVM_TIME:
        *value = v->arch.pvclock;
        return has_kvm_clock(v);
    case MSR_KVM_WALL:
        *value = v->arch.pvwall;
        return has_kvm_clock(v);
    default:
        return constant(msr, value);
    }
}

/* 3.1.7: LMA follows LME and PG; LME may not change while paging is on. */
static bool set_efer(struct vcpu *v, uint64_t value)
{
    struct vmcb *b = v->arch.vmcb;
    uint64_t old = b->efer & EFER_GUEST;

    if ((value & ~EFER_GUEST) != 0 ||
        (((value ^ old) & EFER_LME) != 0 && (b->cr0 & CR0_PG) != 0)) {
        return false;
    }
    b->efer = (value & ~EFER_LMA) | (old & EFER_LMA) | EFER_SVME;
    vmcb_dirty(b, CLEAN_CRX);
    return true;
}

static bool set_pat(struct vcpu *v, uint64_t value)
{
    for (unsigned int i = 0; i < 8; i++) {
        uint64_t type = value >> i * 8 & 0xff;

        if (type > 7 || type == 2 || type == 3) {
            return false;
        }
    }
    v->arch.vmcb->g_pat = value;
    vmcb_dirty(v->arch.vmcb, CLEAN_NP);
    return true;
}

/* RDTSCP and RDPID read it without an exit: it is loaded with the vCPU (svm.c). */
static bool set_tsc_aux(struct vcpu *v, uint64_t value)
{
    if (value >> 32 != 0) {
        return false;
    }
    v->arch.tsc_aux = value;
    if (cpu_features.rdtscp) {
        wrmsr(MSR_TSC_AUX, value);
    }
    return true;
}

static bool set_kvm_clock(struct vcpu *v, uint32_t msr, uint64_t value)
{
    if (!has_kvm_clock(v)) {
        return false;
    }
    if (msr == MSR_KVM_TIME) {
        pvclock_write(v, value);
    } else {
        pvwall_write(v, value);
    }
    return true;
}

bool guest_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value)
{
    uint64_t *m;
    uint64_t fixed;

    if (is_apic(msr) || msr == MSR_TSC_DEADLINE) {
        return v->arch.apic.base_clear == 0 && vlapic_write(v, msr, value);
    }
    if (is_module(v, msr)) {
        return v->vm->legacy_abi->wrmsr(v, msr, value);
    }
    m = mtrr(&v->arch.mtrr, msr);
    if (m != NULL) {
        *m = value; /* kept, no more: memory types come from the PAT and the nested tables */
        return true;
    }
    switch (msr) {
    case MSR_TSC:
        v->arch.vmcb->tsc_offset = value - rdtsc();
        vmcb_dirty(v->arch.vmcb, CLEAN_INTERCEPTS);
        return true;
    case MSR_APIC_BASE:
        return set_apic_base(v, value);
    case MSR_EFER:
        return set_efer(v, value);
    case MSR_PAT:
        return set_pat(v, value);
    case MSR_TSC_AUX:
        return set_tsc_aux(v, value);
    case MSR_HWCR:
        v->arch.hwcr = value & ~BIT(24);
        return true;
    case MSR_KVM_TIME:
    case MSR_KVM_WALL:
        return set_kvm_clock(v, msr, value);
    case MSR_NB_CFG: /* Linux asks for extended configuration by CF8h, and looks if it got it */
        return true;
    case MSR_BIOS_SIGN:
        return value == 0; /* written before the level is read */
    default:
        return constant(msr, &fixed) && value == fixed;
    }
}
