#ifndef X86_ACPI_H
#define X86_ACPI_H

#include "arch/tpm.h"
#include "hv/types.h"

/* Fills ids with the APIC ids of the enabled CPUs, the boot CPU's first; returns how many. */
unsigned int acpi_cpus(uint32_t boot_id, uint32_t *ids, unsigned int max);


/* Looks for a TPM, on the boot mappings; and what it found. */
void acpi_read_tpm(void);
enum tpm_kind acpi_tpm(void);

#endif
