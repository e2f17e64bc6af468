/*
 * THE SILICON LINE of CCA: a call to the firmware, and nothing else. What answers is the machine's:
 * its own, or the test monitor and RMM of cc/emu/cca, which are images of their own.
 */
#ifndef CCA_HW_H
#define CCA_HW_H

#include "cca_spec.h"

/* X0 to X6 of an SMC: in, and out. */
struct cca_call {
    uint64_t x[7];
};
void cca_hw_smc(struct cca_call *c);

/* ID_AA64PFR0_EL1.RME: does this CPU know Realms? */
MUST_CHECK bool cca_hw_has_rme(void);

#endif
