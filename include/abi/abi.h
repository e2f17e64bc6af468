/*
 * The guest ABI: numbers, layouts, limits; from the lists beside this file. C11, C++17 and, but for
 * the structures, assembly. docs/abi.md is the same for people. SPDX: MIT
 */
#ifndef ABI_ABI_H
#define ABI_ABI_H

#include "const.h"

#ifdef __ASSEMBLER__
#include "abi_asm.h"
#else
#include "call.h"
#include "status.h"
#include "abi_struct.h"
#endif

#endif
