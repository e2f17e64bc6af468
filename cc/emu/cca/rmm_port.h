/* What the RMM needs of its machine: aarch64/ in the image, the test's own on a host. */
#ifndef RMM_PORT_H
#define RMM_PORT_H

#include "rmm.h"

/* The granule in the Realm's, or the Non-secure, physical address space. */
void *port_realm(uint64_t pa);
void *port_ns(uint64_t pa);

/* RMM-EL3: false when the monitor refuses. */
bool port_delegate(uint64_t pa);
bool port_undelegate(uint64_t pa);

/* The Realm Attestation Key (48 bytes), and the platform's token for a challenge: its length. */
bool port_realm_key(uint8_t *key);
uint32_t port_platform_token(const uint8_t challenge[32], void *to, size_t size);

/* Translations of that VMID end, on every CPU. */
void port_flush(uint16_t vmid);

/* The CPU's floating-point registers may be used in between. */
void port_fp_begin(void);
void port_fp_end(void);

/* List registers this machine has. */
unsigned int port_lrs(void);

/* Runs the REC until an exception is taken; which one. lrs and hcr are in, and come back. */
enum port_exit { PORT_SYNC, PORT_IRQ, PORT_FIQ, PORT_SERROR };
struct port_gic {
    uint64_t hcr, lrs[RMI_LRS], misr;
};
enum port_exit port_run(struct rec *rec, const struct rd *rd, uint64_t enter_flags,
                        struct port_gic *gic);
/* What is the host's own in the CPU is put aside, and comes back. */
void port_run_begin(struct rec *rec, const struct rd *rd);
void port_run_end(struct rec *rec);
/* The realm takes a synchronous external abort at EL1, as if its last access had caused it. */
void port_inject_abort(struct rec *rec);
void port_inject_undefined(struct rec *rec);
/* System registers that trap: op0, op1, CRn, CRm, op2 as ESR_EL2.ISS has them. */
uint64_t port_sysreg_read(uint32_t name);
void port_sysreg_write(uint32_t name, uint64_t value);

#endif
