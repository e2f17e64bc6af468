/* The silicon of an image for AArch64: no technology, so nothing is emulated. */
#include "arch/boot.h"

bool silicon_genuine(void)
{
    return true;
}
