/* What the firmware's Device Tree says of the machine. */
#ifndef AARCH64_MACHINE_H
#define AARCH64_MACHINE_H

#include "arch/cpu.h"
#include "arch/console.h"
#include "hv/types.h"

struct reg {
    uint64_t at, len; /* len 0: there is none */
};

struct machine {
    struct reg gicd, gicr; /* gicr: the first region of redistributors */
    struct reg uart[2];    /* by enum uart */
    bool link_ns16550;     /* the link is no PL011 */
    struct reg rtc;        /* a PL031 */
    bool psci_smc, psci_hvc;
    uint64_t mpidr[CPUS_MAX]; /* affinity fields; the boot CPU's first */
    unsigned int cpus;
};
extern struct machine machine;

/* Fills boot_info and machine; panics for a machine that this cannot run on. */
void fdt_read(pa_t fdt);

#endif
