/* BearSSL's headers ask for <string.h>; in the image this is what there is. */
#include "hv/string.h"
