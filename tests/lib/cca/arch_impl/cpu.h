/* CPUs of test programs, which are hosts of realms. */
#ifndef TESTS_CCA_CPU_H
#define TESTS_CCA_CPU_H

#include "../../arch_impl/cpu.h"

#define VMIDS 64u

#endif
