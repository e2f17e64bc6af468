/*
 * PCI bus 0 behind configuration mechanism #1 (PCI Local Bus 3.0, 3.2.2.3.2): devices are functions
 * 00:slot.0 with an I/O BAR0 for registers and a memory BAR2 that shows the MSI-X page.
 */
#ifndef HV_DEV_PCI_H
#define HV_DEV_PCI_H

#include "hv/device.h"
#include "hv/io.h"

#define PCI_SLOTS       32u
#define PCI_FUNCTIONS   8u /* of a slot */
#define PCI_CONFIG_SIZE 256u
#define PCI_BAR0_SIZE   256u

/* PCI Local Bus 3.0, 6.1: offsets in configuration space. */
enum {
    PCI_VENDOR_ID = 0x00,
    PCI_DEVICE_ID = 0x02,
    PCI_COMMAND = 0x04,
    PCI_STATUS = 0x06,
    PCI_REVISION_ID = 0x08, /* class code in the three bytes above it */
    PCI_HEADER_TYPE = 0x0e,
    PCI_BAR0 = 0x10,
    PCI_BAR2 = 0x18,
    PCI_SUBSYSTEM_VENDOR_ID = 0x2c,
    PCI_SUBSYSTEM_ID = 0x2e,
    PCI_CAPABILITY_LIST = 0x34,
    PCI_INTERRUPT_LINE = 0x3c,
};

enum {
    PCI_COMMAND_IO = 1,
    PCI_COMMAND_MEMORY = 2,
    PCI_COMMAND_MASTER = 4,
    PCI_COMMAND_INTX_DISABLE = 0x400,
    PCI_STATUS_CAP_LIST = 0x10,
    PCI_HEADER_MULTIFUNCTION = 0x80,
    PCI_CAP_ID_VNDR = 0x09,
    PCI_CAP_ID_MSIX = 0x11,
};

/* MSI-X (PCI Local Bus 3.0, 6.8.2): the table at 0 and the pending bits at 800h of BAR2. */
#define MSIX_PBA_OFFSET  0x800u
#define MSIX_VECTORS_MAX 64u

struct msix {
    uint8_t *page;    /* the guest writes here, at any time */
    uint16_t vectors; /* 0: no MSI-X */
    uint8_t cap;      /* offset in configuration space */
    uint64_t pending; /* ours; the page's PBA only mirrors it */
};

struct pci_function {
    struct vm *vm;
    struct pci_bus *bus;
    uint8_t slot;
    uint8_t last_cap;                /* offset of the capability whose "next" is still 0 */
    uint8_t free;                    /* first offset behind all capabilities */
    uint8_t config[PCI_CONFIG_SIZE]; /* what reads see */
    uint8_t wmask[PCI_CONFIG_SIZE];  /* bits that writes change */
    const struct io_ops *io;         /* BAR0 */
    void *dev;
    uint32_t io_base;   /* where BAR0 is decoded now; 0: nowhere */
    uint32_t mmio_base; /* the same of BAR2 */
    struct msix msix;
    /* Both may be NULL: about to read, or just having written, config[offset .. offset + size). */
    void (*config_read)(struct pci_function *fn, uint32_t offset, unsigned int size);
    void (*config_written)(struct pci_function *fn, uint32_t offset, unsigned int size);
};

struct pci_bus {
    struct vm *vm;
    uint32_t address; /* CF8h */
    struct pci_function *function[PCI_SLOTS * PCI_FUNCTIONS];
    struct pci_function bridge;
    unsigned int chipset; /* slots that it has, before those of devices */
    uint32_t pending; /* slots with MSI-X vectors that wait for their unmasking */
    struct vm_hook hook;
};

struct pci_id {
    uint16_t vendor, device, subsystem;
    uint32_t class_code; /* 24 bits: base class, subclass, interface */
    uint8_t revision;
};

/* Makes the bus with its host bridge. */
MUST_CHECK enum abi_status pci_bus_init(struct pci_bus *bus, struct vm *vm);

/*
 * The data port: registers of the function that CF8h names. offset is within the dword (0 to 3),
 * offset + size <= 4.
 */
uint32_t pci_data_read(struct pci_bus *bus, uint32_t offset, unsigned int size);
void pci_data_write(struct pci_bus *bus, uint32_t offset, unsigned int size, uint32_t value);

/* Puts a new function without BARs, with all its identity, into a free slot. */
MUST_CHECK enum abi_status pci_add(struct pci_bus *bus, struct pci_function *fn, unsigned int slot,
                                   const struct pci_id *id);

/* The same for a function other than 0: slot 0 to 31, function 1 to 7. */
MUST_CHECK enum abi_status pci_add_function(struct pci_bus *bus, struct pci_function *fn,
                                            unsigned int slot, unsigned int function,
                                            const struct pci_id *id);

/* Gives it the 256-byte I/O BAR0. Its place comes from the slot; the guest may move it. */
void pci_add_io_bar(struct pci_function *fn, const struct io_ops *io, void *dev);

/* Gives it BAR2 and the MSI-X capability, 1 to MSIX_VECTORS_MAX vectors. */
MUST_CHECK enum abi_status pci_add_msix(struct pci_function *fn, unsigned int vectors);

/* Appends a capability: `len` bytes behind its id and next pointer. Returns its offset. */
uint8_t pci_add_capability(struct pci_function *fn, uint8_t id, const void *body, size_t len);

/* Register access, as the data port makes it; offset + size <= 256, within one dword. */
uint32_t pci_config_read(struct pci_function *fn, uint32_t offset, unsigned int size);
void pci_config_write(struct pci_function *fn, uint32_t offset, unsigned int size, uint32_t value);

static inline bool pci_is_master(const struct pci_function *fn)
{
    return (fn->config[PCI_COMMAND] & PCI_COMMAND_MASTER) != 0;
}

/*
 * Raises a vector: now, or when the guest unmasks it, which does not trap. Nothing happens while
 * MSI-X is off.
 */
void msix_raise(struct pci_function *fn, unsigned int vector);

/* Sends what is pending and no longer masked. */
void msix_deliver(struct pci_function *fn);

#endif
