/* The registers of the machine's TPM, locality 0: TCG PC Client Platform TPM Profile 1.05, 6.5. */
#ifndef ARCH_TPM_H
#define ARCH_TPM_H

#include "hv/types.h"

enum tpm_kind { TPM_NONE, TPM_FIFO, TPM_CRB };

/* Boot CPU, when the hypervisor's mappings stand. What the firmware's tables say; or none. */
enum tpm_kind arch_tpm_find(void);
/* offset below 4096; a register of its size, aligned. */
uint8_t arch_tpm_read8(uint32_t offset);
uint32_t arch_tpm_read32(uint32_t offset);
void arch_tpm_write8(uint32_t offset, uint8_t v);
void arch_tpm_write32(uint32_t offset, uint32_t v);
/* CRB: the register page's physical address, which its buffers are told by. */
uint64_t arch_tpm_address(void);

#endif
