/*
 * Segment descriptors of the guest (APM Vol. 2, 4.7 and 4.8): in pages that it cannot write. Code
 * and data for ring 3, and nothing that leads anywhere else.
 */
#include "page.h"

#define PRESENT   BIT(47)
#define DPL3      (3ull << 45)
#define CODE_DATA BIT(44)
#define TYPE      (15ull << 40)
#define ACCESSED  BIT(40)

bool descriptor_fix(uint64_t *d)
{
    if ((*d & PRESENT) == 0) {
        return true;
    }
    if ((*d & CODE_DATA) != 0) { /* the processor would set the bit, on a page it may not write */
        *d |= DPL3 | ACCESSED;
        return true;
    }
    return (*d & TYPE) == 0; /* the upper half of a system descriptor, or nothing */
}

bool descriptors_check(uint64_t mfn)
{
    uint64_t *d = page_data(mfn);

    for (uint32_t i = 0; i < PAGE_SIZE / sizeof(*d); i++) {
        if (!descriptor_fix(&d[i])) {
            return false;
        }
    }
    return true;
}
