/* What a unikernel needs of the kind of domain that it is: plain.c, snp.c. */
#ifndef UNIKERNEL_MACHINE_H
#define UNIKERNEL_MACHINE_H

#include "abi/guest.h"

/* Memory that the hypervisor and peers may reach, at addresses that name themselves. */
#define SHARED __attribute__((section(".bss.shared"), aligned(4096)))

int machine_has_abi(void); /* discovery, before any call */
void machine_attest(void); /* prints its evidence */
_Noreturn void machine_off(void);

/* unikernel.c */
void unikernel(void);
void print(const char *text);
void print_number(const char *what, uint64_t n);
void print_bytes(const char *what, const uint8_t *bytes, size_t n);
void must(const char *what, uint64_t status); /* or it says so, and powers off */

#define PM_SLEEP_PORT  0x600u               /* ACPI: sleep control (docs/devices.md) */
#define PM_SLEEP_VALUE (5u << 2 | 0x20)     /* SLP_TYP of S5, SLP_EN */

#endif
