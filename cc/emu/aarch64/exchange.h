/* System registers that change hands. To most of them a write costs QEMU all its translations, or
 * at least more than a comparison: what has the value already is not written. */
#ifndef CCA_EXCHANGE_H
#define CCA_EXCHANGE_H

#include "arch_impl/insn.h"

#define sysreg_set(name, value)                                                                    \
    do {                                                                                           \
        uint64_t next_ = (value);                                                                  \
        if (sysreg_read(name) != next_) {                                                          \
            sysreg_write(name, next_);                                                             \
        }                                                                                          \
    } while (false)

#define sysreg_exchange(name, keep, value)                                                         \
    do {                                                                                           \
        uint64_t now_ = sysreg_read(name), next_ = (value);                                        \
        (keep) = now_;                                                                             \
        if (next_ != now_) {                                                                       \
            sysreg_write(name, next_);                                                             \
        }                                                                                          \
    } while (false)

#endif
