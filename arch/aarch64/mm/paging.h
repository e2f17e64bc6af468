#ifndef AARCH64_PAGING_H
#define AARCH64_PAGING_H

#include "../../common/common.h"

/* The root of the final mappings. */
uint64_t paging_root(void);

/* Before them: the direct map of 2 MiB blocks that the range touches, below 4 GiB. */
void paging_boot_map(uint64_t at, uint64_t len);
/* A page of device registers, by the same tables. */
void *paging_boot_device(uint64_t at);

#endif
