/* PSCI 1.1 (DEN0022) for the host, and where its CPUs wait. */
#include "monitor.h"

#include "arch_impl/insn.h"

#define PSCI(n)   (0x84000000u + (n))
#define PSCI64(n) (0xc4000000u + (n))
#define SMCCC_VERSION  0x80000000u
#define SMCCC_FEATURES 0x80000001u
enum {
    PSCI_SUCCESS = 0,
    PSCI_NOT_SUPPORTED = -1,
    PSCI_INVALID_PARAMETERS = -2,
    PSCI_ALREADY_ON = -4,
    PSCI_ON_PENDING = -5,
};
#define MIGRATE_NOT_NEEDED 2

static struct monitor_cpu *cpu_of(uint64_t mpidr)
{
    uint64_t index = (mpidr & 15) | (mpidr >> 8 & 0xff) << 4;

    return (mpidr & ~0xff0full) != 0 || index >= MONITOR_CPUS ? NULL : &monitor_cpus[index];
}

static int64_t cpu_on(uint64_t mpidr, uint64_t entry, uint64_t argument)
{
    struct monitor_cpu *c = cpu_of(mpidr);
    uint32_t state = CPU_OFF;

    if (c == NULL) {
        return PSCI_INVALID_PARAMETERS;
    }
    if (!__atomic_compare_exchange_n(&c->power, &state, (uint32_t)CPU_CLAIMED, false,
                                     __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
        return state == CPU_ON ? PSCI_ALREADY_ON : PSCI_ON_PENDING;
    }
    c->entry = entry;
    c->argument = argument;
    __atomic_store_n(&c->power, (uint32_t)CPU_STARTING, __ATOMIC_RELEASE);
    dsb(sy);
    __asm__ volatile("sev");
    return PSCI_SUCCESS;
}

/* 0 on, 1 off, 2 on its way */
static int64_t affinity_info(uint64_t mpidr, uint64_t level)
{
    const struct monitor_cpu *c = cpu_of(mpidr);
    uint32_t state;

    if (c == NULL || level != 0) {
        return PSCI_INVALID_PARAMETERS;
    }
    state = __atomic_load_n(&c->power, __ATOMIC_ACQUIRE);
    return state == CPU_ON ? 0 : state == CPU_OFF ? 1 : 2;
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

/* Not built, and not listed: CPU_OFF and CPU_SUSPEND, which the hypervisor does without. */
static int64_t features(uint32_t function)
{
    switch (function) {
    case PSCI(0):
    case PSCI(3):
    case PSCI64(3):
    case PSCI(4):
    case PSCI64(4):
    case PSCI(6):
    case PSCI(8):
    case PSCI(9):
    case PSCI(10):
    case SMCCC_VERSION:
        return PSCI_SUCCESS;
    default:
        return PSCI_NOT_SUPPORTED;
    }
}

int64_t psci(const uint64_t *x)
{
    switch ((uint32_t)x[0]) {
    case PSCI(0):
        return 0x10001;
    case PSCI(3):
        return cpu_on((uint32_t)x[1], (uint32_t)x[2], (uint32_t)x[3]);
    case PSCI64(3):
        return cpu_on(x[1], x[2], x[3]);
    case PSCI(4):
        return affinity_info((uint32_t)x[1], (uint32_t)x[2]);
    case PSCI64(4):
        return affinity_info(x[1], x[2]);
    case PSCI(6):
        return MIGRATE_NOT_NEEDED;
    case PSCI(8):
        turn_switch(0);
        return PSCI_SUCCESS;
    case PSCI(9):
        turn_switch(1);
        return PSCI_SUCCESS;
    case PSCI(10):
        return features((uint32_t)x[1]);
    case SMCCC_VERSION:
        return 0x10002;
    case SMCCC_FEATURES:
        return (uint32_t)x[1] == SMCCC_VERSION || (uint32_t)x[1] == SMCCC_FEATURES
                   ? PSCI_SUCCESS
                   : PSCI_NOT_SUPPORTED;
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
