/* Statuses of the guest ABI; the same numbers serve inside the hypervisor. SPDX: MIT */
#ifndef ABI_STATUS_H
#define ABI_STATUS_H

#define ABI_STATUS(name, number, meaning) ABI_##name = number,
enum abi_status {
#include "status.def"
};

#endif
