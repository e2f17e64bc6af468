/* What an SEV-SNP guest does by its GHCB. */
#ifndef XENPV_BOX_GHCB_H
#define XENPV_BOX_GHCB_H

#include "box.h"

/* Reads the pages that the firmware filled; by the identity map. */
void ghcb_create(uint64_t cc_blob);
/* Takes pages, 4 KiB each, out of the encrypted memory: identity addresses. */
void ghcb_share(uint64_t pa, uint64_t count);
/* This vCPU's GHCB, in shared memory: its address, and where the box maps it. */
void ghcb_register(uint32_t vcpu, uint64_t pa, void *ghcb);
void ghcb_wrmsr(uint32_t msr, uint64_t value);
void ghcb_outb(uint16_t port, uint8_t value);
/* Starts the processor in long mode, at entry, with those tables and that stack. */
void ghcb_start_vcpu(uint32_t vcpu, uint64_t entry, uint64_t table, uint64_t stack);
uint64_t ghcb_features(void);
bool ghcb_create_vcpu(uint32_t vcpu, uint64_t save_area);
NORETURN void ghcb_terminate(void);
/* From the page that the firmware has checked. */
bool ghcb_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t r[4]);

#endif
