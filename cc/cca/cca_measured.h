/*
 * What the RMM measures of a realm besides its data: the same for the driver, which asks for it,
 * and for the prediction (host/predict.c).
 */
#ifndef CCA_MEASURED_H
#define CCA_MEASURED_H

#include "cca_spec.h"
#include "hv/domain.h"
#include "hv/string.h"

#define CCA_IPA_BITS 39u /* one root table, at level 1; the upper half is shared */
#define CCA_DEBUG    1u  /* less one: as few breakpoints and watchpoints as there can be */

/* p is zeroed. */
static inline void cca_params(const struct cca_config *c, struct rmi_realm_params *p)
{
    p->s2sz = CCA_IPA_BITS;
    p->num_bps = CCA_DEBUG;
    p->num_wps = CCA_DEBUG;
    p->hash_algo = c->hash == CCA_SHA_256 ? RMI_HASH_SHA_256 : RMI_HASH_SHA_512;
    if (c->rpv.len != 0) {
        memcpy(p->rpv, c->rpv.data, sizeof(p->rpv));
    }
}
_Static_assert(CCA_RPV_SIZE == RMI_RPV_SIZE, "RmiRealmParams");

/* The first REC is runnable; the others are turned on by it, and not measured. */
static inline void cca_first_rec(const struct vcpu_entry *e, struct rmi_rec_params *p)
{
    p->flags = RMI_REC_RUNNABLE;
    p->pc = e->rip;
    p->gprs[0] = e->boot_data;
}

#endif
