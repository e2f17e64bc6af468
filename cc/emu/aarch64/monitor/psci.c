/* PSCI 1.1 (DEN0022) for the host, and where its CPUs wait. */
#include "monitor.h"

#include "arch_impl/insn.h"

#define PSCI(n)   (0x84000000u + (n))
#define PSCI64(n) (0xc4000000u + (n))
enum {
    PSCI_NOT_SUPPORTED = -1,
    PSCI_INVALID_PARAMETERS = -2,
    PSCI_ALREADY_ON = -4,
    PSCI_ON_PENDING = -5,
};

static struct monitor_cpu *cpu_of(uint64_t mpidr)
{
    uint64_t index = (mpidr & 15) | (mpidr >> 8 & 0xff) << 4;

    return (mpidr & ~0xff0full & 0xff00ffffffull) != 0 || index >= MONITOR_CPUS
               ? NULL
               : &monitor_cpus[index];
}

static int64_t cpu_on(uint64_t mpidr, uint64_t entry, uint64_t argument)
{
    struct monitor_cpu *c = cpu_of(mpidr);
    uint32_t off = CPU_OFF;

    if (c == NULL) {
        return PSCI_INVALID_PARAMETERS;
    }
    if (__atomic_load_n(&c->power, __ATOMIC_ACQUIRE) != off) {
        return c->power == CPU_ON ? PSCI_ALREADY_ON : PSCI_ON_PENDING;
    }
    c->entry = entry;
    c->argument = argument;
    __atomic_store_n(&c->power, CPU_STARTING, __ATOMIC_RELEASE);
    dsb(sy);
    __asm__ volatile("sev");
    return 0;
}

/* Pin 0 of the secure GPIO, a PL061, is the machine's switch; pin 1 its reset. */
static void turn_switch(unsigned int pin)
{
    mmio_write32((void *)(SECURE_GPIO + 0x400), BIT(pin));
    mmio_write32((void *)(SECURE_GPIO + (BIT(pin) << 2)), BIT(pin));
    for (;;) {
        wfi();
    }
}

int64_t psci(const uint64_t *x)
{
    switch (x[0]) {
    case PSCI(0):
        return 0x10001;
    case PSCI(3):
    case PSCI64(3):
        return cpu_on(x[1], x[2], x[3]);
    case PSCI(4):
    case PSCI64(4):
        return cpu_of(x[1]) == NULL ? PSCI_INVALID_PARAMETERS : cpu_of(x[1])->power != CPU_ON;
    case PSCI(6):
        return 2;
    case PSCI(8):
        turn_switch(0);
        return 0;
    case PSCI(9):
        turn_switch(1);
        return 0;
    case PSCI(10):
        return x[1] == PSCI64(3) || x[1] == PSCI64(4) || x[1] == PSCI(0) || x[1] == 0x80000000u
                   ? 0
                   : PSCI_NOT_SUPPORTED;
    case 0x80000000u:
        return 0x10002; /* SMCCC 1.2 */
    default:
        return PSCI_NOT_SUPPORTED;
    }
}

void monitor_pen(unsigned int cpu)
{
    while (__atomic_load_n(&monitor_cpus[cpu].power, __ATOMIC_ACQUIRE) != CPU_STARTING) {
        __asm__ volatile("wfe");
    }
}
