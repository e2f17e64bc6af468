/* Every technology of x86 on one fake machine (snp_host.h), as an emulated image has them. */
#ifndef TESTS_LIB_CC_HOST_H
#define TESTS_LIB_CC_HOST_H

#include "snp_host.h"
#include "tdx_cpu.h"

/* The guest makes that page of its RAM private, or shared: 4 KiB. */
bool cc_convert(struct vm *vm, uint64_t gpa, bool private);
/* No page that the TDX module says is a TD's is anybody else's. */
bool cc_tds_pages_are_nobodys(void);

#endif
