/* Numbers of the guest ABI's calls. SPDX: MIT */
#ifndef ABI_CALL_H
#define ABI_CALL_H

#include "const.h"

#define ABI_CALL(name, index, feature, arguments, values, meaning)                                 \
    ABI_CALL_##name = ABI_CALL_BASE + index,
enum abi_call {
#include "call.def"
};

#endif
