/* What the guest's kernel sees of the CPU when it asks by the forced prefix; Xen's leaves. */
#include "box.h"

#include "boot.h"
#include "snp.h"

#define XEN_EBX 0x566e6558u /* "XenVMMXenVMM" */
#define XEN_ECX 0x65584d4du
#define XEN_EDX 0x4d4d566eu

/* Leaf 1 */
#define C_HIDDEN (BIT(3) | BIT(5) | BIT(17) | BIT(21) | BIT(24) | BIT(26) | BIT(27) | BIT(28) | BIT(12) | BIT(29))
#define C_HYPERVISOR BIT(31)
/* VME DE PSE MCE SEP MTRR PGE MCA PSE36 DS ACPI ACC */
#define D_HIDDEN (BIT(1) | BIT(2) | BIT(3) | BIT(7) | BIT(11) | BIT(12) | BIT(13) | BIT(14) | BIT(17) | BIT(21) | BIT(22) | BIT(29))
/* Leaf 7: FSGSBASE SMEP INVPCID SMAP AVX2 AVX512 PT MPX; PKU OSPKE UMIP LA57 */
#define B7_HIDDEN (BIT(0) | BIT(5) | BIT(7) | BIT(10) | BIT(14) | BIT(16) | BIT(20) | BIT(25) | BIT(1))
#define C7_HIDDEN (BIT(2) | BIT(3) | BIT(4) | BIT(16) | BIT(7) | BIT(9) | BIT(10))
/* 80000001h: SVM, MWAITX, FMA4, XOP; page1gb */
#define CX_HIDDEN (BIT(2) | BIT(3) | BIT(29) | BIT(16) | BIT(11))
#define DX_HIDDEN (BIT(26) | BIT(1) | BIT(2) | BIT(3) | BIT(7) | BIT(12) | BIT(13) | BIT(14) | BIT(17))

void box_cpuid_host(uint32_t leaf, uint32_t subleaf, uint32_t r[4])
{
    if (boot.cc_blob != 0) {
        if (!snp_cpuid(leaf, subleaf, r)) {
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
        r[2] = (r[2] & ~(uint32_t)C_HIDDEN) | (uint32_t)C_HYPERVISOR;
        r[3] &= ~(uint32_t)D_HIDDEN;
        break;
    case 7:
        r[1] &= ~(uint32_t)B7_HIDDEN;
        r[2] &= ~(uint32_t)C7_HIDDEN;
        r[3] = 0;
        break;
    case 0xa: /* performance counters, extended state */
    case 0xd:
        memset(r, 0, 4 * sizeof(r[0]));
        break;
    case 0x80000001:
        r[2] &= ~(uint32_t)CX_HIDDEN;
        r[3] &= ~(uint32_t)DX_HIDDEN;
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
