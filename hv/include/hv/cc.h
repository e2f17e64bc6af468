/* The kinds of confidential VM, and which of them this image can run. */
#ifndef HV_CC_H
#define HV_CC_H

#include "hv/domain.h"

/* "none", "sev-snp", "tdx", "cca": as in a domain description. */
const char *cc_name(enum cc_kind kind);
bool cc_present(enum cc_kind kind);

#endif
