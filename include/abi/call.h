/* Numbers of the guest ABI's calls. SPDX: MIT */
#ifndef ABI_CALL_H
#define ABI_CALL_H

#define ABI_VERSION_1_0 0x00010000
#define ABI_CALL_BASE   0x434c0000

#define ABI_CALL(name, index, arguments, values, meaning) ABI_CALL_##name = ABI_CALL_BASE + index,
enum abi_call {
#include "call.def"
};
#undef ABI_CALL

#endif
