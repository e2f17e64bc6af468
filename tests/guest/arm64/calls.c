/* What a guest is told, refused and not shown; and what its exits cost. */
#include "guest.h"

#include "hv/mmio_map.h"

#define NOT_SUPPORTED ((uint64_t)-1)
#define BAD_ARGUMENT  ((uint64_t)-2)
#define BAD_ADDRESS   ((uint64_t)-9)
#define ALREADY_ON    ((uint64_t)-4)
#define ABI_CALLS     0xc6000000u
#define CPU_ON        0xc4000003u
#define ROUNDS        200u

static void psci_answers(void)
{
    const uint64_t wrong[] = {0,          0x84000011, 0x84ffffff,         0xc600ff01,
                              0xffffffff, 0x80008000, 0xdeadbeef84000000 - 1};

    expect("PSCI version", hvc(0x84000000, 0, 0, 0).x[0], 0x10001);
    expect("PSCI version by SMC", smc(0x84000000, 0, 0, 0).x[0], 0x10001);
    expect("SMCCC version", hvc(0x80000000, 0, 0, 0).x[0], 0x10002);
    expect("features of CPU_ON", hvc(0x8400000a, CPU_ON, 0, 0).x[0], 0);
    expect("features of nothing", hvc(0x8400000a, 0x84000055, 0, 0).x[0], NOT_SUPPORTED);
    for (unsigned int i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        expect("an unknown function", hvc(wrong[i], 1, 2, 3).x[0], NOT_SUPPORTED);
    }
    expect("CPU_ON of itself", hvc(CPU_ON, 0, 0x200000, 0).x[0], ALREADY_ON);
    expect("CPU_ON of nobody", hvc(CPU_ON, 1, 0x200000, 0).x[0], BAD_ARGUMENT);
    expect("CPU_ON of affinity 3", hvc(CPU_ON, 1ull << 32, 0x200000, 0).x[0], BAD_ARGUMENT);
    expect("CPU_ON at an odd address", hvc(CPU_ON, 0, 0x200001, 0).x[0], BAD_ADDRESS);
    expect("CPU_ON where no memory is", hvc(CPU_ON, 0, 0x40000000, 0).x[0], BAD_ADDRESS);
    expect("CPU_ON in a device", hvc(CPU_ON, 0, MMIO_UART, 0).x[0], BAD_ADDRESS);
    expect("affinity info", hvc(0xc4000004, 0, 0, 0).x[0], 0);
    expect("affinity info by 32 bits", hvc(0x84000004, 1ull << 32, 1ull << 32, 0).x[0], 0);
    expect("a function by 32 bits", hvc(0xdeadbeef84000000, 0, 0, 0).x[0], 0x10001);
    expect("affinity info of nobody", hvc(0xc4000004, 0xffff, 0, 0).x[0], BAD_ARGUMENT);
}

static void the_abi_answers(void)
{
    struct regs r = hvc(ABI_CALLS, 0, 0, 0);

    expect("ABI call", r.x[0], 0);
    expect("ABI version", r.x[1], 0x10000);
    expect("no values behind it", r.x[2] | r.x[3], 0);
    expect("no such ABI call", hvc(ABI_CALLS + 0x1234, 0, 0, 0).x[0], 1);
}

#define UNDEFINED(name)                                                                            \
    do {                                                                                           \
        uint64_t before_ = exceptions();                                                           \
        (void)read_sysreg(name);                                                                   \
        expect(#name " is undefined", exceptions() - before_, 1);                                  \
        expect(#name " by EC 0", syndrome() >> 26, 0);                                             \
    } while (0)

static void what_is_hidden_is_undefined(void)
{
    write_sysreg(cpacr_el1, 3ull << 16 | 3ull << 20 | 3ull << 24); /* not by EL1's own trap */
    __asm__ volatile("isb" : : : "memory");
    UNDEFINED(s3_3_c9_c12_0);  /* PMCR_EL0 */
    UNDEFINED(s3_0_c1_c2_0);   /* ZCR_EL1 */
    UNDEFINED(s3_0_c15_c2_0);  /* implementation defined */
    UNDEFINED(s3_0_c5_c3_0);   /* ERRIDR_EL1 */
    UNDEFINED(s3_0_c10_c4_4);  /* MPAMIDR_EL1 */
    UNDEFINED(s3_0_c12_c11_5); /* ICC_SGI1R_EL1 is write-only */
}

#define DIT    (1ull << 24)
#define ENIA   (1ull << 31)

/* Enabled by the guest, and hidden all the same. The exception keeps PSTATE.DIT (TakeException). */
static void instructions_that_are_hidden_are_undefined(void)
{
    uint64_t before = exceptions();

    write_sysreg(sctlr_el1, read_sysreg(sctlr_el1) | ENIA);
    write_sysreg(s3_3_c4_c2_5, DIT);
    __asm__ volatile("isb\n\t.inst 0xdac10020" : : : "x0", "memory"); /* PACIA X0, X1 */
    expect("PACIA is undefined", exceptions() - before, 1);
    expect("PACIA by EC 0", syndrome() >> 26, 0);
    expect("DIT is kept", read_sysreg(tpidr_el1), DIT);
    write_sysreg(s3_3_c4_c2_5, 0);
    write_sysreg(sctlr_el1, read_sysreg(sctlr_el1) & ~ENIA);
}

static void features_are_a_list(void)
{
    expect("no EL2, EL3, AArch32, RAS or SVE", read_sysreg(id_aa64pfr0_el1) & 0x00f0fffff000ffffull,
           0x11);
    expect("no pointer authentication", read_sysreg(id_aa64isar1_el1) & 0xff000ff0ull, 0);
    expect("nothing newer", read_sysreg(s3_0_c0_c7_3) | read_sysreg(s3_0_c0_c4_5), 0);
    expect("two breakpoints, two watchpoints, no PMU", read_sysreg(id_aa64dfr0_el1), 0x101006);
    expect("affinity", read_sysreg(mpidr_el1), 0x80000000ull);
    write_sysreg(s2_0_c0_c0_4, UINT64_MAX); /* DBGBVR0_EL1 */
    expect("a breakpoint does not take", read_sysreg(s2_0_c0_c0_4), 0);
}

static void registers_that_nobody_has_read_ones(void)
{
    expect("between devices", load32(MMIO_UART + 0x10000), UINT32_MAX);
    expect("in a device's page", load32(MMIO_VIRTIO + 0x1000 + 0x800), UINT32_MAX);
    store32(MMIO_UART + 0x10000, 0);
    expect("still", load32(MMIO_UART + 0x10000), UINT32_MAX);
    expect("beyond memory", load32(0x40000000), UINT32_MAX);
    expect("the GIC", load32(MMIO_GIC_DIST + 0xffe8), 0x30);
}

/* The virtual timer wakes the CPU, and is pending until it is set anew. */
static void a_timer_wakes_who_waits(void)
{
    uint64_t start = read_sysreg(cntvct_el0);
    uint64_t wait = read_sysreg(cntfrq_el0) / 100;

    store32(MMIO_GIC_DIST, 0x13);
    store32(MMIO_GIC_REDIST + 0x10100, 1u << 27);
    write_sysreg(s3_0_c4_c6_0, 0xff);   /* ICC_PMR_EL1 */
    write_sysreg(s3_0_c12_c12_7, 1);    /* ICC_IGRPEN1_EL1 */
    write_sysreg(cntv_cval_el0, start + wait);
    write_sysreg(cntv_ctl_el0, 1);
    __asm__ volatile("isb; wfi" : : : "memory");
    expect("it was time", read_sysreg(cntvct_el0) - start >= wait, 1);
    expect("an IRQ is pending", read_sysreg(isr_el1) >> 7 & 1, 1);
    expect("it is 27", read_sysreg(s3_0_c12_c12_0), 27); /* ICC_IAR1_EL1 */
    write_sysreg(cntv_ctl_el0, 0);
    write_sysreg(s3_0_c12_c12_1, 27);                    /* ICC_EOIR1_EL1 */
    __asm__ volatile("isb" : : : "memory");
    expect("and it is over", read_sysreg(s3_0_c12_c12_0), 1023);
}

/* It is due at once: out to the hypervisor, back with it in a list register, taken, given back. */
static void take_a_timer(void)
{
    write_sysreg(cntv_cval_el0, 0);
    write_sysreg(cntv_ctl_el0, 1);
    __asm__ volatile("isb" : : : "memory");
    while (read_sysreg(s3_0_c12_c12_0) != 27) {
    }
    write_sysreg(cntv_ctl_el0, 0);
    write_sysreg(s3_0_c12_c12_1, 27);
}

static void costs(void)
{
    uint64_t t[6];

    t[0] = read_sysreg(cntvct_el0);
    for (unsigned int i = 0; i < ROUNDS; i++) {
        (void)hvc(ABI_CALLS, 0, 0, 0);
    }
    t[1] = read_sysreg(cntvct_el0);
    for (unsigned int i = 0; i < ROUNDS; i++) {
        (void)hvc(0x84000000, 0, 0, 0);
    }
    t[2] = read_sysreg(cntvct_el0);
    for (unsigned int i = 0; i < ROUNDS; i++) {
        (void)load32(MMIO_GIC_DIST + 4);
    }
    t[3] = read_sysreg(cntvct_el0);
    for (unsigned int i = 0; i < ROUNDS; i++) {
        (void)read_sysreg(id_aa64isar0_el1);
    }
    t[4] = read_sysreg(cntvct_el0);
    for (unsigned int i = 0; i < ROUNDS; i++) {
        take_a_timer();
    }
    t[5] = read_sysreg(cntvct_el0);
    print_number("cost ABI call", (t[1] - t[0]) / ROUNDS);
    print_number("cost PSCI call", (t[2] - t[1]) / ROUNDS);
    print_number("cost GIC register", (t[3] - t[2]) / ROUNDS);
    print_number("cost ID register", (t[4] - t[3]) / ROUNDS);
    print_number("cost timer exit", (t[5] - t[4]) / ROUNDS);
}

void guest_main(void)
{
    psci_answers();
    the_abi_answers();
    what_is_hidden_is_undefined();
    instructions_that_are_hidden_are_undefined();
    features_are_a_list();
    registers_that_nobody_has_read_ones();
    a_timer_wakes_who_waits();
    costs();
    print("calls: done\n");
    power_off();
}
