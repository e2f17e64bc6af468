/* platform_create, and the ports that need no file of their own. */
#include "platform.h"

#include "bytes.h"

#define PCI_PORT 0xcf8u /* address; CFCh: data; CF9h: reset control */
#define PCI_LEN  8u
#define KBD_PORT 0x60u /* 60h data, 61h port B, 64h command and status */
#define KBD_LEN  5u

static uint32_t all_ones(unsigned int size)
{
    return sub_dword(UINT32_MAX, 0, size);
}

static uint32_t pci_port_read(void *dev, uint32_t offset, unsigned int size)
{
    struct pci_bus *bus = dev;

    if (offset >= 4) {
        return offset - 4 + size <= 4 ? pci_data_read(bus, offset - 4, size) : all_ones(size);
    }
    /* Only a dword access is one to CF8h (PCI Local Bus 3.0, 3.2.2.3.2). */
    return offset == 0 && size == 4 ? bus->address : all_ones(size);
}

/* Reset control register of Intel's chipsets (PIIX3, 2.5): RCPU is bit 2. */
static void reset_control(struct pci_bus *bus, uint32_t value)
{
    if ((value & 4) != 0) {
        vm_end(bus->vm, VM_REBOOT, "reset through port CF9h");
    }
}

static void pci_port_write(void *dev, uint32_t offset, unsigned int size, uint32_t value)
{
    struct pci_bus *bus = dev;

    if (offset >= 4) {
        if (offset - 4 + size <= 4) {
            pci_data_write(bus, offset - 4, size, value);
        }
    } else if (offset == 0 && size == 4) {
        bus->address = value & ~3u;
    } else if (offset == 1 && size == 1) {
        reset_control(bus, value);
    }
}

/* ACPI 6.5, 4.8.3.7: sleep control (SLP_TYP 4:2, SLP_EN 5), status (WAK_STS 7), then reset. */
static uint32_t pm_read(void *dev, uint32_t offset, unsigned int size)
{
    (void)dev;
    (void)offset;
    (void)size;
    return 0;
}

static void pm_write(void *dev, uint32_t offset, unsigned int size, uint32_t value)
{
    struct platform *p = dev;

    if (size != 1) {
        return;
    }
    if (offset == 0 && (value & 0x20) != 0 && (value >> 2 & 7) == PM_SLP_TYP_S5) {
        vm_end(p->vm, VM_POWER_OFF, "ACPI power-off");
    } else if (offset == 2 && value == PM_RESET_VALUE) {
        vm_end(p->vm, VM_REBOOT, "ACPI reset");
    }
}

/*
 * No keyboard controller, but idle status so that no kernel waits for one; EDK II wants to see that
 * nobody decodes the port. Port 61h bit 5 is PIT channel 2's output, high, lest a calibration loop
 * waits for it without end.
 */
static uint32_t kbd_read(void *dev, uint32_t offset, unsigned int size)
{
    const struct platform *p = dev;

    if (size != 1 || offset == 2 || offset == 3 || (offset == 4 && p->chipset)) {
        return all_ones(size);
    }
    return offset == 1 ? 0x20 : 0;
}

static void kbd_write(void *dev, uint32_t offset, unsigned int size, uint32_t value)
{
    struct platform *p = dev;

    if (offset == 4 && size == 1 && value == 0xfe) {
        vm_end(p->vm, VM_REBOOT, "reset through the keyboard controller");
    }
}

/* 80h and EDh: kernels write here to lose a microsecond. */
static void delay_write(void *dev, uint32_t offset, unsigned int size, uint32_t value)
{
    (void)dev;
    (void)offset;
    (void)size;
    (void)value;
}

static const struct io_ops pci_ports = {"pci", pci_port_read, pci_port_write};
static const struct io_ops pm_ports = {"pm", pm_read, pm_write};
static const struct io_ops kbd_ports = {"kbd", kbd_read, kbd_write};
static const struct io_ops delay_ports = {"delay", pm_read, delay_write};

static enum abi_status add_ports(struct platform *p)
{
    static const struct {
        const struct io_ops *ops;
        uint16_t base, len;
    } regions[] = {
        {&pm_ports, PM_SLEEP_PORT, 3},
        {&kbd_ports, KBD_PORT, KBD_LEN},
        {&delay_ports, 0x80, 1},
        {&delay_ports, 0xed, 1},
    };
    enum abi_status st = vm_io_add(p->vm, IO_PORT, PCI_PORT, PCI_LEN, &pci_ports, &p->pci);

    for (size_t i = 0; i < ARRAY_SIZE(regions) && st == ABI_OK; i++) {
        st = vm_io_add(p->vm, IO_PORT, regions[i].base, regions[i].len, regions[i].ops, p);
    }
    return st;
}

enum abi_status platform_create(struct vm *vm)
{
    struct platform *p = vm_alloc(vm, sizeof(*p));
    enum abi_status st;

    if (p == NULL) {
        return ABI_NO_MEMORY;
    }
    p->vm = vm;
    st = pci_bus_init(&p->pci, vm);
    if (st == ABI_OK) {
        st = com1_init(&p->com1, vm);
    }
    if (st == ABI_OK) {
        st = rtc_init(&p->rtc, vm);
    }
    if (st == ABI_OK) {
        st = add_ports(p);
    }
    if (st == ABI_OK) {
        vm_set_platform(vm, p);
    }
    return st;
}

enum abi_status platform_add_chipset(struct vm *vm)
{
    struct platform *p = vm_platform(vm);

    p->chipset = true;
    return piix_init(&p->piix, &p->pci);
}
