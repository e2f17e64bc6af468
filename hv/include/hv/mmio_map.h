/*
 * Where a guest whose devices are memory-mapped finds them: all in the hole between RAM and 4 GiB.
 * Lines are wired interrupts, counted as vm_irq() counts them. Its Device Tree says the same.
 */
#ifndef HV_MMIO_MAP_H
#define HV_MMIO_MAP_H

#define MMIO_UART        0xfe000000u /* a PL011 */
#define MMIO_UART_LINE   0u
#define MMIO_RTC         0xfe001000u /* a PL031, without an interrupt */
#define MMIO_CELL_SIZE   0x1000u
#define MMIO_VIRTIO      0xfe100000u /* the n-th device is in slot n, from 1 on: n pages further, */
#define MMIO_VIRTIO_LINE 16u         /* and n lines */
#define MMIO_VIRTIO_SIZE 0x200u

/* The interrupt controller: distributor, and a redistributor for each vCPU. */
#define MMIO_GIC_DIST        0xff000000u
#define MMIO_GIC_DIST_SIZE   0x10000u
#define MMIO_GIC_REDIST      0xff100000u
#define MMIO_GIC_REDIST_SIZE 0x20000u

#endif
