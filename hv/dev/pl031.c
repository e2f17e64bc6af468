/* The clock of a guest whose devices are memory-mapped: PL031 (DDI 0224). Its alarm never rings. */
#include "hv/mmio_map.h"
#include "platform_mmio.h"

enum { DR = 0x00, MR = 0x04, LR = 0x08, CR = 0x0c, IMSC = 0x10, IDS = 0xfe0 };

#define PART 0x00041031u

static uint32_t pl031_read(void *dev, uint32_t offset, unsigned int size)
{
    const struct pl031 *r = dev;

    if (size != 4 || (offset & 3) != 0) {
        return 0;
    }
    switch (offset) {
    case DR:
    case LR:
        return (uint32_t)time_wall() + r->offset;
    case MR:
        return r->match;
    case CR:
        return 1;
    case IMSC:
        return r->imsc;
    default:
        return offset >= IDS ? primecell_id(offset, PART) : 0;
    }
}

static void pl031_write(void *dev, uint32_t offset, unsigned int size, uint32_t value)
{
    struct pl031 *r = dev;

    if (size != 4) {
        return;
    }
    if (offset == LR) {
        r->offset = value - (uint32_t)time_wall();
    } else if (offset == MR) {
        r->match = value;
    } else if (offset == IMSC) {
        r->imsc = value & 1;
    }
}

static const struct io_ops pl031_ops = {"pl031", pl031_read, pl031_write};

enum abi_status pl031_init(struct pl031 *r, struct vm *vm)
{
    return vm_io_add(vm, IO_MMIO, MMIO_RTC, MMIO_CELL_SIZE, &pl031_ops, r);
}
