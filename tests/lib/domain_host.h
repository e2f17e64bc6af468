/* For tests of hv/domain: bundles and kernels to open, and ACPI tables that say who made them. */
#ifndef TESTS_LIB_DOMAIN_HOST_H
#define TESTS_LIB_DOMAIN_HOST_H

#include "hv/domain.h"

/*
 * A valid bundle to break: images vmlinuz, initrd (64 bytes) and rootfs (1024 bytes); one domain,
 * guest0, with every property and one device of each type. malloc'ed, with room to grow.
 */
#define BUNDLE_ROOM 16384u
void *bundle_good(void);

/* One with a kernel, and perhaps a ramdisk and a cc kind, and nothing optional besides. */
void *bundle_simple(const char *cc, const void *kernel, size_t len, const void *ramdisk,
                    size_t ramdisk_len, size_t *total);

/* Offset of a node that exists. */
int bundle_node(const void *fdt, const char *path);

/* A PVH kernel that loads 4 bytes to 1 MiB and starts there. */
#define TINY_KERNEL_LEN 140
extern const uint8_t tiny_kernel[TINY_KERNEL_LEN];

/* acpi_build, as the layout calls it, writes that many bytes of ACh. */
extern size_t host_acpi_len;
extern unsigned int host_acpi_vcpus;
extern uint64_t host_acpi_at;
extern uint64_t host_acpi_mailbox, host_acpi_reset;

/* Copies exactly len bytes to the heap, where reading past them is seen, and opens that. */
enum abi_status bundle_try(const void *fdt, size_t len, char err[256]);

#endif
