/* Frames of the box's that the guest may map. */
#ifndef XENPV_BOX_GRANT_H
#define XENPV_BOX_GRANT_H

#include "page.h"

void grant_create(void);
/* A zeroed one, which is held as writable for good: it is never a table. While the box starts. */
uint64_t frame_for_guest(void);

#endif
