#ifndef SNP_VMSA_H
#define SNP_VMSA_H

#include "hv/domain.h"
#include "hv/layout.h"
#include "snp_spec.h"

/* How a piece of a layout is launched. */
enum snp_page_type snp_piece_type(enum piece_kind kind);

void snp_direct_vmsa(struct vmsa *v, const struct vcpu_entry *e, uint64_t features);

#endif
