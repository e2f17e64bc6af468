#ifndef X86_PAGING_H
#define X86_PAGING_H

#include "hv/pt.h"
#include "hv/types.h"

/* Adds to the hypervisor's own mappings; boot only, so no other CPU holds a stale entry. */
void paging_map(uint64_t va, pa_t to, uint64_t len, unsigned int attr);

/* The root that a CPU starts with: the final mappings, and the first 4 GiB as they are. */
uint64_t paging_boot_root(void);

/* This CPU uses the final mappings from now on. */
void paging_load(void);

#endif
