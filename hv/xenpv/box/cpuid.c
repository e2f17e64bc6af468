/* What the guest's kernel sees of the CPU when it asks by the forced prefix; Xen's leaves. */
#include "boot.h"
#include "ghcb.h"

#define XEN_EBX 0x566e6558u /* "XenVMMXenVMM" */
#define XEN_ECX 0x65584d4du
#define XEN_EDX 0x4d4d566eu

#define BITS3(a, b, c) (1u << (a) | 1u << (b) | 1u << (c))
#define BITS6(a, b, c, d, e, f) (BITS3(a, b, c) | BITS3(d, e, f))

/* Leaf 1. ECX: MONITOR, VMX, FMA, PCID, x2APIC, TSC-deadline, XSAVE, OSXSAVE, AVX, F16C */
#define ECX1_HIDDEN (BITS6(3, 5, 12, 17, 21, 24) | BITS6(26, 27, 28, 29, 29, 29))
#define ECX1_HYPERVISOR (1u << 31)
/* EDX: VME, DE, PSE, MCE, SEP, MTRR, PGE, MCA, PSE36, DS, ACPI, TM */
#define EDX1_HIDDEN (BITS6(1, 2, 3, 7, 11, 12) | BITS6(13, 14, 17, 21, 22, 29))
/* Leaf 7. EBX: FSGSBASE, TSC_ADJUST, AVX2, SMEP, INVPCID, MPX, AVX512F, SMAP, PT */
#define EBX7_HIDDEN (BITS6(0, 1, 5, 7, 10, 14) | BITS3(16, 20, 25))
/* ECX: UMIP, PKU, OSPKE, SHSTK, VAES, VPCLMULQDQ, LA57 */
#define ECX7_HIDDEN (BITS6(2, 3, 4, 7, 9, 10) | 1u << 16)
/* 80000001h. ECX: SVM, ExtApicSpace, XOP, FMA4, MWAITX */
#define ECX81_HIDDEN (BITS6(2, 3, 11, 16, 29, 29))
/* EDX: as leaf 1, and 1 GiB pages */
#define EDX81_HIDDEN (BITS6(1, 2, 3, 7, 12, 13) | BITS3(14, 17, 26))

void box_cpuid_host(uint32_t leaf, uint32_t subleaf, uint32_t r[4])
{
    if (boot.cc_blob != 0) {
        if (!ghcb_cpuid(leaf, subleaf, r)) {
            memset(r, 0, 4 * sizeof(r[0]));
        }
        return;
    }
    __asm__ volatile("cpuid"
                     : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3])
                     : "a"(leaf), "c"(subleaf));
}

static void xen_leaf(uint32_t leaf, uint32_t r[4])
{
    memset(r, 0, 4 * sizeof(r[0]));
    switch (leaf - XEN_LEAF_SIGNATURE) {
    case 0:
        r[0] = XEN_LEAF_SIGNATURE + 2;
        r[1] = XEN_EBX;
        r[2] = XEN_ECX;
        r[3] = XEN_EDX;
        break;
    case 1:
        r[0] = XEN_VERSION;
        break;
    case 2:
        r[0] = 1; /* hypercall pages */
        r[1] = XEN_MSR_PAGE;
        break;
    default:
        break;
    }
}

static void filter(uint32_t leaf, uint32_t r[4])
{
    switch (leaf) {
    case 1:
        r[2] = (r[2] & ~ECX1_HIDDEN) | ECX1_HYPERVISOR;
        r[3] &= ~EDX1_HIDDEN;
        break;
    case 7:
        r[1] &= ~EBX7_HIDDEN;
        r[2] &= ~ECX7_HIDDEN;
        r[3] = 0;
        break;
    case 0xa: /* performance counters, extended state */
    case 0xd:
        memset(r, 0, 4 * sizeof(r[0]));
        break;
    case 0x80000001:
        r[2] &= ~ECX81_HIDDEN;
        r[3] &= ~EDX81_HIDDEN;
        break;
    case 0x80000008: /* its barriers would be MSRs */
        r[1] = 0;
        break;
    case 0x8000000a:
    case 0x8000001f:
        memset(r, 0, 4 * sizeof(r[0]));
        break;
    default:
        break;
    }
}

void box_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t r[4])
{
    if (leaf >> 16 == XEN_LEAF_SIGNATURE >> 16) {
        xen_leaf(leaf, r);
        return;
    }
    box_cpuid_host(leaf, subleaf, r);
    filter(leaf, r);
}
