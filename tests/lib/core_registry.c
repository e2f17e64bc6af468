/* The core alone knows one technology: none. */
#include "hv/cc_ops.h"

const struct cc_ops *const cc_registry[] = {&cc_none_ops};
const unsigned int cc_registry_count = 1;
