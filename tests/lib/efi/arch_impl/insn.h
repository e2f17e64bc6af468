/* For tests of the EFI stub: the exception level is what the test says. */
#ifndef TESTS_EFI_INSN_H
#define TESTS_EFI_INSN_H

#include "hv/types.h"

extern uint64_t fake_current_el;
#define sysreg_read(name) fake_##name
#define fake_CurrentEL    fake_current_el

#endif
