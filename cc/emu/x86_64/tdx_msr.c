/*
 * MSRs that a TD does not have: the module answers #GP, where it leaves others to #VE. Facts of the
 * published module's MSR table, for a TD without PERFMON, PKS, SGX, and an XFAM of no more than
 * this chip switches (no PT, CET, LBR, user interrupts).
 */
#include "tdx_core.h"

static const struct {
    uint32_t first, last;
    bool read; /* false: only a write */
} none[] = {
    {0x8c, 0x8f, true},     /* SGX launch key */
    {0x98, 0x9b, true},     /* WBINVDP, WBNOINVDP, INTR_PENDING, SMM_MONITOR_CTL */
    {0x9e, 0x9e, true},     /* SMBASE */
    {0xc1, 0xc8, true},     /* PMC */
    {0xe1, 0xe1, true},     /* UMWAIT_CONTROL */
    {0x122, 0x122, true},   /* TSX_CTRL */
    {0x186, 0x18d, true},   /* PERFEVTSEL */
    {0x195, 0x195, true},   /* OVERCLOCKING_STATUS */
    {0x1a6, 0x1a7, true},   /* OFFCORE_RSP */
    {0x1c4, 0x1c5, true},   /* XFD */
    {0x276, 0x276, true},   /* SLAM_ENABLE */
    {0x309, 0x310, true},   /* FIXED_CTR */
    {0x329, 0x329, true},   /* PERF_METRICS */
    {0x345, 0x345, false},  /* PERF_CAPABILITIES: 0 */
    {0x38d, 0x392, true},   /* PERF_GLOBAL */
    {0x3f1, 0x3f2, true},   /* PEBS */
    {0x3f6, 0x3f7, true},
    {0x480, 0x492, false},  /* VMX */
    {0x4c1, 0x4c8, true},   /* A_PMC */
    {0x500, 0x500, true},   /* SGX_SVN_STATUS */
    {0x560, 0x561, true},   /* PT */
    {0x570, 0x572, true},
    {0x580, 0x587, true},
    {0x6a0, 0x6a0, true},   /* CET */
    {0x6a2, 0x6a2, true},
    {0x6a4, 0x6a8, true},
    {0x6e1, 0x6e1, true},   /* PKRS */
    {0x800, 0x801, true},   /* of x2APIC, what is reserved */
    {0x804, 0x807, true},
    {0x829, 0x82e, true},
    {0x831, 0x831, true},
    {0x840, 0x8ff, true},
    {0x985, 0x98a, true},   /* user interrupts */
    {0xd90, 0xd90, true},   /* BNDCFGS */
    {0xd93, 0xd93, true},   /* PASID */
    {0x1200, 0x12ff, true}, /* LBR */
    {0x14ce, 0x14cf, true},
    {0x1500, 0x16ff, true},
};

bool core_msr_is_none(uint32_t msr, bool write)
{
    for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
        if (msr >= none[i].first && msr <= none[i].last) {
            return write || none[i].read;
        }
    }
    return false;
}
