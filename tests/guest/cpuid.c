/* The CPUID policy, as a table: what a guest must see, and must not. */
#include "guest.h"

static uint32_t reg(uint32_t leaf, uint32_t sub, char which)
{
    struct cpuid_regs r = cpuid(leaf, sub);

    return which == 'a' ? r.eax : which == 'b' ? r.ebx : which == 'c' ? r.ecx : r.edx;
}

/* Bits under the mask have the value, whatever the CPU below is. */
static const struct {
    uint32_t leaf, sub;
    char reg;
    uint32_t mask, value;
    const char *what;
} golden[] = {
    {0, 0, 'a', ~0u, 0xd, "highest basic leaf"},
    {1, 0, 'c', 1u << 31, 1u << 31, "hypervisor"},
    {1, 0, 'c', 1u << 21, 1u << 21, "x2APIC"},
    {1, 0, 'c', 1u << 24, 1u << 24, "TSC-deadline"},
    {1, 0, 'c', 1u << 3, 0, "MONITOR"},
    {1, 0, 'c', 1u << 5, 0, "VMX"},
    {1, 0, 'c', 1u << 15, 0, "PDCM"},
    {1, 0, 'd', 0x02000271, 0x02000271, "FPU TSC MSR PAE APIC SSE"},
    {1, 0, 'd', 1u << 12, 1u << 12, "MTRR"},
    {5, 0, 'a', ~0u, 0, "MONITOR leaf"},
    {5, 0, 'c', ~0u, 0, "MONITOR leaf"},
    {6, 0, 'a', ~0u, 4, "ARAT alone"},
    {6, 0, 'c', ~0u, 0, "APERF/MPERF"},
    {7, 0, 'a', ~0u, 0, "subleaves of 7"},
    {7, 0, 'c', 1u << 16, 0, "LA57"},
    {7, 0, 'b', 1u << 10, 0, "INVPCID"},
    {7, 1, 'a', ~0u, 0, "leaf 7.1"},
    {0xa, 0, 'a', ~0u, 0, "performance counters"},
    {0xb, 0, 'c', 0xff00, 0x100, "thread level"},
    {0xb, 1, 'c', 0xff00, 0x200, "core level"},
    {0xb, 2, 'c', 0xffff, 2, "no third level"},
    {0xd, 1, 'a', ~1u, 0, "no XSAVEC, XSAVES"},
    {0xe, 0, 'a', ~0u, 0, "beyond the highest basic leaf"},
    {0x21, 0, 'b', ~0u, 0, "beyond the highest basic leaf"},
    {0x40000000, 0, 'a', ~0u, 0x40000001, "highest KVM leaf"},
    {0x40000000, 0, 'b', ~0u, 0x4b4d564b, "KVMK"},
    {0x40000000, 0, 'c', ~0u, 0x564b4d56, "VMKV"},
    {0x40000000, 0, 'd', ~0u, 0x4d, "M"},
    {0x40000001, 0, 'a', ~0u, 0x0100800a, "KVM features"},
    {0x40000001, 0, 'd', ~0u, 0, "KVM hints"},
    {0x40000002, 0, 'a', ~0u, 0, "beyond the highest KVM leaf"},
    {0x40000100, 0, 'a', ~0u, 0x40000102, "highest leaf of ours"},
    {0x40000100, 0, 'b', ~0u, 0x696f6c43, "Cloi"},
    {0x40000100, 0, 'c', ~0u, 0x72657473, "ster"},
    {0x40000100, 0, 'd', ~0u, 0, "end of signature"},
    {0x40000101, 0, 'a', ~0u, 0x00010000, "ABI 1.0"},
    {0x40000102, 0, 'a', ~0u, 0x7f, "features of a plain description"},
    {0x40000103, 0, 'a', ~0u, 0, "beyond the highest leaf of ours"},
    {0x80000000, 0, 'a', ~0u, 0x80000008, "highest extended leaf"},
    {0x80000001, 0, 'c', 1u << 2, 0, "SVM"},
    {0x80000001, 0, 'c', 1u << 3, 0, "ExtApicSpace"},
    {0x80000001, 0, 'c', 1u << 10, 0, "IBS"},
    {0x80000001, 0, 'c', 1u << 12, 0, "SKINIT"},
    {0x80000001, 0, 'd', 1u << 29, 1u << 29, "long mode"},
    {0x80000007, 0, 'd', ~0u, 1u << 8, "invariant TSC alone"},
    {0x80000008, 0, 'c', ~0u, 1, "two threads"},
    {0x8000000a, 0, 'a', ~0u, 0, "no SVM leaf"},
    {0x8000001f, 0, 'a', ~0u, 0, "no memory encryption"},
};

static void every_leaf_is_as_the_policy_says(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(golden); i++) {
        uint32_t got = reg(golden[i].leaf, golden[i].sub, golden[i].reg) & golden[i].mask;

        if (got != golden[i].value) {
            fail(__FILE__, __LINE__, "%s: leaf %x.%u e%cx is %x, not %x", golden[i].what,
                 golden[i].leaf, golden[i].sub, golden[i].reg, got, golden[i].value);
        }
    }
}

static void each_vcpu_sees_its_own_id(void *arg)
{
    uint32_t id = (uint32_t)(uint64_t)arg;

    expect_eq(cpuid(1, 0).ebx >> 24, id);
    expect_eq(cpuid(0xb, 0).edx, id);
    expect_eq(cpuid(0xb, 1).edx, id);
    expect_eq(apic_read(APIC_ID), id);
}

static void ids_are_those_of_the_apic(void)
{
    each_vcpu_sees_its_own_id((void *)0);
    expect(smp_start(2));
    cpu_run(1, each_vcpu_sees_its_own_id, (void *)1);
    cpu_join(1);
    expect_eq(cpuid(0xb, 1).ebx, 2);
    expect_eq(cpuid(1, 0).ebx >> 16 & 0xff, 2);
}

static void osxsave_follows_cr4(void)
{
    uint64_t cr4 = read_cr4();

    write_cr4(cr4 & ~CR4_OSXSAVE);
    expect_eq(cpuid(1, 0).ecx & 1u << 27, 0);
    write_cr4(cr4 | CR4_OSXSAVE);
    expect_eq(cpuid(1, 0).ecx & 1u << 27, 1u << 27);
    write_cr4(cr4);
}

static void the_xsave_area_grows_with_xcr0(void)
{
    uint32_t most = cpuid(0xd, 0).ecx;

    xsetbv(0, 1);
    expect_eq(cpuid(0xd, 0).ebx, 576);
    xsetbv(0, cpuid(0xd, 0).eax);
    expect_eq(cpuid(0xd, 0).ebx, most);
}

static void upper_halves_of_registers_become_zero(void)
{
    uint64_t a = ~0ull << 32 | 0x40000000, b = ~0ull, c = ~0ull << 32, d = ~0ull;

    __asm__ volatile("cpuid" : "+a"(a), "+b"(b), "+c"(c), "+d"(d));
    expect_eq((a | b | c | d) >> 32, 0);
}

const struct test tests[] = {
    TEST(every_leaf_is_as_the_policy_says), TEST(ids_are_those_of_the_apic),
    TEST(osxsave_follows_cr4),              TEST(the_xsave_area_grows_with_xcr0),
    TEST(upper_halves_of_registers_become_zero), TEST_END,
};
