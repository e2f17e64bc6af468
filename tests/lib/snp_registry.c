/* Of the technologies, the one at hand. */
#include "snp_host.h"

#include "hv/cc_ops.h"

const struct cc_ops *const cc_registry[] = {&cc_none_ops, &cc_snp_ops};
const unsigned int cc_registry_count = ARRAY_SIZE(cc_registry);
