/* Configuration space, BARs and the bus. The MSI-X half is msix.c. */
#include "pci.h"

#include "bytes.h"
#include "hv/check.h"
#include "hv/log.h"
#include "hv/string.h"

/* CF8h: enable, 7 reserved bits (AMD: register bits 11:8), bus, device, function, register. */
#define ADDRESS_ENABLE   BIT(31)
#define ADDRESS_RESERVED 0x7f000000u

#define BAR0_FLAGS 1u /* I/O space */
#define FIRST_CAP  0x40u

static bool in_window(uint32_t base, uint32_t len, uint32_t start, uint32_t size)
{
    return base >= start && base - start <= size - len;
}

/* The host bridge forwards only its windows: a BAR elsewhere is not decoded. */
static uint32_t wanted_io_base(const struct pci_function *fn)
{
    uint32_t base = get_le32(fn->config + PCI_BAR0) & ~(PCI_BAR0_SIZE - 1);

    if (fn->io == NULL || (fn->config[PCI_COMMAND] & PCI_COMMAND_IO) == 0) {
        return 0;
    }
    return in_window(base, PCI_BAR0_SIZE, PCI_PIO_BASE, PCI_PIO_SIZE) ? base : 0;
}

static uint32_t wanted_mmio_base(const struct pci_function *fn)
{
    uint32_t base = get_le32(fn->config + PCI_BAR2) & (uint32_t)PAGE_MASK;

    if (fn->msix.page == NULL || (fn->config[PCI_COMMAND] & PCI_COMMAND_MEMORY) == 0) {
        return 0;
    }
    return in_window(base, PAGE_SIZE, PCI_MMIO_BASE, PCI_MMIO_SIZE) ? base : 0;
}

static void move_io(struct pci_function *fn, uint32_t base)
{
    if (fn->io_base != 0) {
        vm_io_remove(fn->vm, IO_PORT, fn->io, fn->dev);
    }
    fn->io_base = base;
    if (base != 0 && vm_io_add(fn->vm, IO_PORT, base, PCI_BAR0_SIZE, fn->io, fn->dev) != ABI_OK) {
        log_vm(fn->vm, LOG_WARN, "pci 00:%02x: ports %#x are taken, BAR 0 stays off", fn->slot,
               base);
        fn->io_base = 0;
    }
}

static void move_mmio(struct pci_function *fn, uint32_t base)
{
    if (fn->mmio_base != 0) {
        vm_unmap_page(fn->vm, gpa(fn->mmio_base));
    }
    fn->mmio_base = base;
    if (base != 0 && vm_map_page(fn->vm, gpa(base), fn->msix.page) != ABI_OK) {
        log_vm(fn->vm, LOG_WARN, "pci 00:%02x: address %#x is taken, BAR 2 stays off", fn->slot,
               base);
        fn->mmio_base = 0;
    }
}

static void decode(struct pci_function *fn)
{
    uint32_t io = wanted_io_base(fn);
    uint32_t mmio = wanted_mmio_base(fn);

    if (io != fn->io_base) {
        move_io(fn, io);
    }
    if (mmio != fn->mmio_base) {
        move_mmio(fn, mmio);
    }
}

uint32_t pci_config_read(struct pci_function *fn, uint32_t offset, unsigned int size)
{
    REQUIRE(size <= 4 && offset + size <= PCI_CONFIG_SIZE);
    if (fn->config_read != NULL) {
        fn->config_read(fn, offset, size);
    }
    return get_le(fn->config + offset, size);
}

void pci_config_write(struct pci_function *fn, uint32_t offset, unsigned int size, uint32_t value)
{
    uint32_t dword = offset & ~3u;

    REQUIRE(size <= 4 && offset + size <= PCI_CONFIG_SIZE);
    for (unsigned int i = 0; i < size; i++) {
        uint8_t mask = fn->wmask[offset + i];
        uint8_t byte = (uint8_t)(value >> (8 * i));

        fn->config[offset + i] = (uint8_t)((fn->config[offset + i] & ~mask) | (byte & mask));
    }
    if (dword == PCI_COMMAND || (dword >= PCI_BAR0 && dword <= PCI_BAR2)) {
        decode(fn);
    }
    if (dword == PCI_COMMAND) {
        vm_serve_soon(fn->vm); /* who has become a master finds what came before */
    }
    if (fn->msix.pending != 0 && (dword == PCI_COMMAND || dword == fn->msix.cap)) {
        msix_deliver(fn);
    }
    if (fn->config_written != NULL) {
        fn->config_written(fn, offset, size);
    }
}

/* The function that CF8h names, or NULL: nobody answers, reads float high. */
static struct pci_function *addressed(const struct pci_bus *bus)
{
    uint32_t a = bus->address;

    if ((a & ADDRESS_ENABLE) == 0 || (a & ADDRESS_RESERVED) != 0 || (a >> 16 & 0xff) != 0) {
        return NULL;
    }
    return bus->function[a >> 8 & 0xff];
}

uint32_t pci_data_read(struct pci_bus *bus, uint32_t offset, unsigned int size)
{
    struct pci_function *fn = addressed(bus);

    if (fn == NULL) {
        return sub_dword(UINT32_MAX, 0, size);
    }
    return pci_config_read(fn, (bus->address & 0xfc) + offset, size);
}

void pci_data_write(struct pci_bus *bus, uint32_t offset, unsigned int size, uint32_t value)
{
    struct pci_function *fn = addressed(bus);

    if (fn != NULL) {
        pci_config_write(fn, (bus->address & 0xfc) + offset, size, value);
    }
}

enum abi_status pci_add_function(struct pci_bus *bus, struct pci_function *fn, unsigned int slot,
                                 unsigned int function, const struct pci_id *id)
{
    struct pci_function **at = &bus->function[slot % PCI_SLOTS * PCI_FUNCTIONS + function];

    REQUIRE(function < PCI_FUNCTIONS);
    if (slot >= PCI_SLOTS) {
        return ABI_BAD_ARG;
    }
    if (*at != NULL) {
        return ABI_EXISTS;
    }
    fn->vm = bus->vm;
    fn->bus = bus;
    fn->slot = (uint8_t)slot;
    fn->free = FIRST_CAP;
    put_le16(fn->config + PCI_VENDOR_ID, id->vendor);
    put_le16(fn->config + PCI_DEVICE_ID, id->device);
    put_le32(fn->config + PCI_REVISION_ID, id->class_code << 8 | id->revision);
    put_le16(fn->config + PCI_SUBSYSTEM_VENDOR_ID, id->vendor);
    put_le16(fn->config + PCI_SUBSYSTEM_ID, id->subsystem);
    put_le16(fn->wmask + PCI_COMMAND, PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE);
    fn->wmask[PCI_INTERRUPT_LINE] = 0xff;
    *at = fn;
    return ABI_OK;
}

enum abi_status pci_add(struct pci_bus *bus, struct pci_function *fn, unsigned int slot,
                        const struct pci_id *id)
{
    return pci_add_function(bus, fn, slot, 0, id);
}

void pci_add_io_bar(struct pci_function *fn, const struct io_ops *io, void *dev)
{
    fn->io = io;
    fn->dev = dev;
    fn->wmask[PCI_COMMAND] |= PCI_COMMAND_IO;
    put_le32(fn->config + PCI_BAR0, (PCI_PIO_BASE + fn->slot * PCI_BAR0_SIZE) | BAR0_FLAGS);
    put_le32(fn->wmask + PCI_BAR0, ~(PCI_BAR0_SIZE - 1));
}

uint8_t pci_add_capability(struct pci_function *fn, uint8_t id, const void *body, size_t len)
{
    uint8_t at = fn->free;

    REQUIRE(at + 2 + len <= PCI_CONFIG_SIZE);
    fn->config[at] = id;
    memcpy(fn->config + at + 2, body, len);
    fn->config[fn->last_cap == 0 ? PCI_CAPABILITY_LIST : fn->last_cap + 1] = at;
    fn->config[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
    fn->last_cap = at;
    fn->free = (uint8_t)ALIGN_UP(at + 2 + len, 4);
    return at;
}

/* No trap says that the guest has unmasked a vector. */
static void bus_poll(struct vm_hook *hook)
{
    struct pci_bus *bus = container_of(hook, struct pci_bus, hook);

    for (uint32_t left = bus->pending; left != 0; left &= left - 1) {
        msix_deliver(bus->function[(unsigned int)__builtin_ctz(left) * PCI_FUNCTIONS]);
    }
}

enum abi_status pci_bus_init(struct pci_bus *bus, struct vm *vm)
{
    /* Any host bridge will do; this id makes no kernel apply quirks. */
    static const struct pci_id bridge = {
        .vendor = 0x1b36, .device = 0x0008, .subsystem = 0x1100, .class_code = 0x060000};

    bus->vm = vm;
    bus->hook.poll = bus_poll;
    vm_hook_add(vm, &bus->hook);
    return pci_add(bus, &bus->bridge, 0, &bridge);
}
