/* Where the TPM's registers are: the firmware's table TPM2 says that there is one. */
#include "arch/tpm.h"

#include "../boot/acpi.h"
#include "arch/boot.h"
#include "x86.h"

/* PTP 1.05, 6.5.1: fixed, on every PC. */
#define TPM_BASE 0xfed40000u

static volatile uint8_t *registers;

enum tpm_kind arch_tpm_find(void)
{
    if (acpi_tpm() != TPM_NONE) {
        registers = arch_map_device(pa(TPM_BASE), PAGE_SIZE);
    }
    return acpi_tpm();
}

uint64_t arch_tpm_address(void)
{
    return TPM_BASE;
}

uint8_t arch_tpm_read8(uint32_t offset)
{
    return registers[offset];
}

uint32_t arch_tpm_read32(uint32_t offset)
{
    return *(const volatile uint32_t *)(registers + offset);
}

void arch_tpm_write8(uint32_t offset, uint8_t v)
{
    registers[offset] = v;
}

void arch_tpm_write32(uint32_t offset, uint32_t v)
{
    *(volatile uint32_t *)(registers + offset) = v;
}
