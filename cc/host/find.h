/* For the prediction library: opens a bundle and finds a domain in it. */
#ifndef CC_HOST_FIND_H
#define CC_HOST_FIND_H

#include "hv/domain.h"

/* name NULL: the bundle's only domain. False: err names domain and cause; else it is empty. */
MUST_CHECK bool predict_find(const void *bundle, size_t len, const char *name,
                             struct domain_config *cfg, char *err, size_t err_size);

#endif
