/* The technologies in an image for AArch64, in probe order. */
#include "cca/cca.h"
#include "hv/cc_ops.h"

const struct cc_ops *const cc_registry[] = {&cc_none_ops, &cc_cca_ops};
const unsigned int cc_registry_count = ARRAY_SIZE(cc_registry);
