#ifndef X86_ACPI_H
#define X86_ACPI_H

#include "hv/types.h"

/* Fills ids with the APIC ids of the enabled CPUs, the boot CPU's first; returns how many. */
unsigned int acpi_cpus(uint32_t boot_id, uint32_t *ids, unsigned int max);

#endif
