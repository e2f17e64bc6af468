/* The fixed part of a platform whose devices are memory-mapped: a UART and a clock. */
#ifndef HV_DEV_PLATFORM_MMIO_H
#define HV_DEV_PLATFORM_MMIO_H

#include "hv/io.h"
#include "hv/stream.h"

#define PL011_FIFO 16u

/* A PL011 (DDI 0183) that has always room to send. */
struct pl011 {
    struct vm *vm;
    uint32_t ibrd, fbrd, lcr_h, cr, ifls, imsc, dmacr;
    uint32_t ris;
    uint8_t head, count;
    uint8_t fifo[PL011_FIFO]; /* received */
};

/* A PL031 (DDI 0224): seconds since 1970, which the guest may set for itself. */
struct pl031 {
    uint32_t offset, match, imsc;
};

struct platform {
    struct vm *vm;
    struct pl011 uart;
    struct pl031 rtc;
};

MUST_CHECK enum abi_status pl011_init(struct pl011 *u, struct vm *vm);
MUST_CHECK enum abi_status pl031_init(struct pl031 *r, struct vm *vm);

/* PrimeCell and peripheral identification, FE0h to FFCh: a byte in each word. */
static inline uint32_t primecell_id(uint32_t offset, uint32_t part)
{
    uint64_t id = 0xb105f00d00000000ull | part;

    return (uint32_t)(id >> 8 * ((offset - 0xfe0) / 4)) & 0xff;
}

#endif
