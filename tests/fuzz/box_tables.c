/*
 * A PV64 kernel that changes its page tables at random. Each operation is five bytes: which, two
 * frames, an index, flags; after each, nothing may be broken.
 */
#include <stdlib.h>

#include "box_host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t entry_of(const uint8_t *op)
{
    uint64_t flags = (op[4] & 0x9fu) | (op[4] & 0x20u ? PTE_NX : 0);

    return host_mfn(op[2] % (HOST_FRAMES + 2)) << PAGE_SHIFT | flags;
}

static void operate(const uint8_t *op)
{
    uint64_t frame = op[1] % (HOST_FRAMES + 2), index = op[3] * 2u;

    switch (op[0] % 8) {
    case 0:
        (void)host_map(frame * PAGE_SIZE, entry_of(op));
        break;
    case 1:
    case 2:
        (void)host_update(host_mfn(frame) << PAGE_SHIFT | index * 8 | (op[0] & 0x80 ? 2 : 0),
                          entry_of(op));
        break;
    case 3:
        (void)host_extended(MMUEXT_PIN_L1 + op[2] % 4, host_mfn(frame), 0);
        break;
    case 4:
        (void)host_extended(MMUEXT_UNPIN, host_mfn(frame), 0);
        break;
    case 5:
        (void)host_extended(op[2] & 1 ? MMUEXT_NEW_BASEPTR : MMUEXT_NEW_USER_BASEPTR,
                            op[4] == 0 ? 0 : host_mfn(frame), 0);
        break;
    case 6:
        (void)host_extended(op[2] & 1 ? MMUEXT_CLEAR_PAGE : MMUEXT_COPY_PAGE, host_mfn(frame),
                            host_mfn(op[3] % HOST_FRAMES));
        break;
    default:
        (void)host_extended(MMUEXT_SET_LDT, frame * PAGE_SIZE, op[2] * 32u);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    host_start(size % 2 == 0 ? 0 : BIT(35));
    for (; size >= 5; data += 5, size -= 5) {
        operate(data);
        if (host_broken() != NULL) {
            panic("%s\n", host_broken());
        }
    }
    return 0;
}
