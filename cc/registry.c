/* The technologies in this image, in probe order. */
#include "hv/cc_ops.h"
#include "snp/snp.h"
#include "tdx/tdx_vm.h"

const struct cc_ops *const cc_registry[] = {&cc_none_ops, &cc_snp_ops, &cc_tdx_ops};
const unsigned int cc_registry_count = ARRAY_SIZE(cc_registry);
