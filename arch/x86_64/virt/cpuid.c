/*
 * What a guest sees of the CPU: the host's leaves, reduced to what this platform gives. Bits that
 * are not listed are zero. APM Vol. 3, Appendix E.
 */
#include "abi/abi.h"
#include "arch_impl/svm.h"

#include "../cpu/x86.h"
#include "arch_impl/insn.h"
#include "hv/string.h"

#define BASIC_MAX    0xdu
#define EXTENDED_MAX 0x80000008u
#define KVM_BASE     0x40000000u /* Linux keeps x2APIC only under a signature that it knows */

/* Leaf 1. Hidden: MONITOR, VMX-likes, PDCM, SDBG; APIC id and counts are set below. */
#define L1_ECX                                                                                     \
    (BIT(0) | BIT(1) | BIT(9) | BIT(12) | BIT(13) | BIT(19) | BIT(20) | BIT(22) | BIT(23) |        \
     BIT(25) | BIT(26) | BIT(28) | BIT(29) | BIT(30))
#define L1_ECX_X2APIC     BIT(21)
#define L1_ECX_DEADLINE   BIT(24)
#define L1_ECX_XSAVE      (BIT(12) | BIT(26) | BIT(28) | BIT(29))
#define L1_ECX_OSXSAVE    BIT(27)
#define L1_ECX_HYPERVISOR BIT(31)
/* FPU VME DE PSE TSC MSR PAE MCE CX8 APIC SEP MTRR PGE MCA CMOV PAT PSE36 CLFSH MMX FXSR SSE SSE2
 * HTT */
#define L1_EDX 0x178bfbffu
/* Leaf 7: FSGSBASE BMI1 AVX2 SMEP BMI2 ERMS AVX512F.. RDSEED ADX SMAP CLFLUSHOPT CLWB SHA */
#define L7_EBX                                                                                     \
    (BIT(0) | BIT(3) | BIT(5) | BIT(7) | BIT(8) | BIT(9) | BIT(16) | BIT(17) | BIT(18) | BIT(19) | \
     BIT(20) | BIT(21) | BIT(23) | BIT(24) | BIT(28) | BIT(29) | BIT(30) | BIT(31))
/* AVX512VBMI UMIP PKU VBMI2 GFNI VAES VPCLMULQDQ VNNI BITALG VPOPCNTDQ RDPID; no OSPKE, LA57 */
#define L7_ECX                                                                                     \
    (BIT(1) | BIT(2) | BIT(3) | BIT(6) | BIT(8) | BIT(9) | BIT(10) | BIT(11) | BIT(12) | BIT(14) | \
     BIT(22))
#define L7_ECX_OSPKE BIT(4)
/* LahfSahf CmpLegacy AltMovCr8 ABM SSE4A MisAlignSse 3DNowPrefetch; no SVM, ExtApicSpace, IBS.. */
#define LX1_ECX (BIT(0) | BIT(1) | BIT(4) | BIT(5) | BIT(6) | BIT(7) | BIT(8))
/* as leaf 1 EDX, and SysCallSysRet NX MmxExt FFXSR Page1GB RDTSCP LM */
#define LX1_EDX 0x2fd3fbffu
#define LX7_EDX_INVARIANT_TSC BIT(8)
/* XSAVEOPT alone; XSAVEC, XSAVES need state that we do not switch */
#define LD1_EAX BIT(0)

/* KVM features: no I/O delay, clocksource2, MSI extended destination, stable clock. */
#define KVM_FEATURES (BIT(1) | BIT(3) | BIT(15) | BIT(24))

static struct {
    uint32_t basic_max, extended_max;
    struct cpuid_regs l0, l1, l7, lx0, lx1;
} host;

void cpuid_policy_init(void)
{
    host.l0 = cpuid(0, 0);
    host.l1 = cpuid(1, 0);
    host.l7 = host.l0.eax >= 7 ? cpuid(7, 0) : (struct cpuid_regs){0, 0, 0, 0};
    host.lx0 = cpuid(0x80000000, 0);
    host.lx1 = cpuid(0x80000001, 0);
    host.basic_max = BASIC_MAX;
    host.extended_max = MIN(host.lx0.eax, EXTENDED_MAX);
}

static struct cpuid_regs leaf1(const struct vcpu *v)
{
    struct cpuid_regs r = host.l1;

    r.ebx = (r.ebx & 0xffff) | MIN(v->vm->vcpus, 255u) << 16 | v->index << 24;
    r.ecx &= (uint32_t)(cpu_features.xsave ? L1_ECX : L1_ECX & ~L1_ECX_XSAVE);
    r.ecx |= (uint32_t)(L1_ECX_X2APIC | L1_ECX_DEADLINE | L1_ECX_HYPERVISOR);
    if (cpu_features.xsave && (v->arch.vmcb->cr4 & CR4_OSXSAVE) != 0) {
        r.ecx |= (uint32_t)L1_ECX_OSXSAVE;
    }
    r.edx &= L1_EDX;
    return r;
}

static struct cpuid_regs leaf7(const struct vcpu *v)
{
    struct cpuid_regs r = {0, host.l7.ebx, host.l7.ecx, host.l7.edx & (uint32_t)BIT(4)};

    r.ebx &= (uint32_t)L7_EBX;
    r.ecx &= (uint32_t)L7_ECX;
    if ((v->arch.vmcb->cr4 & BIT(22)) != 0 && (r.ecx & BIT(3)) != 0) {
        r.ecx |= (uint32_t)L7_ECX_OSPKE;
    }
    return r;
}

/* Leaf Bh: one thread a core, every vCPU a core of one package. */
static struct cpuid_regs topology(const struct vcpu *v, uint32_t sub)
{
    uint32_t bits = 0;

    while (BIT(bits) < v->vm->vcpus) {
        bits++;
    }
    switch (sub) {
    case 0:
        return (struct cpuid_regs){0, 1, 1 << 8, v->index};
    case 1:
        return (struct cpuid_regs){bits, v->vm->vcpus, 2 << 8 | 1, v->index};
    default:
        return (struct cpuid_regs){0, 0, sub & 0xff, v->index};
    }
}

/* Leaf Dh: EBX of subleaf 0 follows the guest's own XCR0, which is loaded now. */
__attribute__((noinline)) static struct cpuid_regs xsave_leaf(uint32_t sub)
{
    struct cpuid_regs r = cpuid(0xd, sub);

    if (!cpu_features.xsave || (sub >= 2 && (sub > 63 || (fpu_xcr0_mask() & BIT(sub)) == 0))) {
        return (struct cpuid_regs){0, 0, 0, 0};
    }
    if (sub == 0) {
        r.eax &= (uint32_t)fpu_xcr0_mask();
        r.edx = 0;
        r.ecx = (uint32_t)fpu_area_size();
    } else if (sub == 1) {
        r = (struct cpuid_regs){r.eax & (uint32_t)LD1_EAX, 0, 0, 0};
    }
    return r;
}

static struct cpuid_regs basic(struct vcpu *v, uint32_t leaf, uint32_t sub)
{
    switch (leaf) {
    case 0:
        return (struct cpuid_regs){host.basic_max, host.l0.ebx, host.l0.ecx, host.l0.edx};
    case 1:
        return leaf1(v);
    case 6:
        return (struct cpuid_regs){BIT(2), 0, 0, 0}; /* ARAT: the timer never stops */
    case 7:
        return sub == 0 ? leaf7(v) : (struct cpuid_regs){0, 0, 0, 0};
    case 0xb:
        return topology(v, sub);
    case 0xd:
        return xsave_leaf(sub);
    default:
        return (struct cpuid_regs){0, 0, 0, 0};
    }
}

__attribute__((noinline)) static struct cpuid_regs extended(const struct vcpu *v, uint32_t leaf)
{
    struct cpuid_regs r;

    switch (leaf) {
    case 0x80000000:
        return (struct cpuid_regs){host.extended_max, host.lx0.ebx, host.lx0.ecx, host.lx0.edx};
    case 0x80000001:
        r = host.lx1;
        r.ecx &= (uint32_t)LX1_ECX;
        r.edx &= LX1_EDX;
        return r;
    case 0x80000002: /* name */
    case 0x80000003:
    case 0x80000004:
    case 0x80000005: /* caches */
    case 0x80000006:
        return cpuid(leaf, 0);
    case 0x80000007:
        return (struct cpuid_regs){0, 0, 0, LX7_EDX_INVARIANT_TSC};
    case 0x80000008:
        r = cpuid(leaf, 0);
        return (struct cpuid_regs){r.eax & 0xffff, r.ebx & 1, v->vm->vcpus - 1, 0};
    default:
        return (struct cpuid_regs){0, 0, 0, 0};
    }
}

static struct cpuid_regs hypervisor(const struct vcpu *v, uint32_t leaf)
{
    struct cpuid_regs r = {0, 0, 0, 0};

    switch (leaf) {
    case KVM_BASE:
        r = (struct cpuid_regs){KVM_BASE + 1, 0x4b4d564b, 0x564b4d56, 0x4d}; /* KVMKVMKVM */
        break;
    case KVM_BASE + 1:
        r.eax = KVM_FEATURES;
        break;
    case ABI_CPUID_BASE:
        r = (struct cpuid_regs){ABI_CPUID_FEATURES, ABI_SIGNATURE_EBX, ABI_SIGNATURE_ECX,
                                ABI_SIGNATURE_EDX};
        break;
    case ABI_CPUID_VERSION:
        r.eax = v->vm->abi_version;
        break;
    case ABI_CPUID_FEATURES:
        r.eax = v->vm->abi_features;
        break;
    default:
        break;
    }
    return r;
}

static ALWAYS_INLINE void store(uint32_t out[4], struct cpuid_regs r)
{
    out[0] = r.eax;
    out[1] = r.ebx;
    out[2] = r.ecx;
    out[3] = r.edx;
}

__attribute__((noinline)) static void own_cpuid(struct vcpu *v, uint32_t leaf, uint32_t sub,
                                                uint32_t out[4])
{
    if (leaf <= host.basic_max) {
        store(out, basic(v, leaf, sub));
    } else if (leaf >= 0x80000000 && leaf <= host.extended_max) {
        store(out, extended(v, leaf));
    } else if (leaf >= KVM_BASE && leaf < KVM_BASE + 0x10000) {
        store(out, hypervisor(v, leaf));
    } else {
        store(out, (struct cpuid_regs){0, 0, 0, 0});
    }
}

/* What is kept over the call of a legacy ABI would cost every other guest a dozen instructions. */
void guest_cpuid(struct vcpu *v, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    const struct guest_abi *legacy = v->vm->legacy_abi;

    if (LIKELY(legacy == NULL) || leaf < GUEST_ABI_BASE || leaf > GUEST_ABI_LAST) {
        own_cpuid(v, leaf, sub, out);
    } else {
        legacy->cpuid(v, leaf, sub, out);
    }
}
