/*
 * What a PC's firmware knows a machine by: the host bridge of a 440FX (Intel 290549), and function
 * 0 and 3 of a PIIX4 (Intel 290562): a bridge to ISA, behind which COM1 is looked for, and power
 * management with the one clock that such firmware counts by. Interrupts, DMA, IDE and USB are not
 * there.
 */
#include "bytes.h"
#include "hv/log.h"
#include "hv/vm.h"
#include "platform.h"

#define VENDOR_INTEL 0x8086u
#define SLOT_PIIX    1u
#define FUNCTION_PM  3u

/* 290562, 7: the power management function's registers. */
enum {
    PMBA = 0x40,
    PMREGMISC = 0x80,
    PMBA_IO = 1,
    PMREGMISC_PMIOSE = 1, /* PMBA is decoded */
};

/* 290562, 7.2: the ports at PMBA. */
#define PM_PORT 0xb000u /* where EDK II would put them */
#define PM_LEN  64u
enum { PM_CNTRL = 4, PM_TIMER = 8 };

#define CNTRL_SCI_EN  BIT(0)
#define CNTRL_SLP_TYP(v) ((v) >> 10 & 7)
#define CNTRL_SLP_EN  BIT(13)
#define SLP_TYP_OFF   0u

#define TIMER_HZ   3579545u
#define TIMER_MASK 0xffffffu

static uint32_t timer(void)
{
    uint64_t ns = time_ns(), second = 1000000000;

    return (uint32_t)(ns / second * TIMER_HZ + ns % second * TIMER_HZ / second) & TIMER_MASK;
}

static uint32_t pm_read(void *dev, uint32_t offset, unsigned int size)
{
    const struct piix *x = dev;
    uint32_t dword = offset / 4 == PM_TIMER / 4   ? timer()
                     : offset / 4 == PM_CNTRL / 4 ? x->control
                                                  : 0;

    return sub_dword(dword, offset % 4, size);
}

static void pm_write(void *dev, uint32_t offset, unsigned int size, uint32_t value)
{
    struct piix *x = dev;

    if (offset != PM_CNTRL || size == 1) {
        return;
    }
    x->control = value & (uint32_t)CNTRL_SCI_EN;
    if ((value & CNTRL_SLP_EN) != 0 && CNTRL_SLP_TYP(value) == SLP_TYP_OFF) {
        vm_end(x->pm.vm, VM_POWER_OFF, "PIIX4 power-off");
    }
}

static const struct io_ops pm_ports = {"piix4-pm", pm_read, pm_write};

/* What they decode is not for the guest to choose. */
static void fix_command(struct pci_function *fn, uint16_t bits)
{
    put_le16(fn->config + PCI_COMMAND, bits);
    put_le16(fn->wmask + PCI_COMMAND, 0);
}

enum abi_status piix_init(struct piix *x, struct pci_bus *bus)
{
    static const struct pci_id isa = {
        .vendor = VENDOR_INTEL, .device = 0x7110, .subsystem = 0x1100, .class_code = 0x060100};
    static const struct pci_id pm = {
        .vendor = VENDOR_INTEL, .device = 0x7113, .subsystem = 0x1100, .class_code = 0x068000};
    enum abi_status st = pci_add(bus, &x->isa, SLOT_PIIX, &isa);

    st = st == ABI_OK ? pci_add_function(bus, &x->pm, SLOT_PIIX, FUNCTION_PM, &pm) : st;
    if (st != ABI_OK) {
        return st;
    }
    fix_command(&x->isa, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    fix_command(&x->pm, PCI_COMMAND_IO);
    x->isa.config[PCI_HEADER_TYPE] = PCI_HEADER_MULTIFUNCTION;
    put_le32(x->pm.config + PMBA, PM_PORT | PMBA_IO);
    x->pm.config[PMREGMISC] = PMREGMISC_PMIOSE;
    put_le16(bus->bridge.config + PCI_VENDOR_ID, VENDOR_INTEL);
    put_le16(bus->bridge.config + PCI_DEVICE_ID, 0x1237);
    bus->chipset = 1;
    return vm_io_add(bus->vm, IO_PORT, PM_PORT, PM_LEN, &pm_ports, x);
}
