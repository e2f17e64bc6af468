#ifndef X86_PAGING_H
#define X86_PAGING_H

#include "../../common/common.h"

/* The root that a CPU starts with: the final mappings, and the first 4 GiB as they are. */
uint64_t paging_boot_root(void);

/* This CPU uses the final mappings from now on. */
void paging_load(void);

#endif
