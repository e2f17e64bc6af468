/* Device models, as the domain builder creates them. */
#ifndef HV_DEVICE_H
#define HV_DEVICE_H

#include "hv/types.h"

struct vm;

#define NAME_MAX_LEN 31 /* of domains, images, devices, networks */

enum device_type { DEV_VIRTIO_CONSOLE, DEV_VIRTIO_BLK, DEV_VIRTIO_RNG, DEV_VIRTIO_NET };

/* One subnode of /domains/NAME/devices (docs/bundle.md), validated. */
struct device_config {
    char name[NAME_MAX_LEN + 1];
    enum device_type type;
    const void *image; /* virtio-blk: in the bundle, lives as long as the hypervisor; or NULL */
    uint64_t size;     /* virtio-blk: bytes */
    bool writable;
    char network[NAME_MAX_LEN + 1];
    uint8_t mac[6];
    bool has_mac;
};

/* Where the platform's fixed things are (x86; FACTS: nothing traps but ports). */
#define PCI_MMIO_BASE 0xe0000000u /* BAR2s: the MSI-X pages */
#define PCI_MMIO_SIZE 0x10000000u
#define PCI_PIO_BASE  0xc000u
#define PCI_PIO_SIZE  0x3000u
#define PM_RESET_VALUE 1u
#define PM_SLEEP_PORT 0x600u /* sleep control; status at +1, reset at +2 */
#define RAM_BELOW_4G  0xc0000000u

/*
 * The fixed part of the machine that kernels expect. Of a PC: host bridge and CF8h/CFCh, COM1
 * (polled), RTC, sleep and reset ports; else: a PL011 and a PL031 (mmio_map.h). Once for each VM,
 * before devices.
 */
MUST_CHECK enum abi_status platform_create(struct vm *vm);

/*
 * Before devices, for a kernel that is a firmware: the chipset that it knows a PC by (piix.c). The
 * devices then begin one slot later. ABI_NOT_SUPPORTED where no firmware runs.
 */
MUST_CHECK enum abi_status platform_add_chipset(struct vm *vm);

#define DEVICE_SLOTS 31u

/*
 * Adds PCI function 00:(slot+1).0, slot+2 beside a chipset, or the virtio-mmio device of cell
 * slot+1.
 */
MUST_CHECK enum abi_status device_create(struct vm *vm, const struct device_config *cfg,
                                         unsigned int slot);

/* What a TD's tables tell besides. */
struct acpi_td {
    gpa_t mailbox; /* where the other vCPUs wait for the kernel: one page */
    gpa_t reset;   /* where a vCPU goes that shall wait there again */
    gpa_t log;     /* the event log */
    uint64_t log_size;
};

/*
 * Writes the ACPI tables for that many vCPUs (APIC ids 0..n-1) as they lie at guest-physical
 * address `at` (page aligned); the RSDP comes first. Returns the bytes used, 0 when size is too
 * small (16 KiB serve 64 vCPUs). td: NULL unless it is for one.
 */
size_t acpi_build(void *buf, size_t size, gpa_t at, unsigned int vcpus, const struct acpi_td *td);

#endif
