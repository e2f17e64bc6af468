/* What an SEV-SNP guest does by its GHCB. */
#ifndef XENPV_BOX_SNP_H
#define XENPV_BOX_SNP_H

#include "box.h"

void snp_create(uint64_t cc_blob);
/* Makes pages of the box shared; they are zeroed. */
void snp_share(void *at, size_t len);
void snp_wrmsr(uint32_t msr, uint64_t value);
void snp_outb(uint16_t port, uint8_t value);
void snp_start_vcpu(struct vcpu *v);
NORETURN void snp_terminate(void);
bool snp_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t r[4]);

#endif
