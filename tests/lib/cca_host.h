/* A machine for the RMM on a host: 16 MiB of memory, a granule protection table, scripted RECs. */
#ifndef TESTS_LIB_CCA_HOST_H
#define TESTS_LIB_CCA_HOST_H

#include "../../cc/emu/cca/rmm_port.h"

#define CCA_HOST_BASE  0x80000000ull
#define CCA_HOST_PAGES 4096u

void cca_host_reset(void);
uint64_t cca_page(unsigned int n); /* the address of the n-th page */
void *cca_bytes(uint64_t pa);
bool cca_is_realm(uint64_t pa);    /* by the granule protection table */
unsigned int cca_realm_pages(void);
void cca_fail_el3(unsigned int n); /* the n-th call of the monitor fails; 0: none */

extern unsigned int cca_flushes;   /* of translations, ever */

/* What a REC does when it runs; NULL: it exits for an interrupt. */
extern enum port_exit (*cca_script)(struct rec *rec);

uint64_t cca_rmi(uint64_t fid, uint64_t a, uint64_t b, uint64_t c, uint64_t d);
uint64_t cca_rmi5(uint64_t fid, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e);
extern struct rmi_call cca_last; /* the last call's values */

#endif
