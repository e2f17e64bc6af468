/*
 * What device models are built from: port (or, on Arm, MMIO) regions, message-signalled
 * interrupts, hypervisor-owned pages that a guest maps, memory that lives as long as the VM.
 */
#ifndef HV_IO_H
#define HV_IO_H

#include "hv/types.h"

struct vm;

enum io_space { IO_PORT, IO_MMIO };

/*
 * Called with the VM's device lock held, by whichever vCPU made the access. offset counts from the
 * region's base; size is 1, 2 or 4, and offset + size never passes the region's end. A read
 * returns the value zero-extended.
 */
struct io_ops {
    const char *name;
    uint32_t (*read)(void *dev, uint32_t offset, unsigned int size);
    void (*write)(void *dev, uint32_t offset, unsigned int size, uint32_t value);
};

/*
 * Adds a region. ABI_EXISTS when it overlaps another, ABI_LIMIT when the table is full, ABI_BAD_ARG
 * when it is empty or passes the end of the space (64 KiB of ports).
 */
MUST_CHECK enum abi_status vm_io_add(struct vm *vm, enum io_space space, uint64_t base,
                                     uint32_t len, const struct io_ops *ops, void *dev);
/* Removes the region that (ops, dev) has in that space; none is no error. */
void vm_io_remove(struct vm *vm, enum io_space space, const struct io_ops *ops, void *dev);

/* Devices are serialised by one lock for each VM. io_ops run under it; everyone else takes it. */
void vm_dev_lock(struct vm *vm);
void vm_dev_unlock(struct vm *vm);

/*
 * A platform has one of these two. Sends an MSI: a nonsensical address or vector is dropped and
 * logged. Sets a wired interrupt line, counted from 0, high or low. Any CPU, any lock.
 */
void vm_msi(struct vm *vm, uint64_t address, uint32_t data);
void vm_irq(struct vm *vm, unsigned int line, bool high);

/*
 * Shows a hypervisor-owned page (from vm_alloc_page) to the guest at a page-aligned address outside
 * its RAM, as shared memory, readable and writable. ABI_EXISTS when something is there.
 */
MUST_CHECK enum abi_status vm_map_page(struct vm *vm, gpa_t at, void *page);
void vm_unmap_page(struct vm *vm, gpa_t at);

/*
 * Zeroed memory that is freed with the VM and charged to it; NULL when there is none.
 * vm_alloc: up to 4 MiB, 16-byte aligned. vm_alloc_page: one page that may be mapped. Any CPU, any
 * lock.
 */
MUST_CHECK void *vm_alloc(struct vm *vm, size_t size);
MUST_CHECK void *vm_alloc_page(struct vm *vm);

/*
 * A device that must do something when its VM dies, look around on each tick, or work when it is
 * asked to. A tick is everybody's time: poll takes a short look, whatever the guest has prepared;
 * serve is the VM's own, run by its first vCPU. Each may be NULL.
 */
struct vm_hook {
    struct vm_hook *next;
    void (*destroy)(struct vm_hook *hook); /* the VM no longer runs */
    void (*poll)(struct vm_hook *hook);    /* device lock held */
    void (*serve)(struct vm_hook *hook);   /* device lock held */
};
void vm_hook_add(struct vm *vm, struct vm_hook *hook);

/*
 * Has the VM's hooks serve soon: another VM left something for it, or more is to do than one exit
 * may. Any CPU, any lock; the caller knows that the VM has not gone.
 */
void vm_serve_soon(struct vm *vm);

/* What platform_create (device.h) hangs on its VM, for device_create to find; NULL before. */
struct platform;
void vm_set_platform(struct vm *vm, struct platform *platform);
struct platform *vm_platform(const struct vm *vm);

/* Why a domain ended; the guest's own wish or fate. Sets it once, and stops its vCPUs soon. */
enum vm_cause {
    VM_POWER_OFF,
    VM_REBOOT,
    VM_TRIPLE_FAULT,
    VM_DESTROYED,
    VM_ERROR,
};
void vm_end(struct vm *vm, enum vm_cause cause, const char *fmt, ...) PRINTF(3, 4);

const char *vm_name(const struct vm *vm);

/* Nanoseconds since the hypervisor started; wall-clock seconds since 1970. */
uint64_t time_ns(void);
uint64_t time_wall(void);

/* Random bytes from the CPU's generator. False when the machine has none that works. */
MUST_CHECK bool random_bytes(void *buf, size_t len);

#endif
