/* A realm in the making, on the machine of cca_host.h: for tests of the RMM. Each step asserts. */
#ifndef TESTS_LIB_CCA_REALM_H
#define TESTS_LIB_CCA_REALM_H

#include "cca_host.h"

#define CALL(fid, ...) CALL_(fid, __VA_ARGS__, 0, 0, 0, 0)
#define CALL_(fid, a, b, c, d, ...) cca_rmi(fid, a, b, c, d)
#define RTT_ERROR(level) RMI_CODE(RMI_ERROR_RTT, level)

enum { RD = 0, ROOT = 1, PARAMS = 2, L2 = 3, L3 = 4, DATA = 5, REC = 6, AUX = 7, RUN = 8, SRC = 9,
       REC2 = 10, AUX2 = 11, BLOCK = 512 };
#define P(n) cca_page(n)
#define IPA_BITS 39u
#define SHARED   BIT(IPA_BITS - 1)

uint64_t cca_delegate(unsigned int n);
uint64_t cca_create_with(void (*change)(struct rmi_realm_params *p));
void cca_a_realm(void);
void cca_with_tables(void);
void cca_end(unsigned int n);
void cca_end_tables(void);
void cca_end_realm(void);
uint64_t cca_create_rec(unsigned int rec, unsigned int aux, uint64_t mpidr, uint64_t flags);
void cca_a_running_realm(void);
void cca_end_running(void);
uint64_t cca_enter(unsigned int rec);
struct rmi_rec_run *cca_run_page(void);

#endif
