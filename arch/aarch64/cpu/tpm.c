/* Not built: machines of this kind reach their TPM through firmware services or SPI. */
#include "arch/tpm.h"

#include "hv/check.h"

enum tpm_kind arch_tpm_find(void)
{
    return TPM_NONE;
}

uint64_t arch_tpm_address(void)
{
    return 0;
}

uint8_t arch_tpm_read8(uint32_t offset)
{
    panic("no TPM register %x", offset);
}

uint32_t arch_tpm_read32(uint32_t offset)
{
    panic("no TPM register %x", offset);
}

void arch_tpm_write8(uint32_t offset, uint8_t v)
{
    panic("no TPM register %x for %x", offset, v);
}

void arch_tpm_write32(uint32_t offset, uint32_t v)
{
    panic("no TPM register %x for %x", offset, v);
}
