/* What every prediction of a launch begins with. */
#ifndef CC_PREDICT_DOMAIN_H
#define CC_PREDICT_DOMAIN_H

#include "hv/domain.h"

/* Opens the bundle and finds that domain (NULL: its only one); false: err says why. */
MUST_CHECK bool predict_domain(const void *bundle, size_t len, const char *name,
                               struct domain_config *cfg, char *err, size_t err_size);

#endif
