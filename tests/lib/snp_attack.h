/* A hostile guest next to another one, and what must be true of the other when it is over. */
#ifndef TESTS_LIB_SNP_ATTACK_H
#define TESTS_LIB_SNP_ATTACK_H

#include "snp_host.h"

#define GHCB_AT LAY_FREE

extern unsigned int attacks; /* hostile acts whose end was looked at */
extern struct vm *bad;
extern struct vcpu *v; /* its first */

/* Both guests are launched, and the hostile one has a GHCB. */
void attack_begin(void);
/* A fresh hostile guest, where the last one has been ended. */
void attack_again(void);
/* Nothing has become of the other guest, no page has two owners, and none is lost. */
void attack_end(void);

void ghcb_clear(void);
/* The hostile guest makes its page there a save area that VMRUN takes. */
void make_vmsa(uint64_t at);
/* The last event was malformed, for that reason, and the guest goes on. */
bool malformed(unsigned int why);
/* The guest was ended with that text. */
bool ended_for(const char *text);

#endif
