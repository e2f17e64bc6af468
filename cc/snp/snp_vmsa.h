#ifndef SNP_VMSA_H
#define SNP_VMSA_H

#include "hv/domain.h"
#include "snp_spec.h"

void snp_direct_vmsa(struct vmsa *v, const struct vcpu_entry *e, uint64_t features);

#endif
