/* Where the boot code hands over. */
#ifndef HV_INIT_H
#define HV_INIT_H

#include "hv/types.h"

extern const char cloister_version[];

/* Boot CPU, on its own stack, with boot_info filled and the console up. */
NORETURN void hv_main(void);

#endif
