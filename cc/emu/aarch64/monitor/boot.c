/*
 * What firmware does before an operating system: takes kernel, ramdisk and command line from QEMU
 * (fw_cfg, docs/specs/fw_cfg.rst), and completes the Device Tree.
 */
#include "monitor.h"

#include <libfdt.h>

#include "arch_impl/insn.h"
#include "hv/string.h"

enum {
    KEY_KERNEL_SIZE = 0x08,
    KEY_INITRD_SIZE = 0x0b,
    KEY_KERNEL = 0x11,
    KEY_INITRD = 0x12,
    KEY_CMDLINE_SIZE = 0x14,
    KEY_CMDLINE = 0x15,
};
#define DMA_ERROR  1u
#define DMA_READ   2u
#define DMA_SELECT 8u

#define SERIAL_PORT 0x1000u /* where the PCI serial card's ports are put */

struct dma {
    uint32_t control, len;
    uint64_t address;
};

/* QEMU writes it: it lies in the RAM that all see. */
static void fw_cfg(uint16_t key, uint64_t to, uint32_t len)
{
    volatile struct dma *d = (volatile struct dma *)SCRATCH;
    uint64_t at = SCRATCH;

    d->control = __builtin_bswap32((uint32_t)key << 16 | DMA_SELECT | DMA_READ);
    d->len = __builtin_bswap32(len);
    d->address = __builtin_bswap64(to);
    dsb(sy);
    mmio_write32((void *)(FW_CFG + 16), __builtin_bswap32((uint32_t)(at >> 32)));
    mmio_write32((void *)(FW_CFG + 20), __builtin_bswap32((uint32_t)at));
    while ((d->control & ~__builtin_bswap32(DMA_ERROR)) != 0) {
    }
    if (d->control != 0) {
        panic("fw_cfg");
    }
}

static uint32_t fw_cfg_size(uint16_t key)
{
    fw_cfg(key, SCRATCH + 64, 4);
    return *(volatile uint32_t *)(SCRATCH + 64);
}

static void load(uint16_t size_key, uint16_t key, uint64_t to, uint64_t room, uint64_t *len)
{
    *len = fw_cfg_size(size_key);
    if (*len > room) {
        panic("more bytes than there is room for");
    }
    if (*len != 0) {
        fw_cfg(key, to, (uint32_t)*len);
    }
}

static void ok(int error)
{
    if (error < 0) {
        panic("the Device Tree cannot be changed");
    }
}

static void write_chosen(void *fdt, uint64_t initrd)
{
    int node = fdt_path_offset(fdt, "/chosen");
    const char *text = (const char *)SCRATCH + 4096;
    uint64_t len;

    load(KEY_CMDLINE_SIZE, KEY_CMDLINE, (uint64_t)text, 4096, &len);
    node = node < 0 ? fdt_add_subnode(fdt, 0, "chosen") : node;
    ok(node);
    ok(fdt_setprop_string(fdt, node, "bootargs", len != 0 ? text : ""));
    if (initrd != 0) {
        ok(fdt_setprop_u64(fdt, node, "linux,initrd-start", HOST_INITRD));
        ok(fdt_setprop_u64(fdt, node, "linux,initrd-end", HOST_INITRD + initrd));
    }
}

static void write_psci(void *fdt)
{
    static const char compatible[] = "arm,psci-1.0\0arm,psci-0.2";
    int node = fdt_add_subnode(fdt, 0, "psci");

    ok(node);
    ok(fdt_setprop(fdt, node, "compatible", compatible, sizeof(compatible)));
    ok(fdt_setprop_string(fdt, node, "method", "smc"));
    node = -1;
    while ((node = fdt_node_offset_by_prop_value(fdt, node, "device_type", "cpu", 4)) >= 0) {
        ok(fdt_setprop_string(fdt, node, "enable-method", "psci"));
    }
}

/* QEMU's virt keeps its second UART to the secure world: a PCI card stands in. */
static void write_serial(void *fdt)
{
    const uint64_t reg[2] = {cpu_to_fdt64(PCI_PIO + SERIAL_PORT), cpu_to_fdt64(8)};
    int node = fdt_add_subnode(fdt, 0, "serial@3eff1000");

    ok(node);
    ok(fdt_setprop_string(fdt, node, "compatible", "ns16550a"));
    ok(fdt_setprop(fdt, node, "reg", reg, sizeof(reg)));
    ok(fdt_setprop_u32(fdt, node, "clock-frequency", 1843200));
}

#define PCI_CLASS_SERIAL 0x0700u

/* The configuration space of bus 0 is where the Device Tree says. */
static bool place_serial(const void *fdt)
{
    int node = fdt_node_offset_by_compatible(fdt, -1, "pci-host-ecam-generic");
    const fdt64_t *reg = node < 0 ? NULL : fdt_getprop(fdt, node, "reg", NULL);

    if (reg == NULL) {
        return false;
    }
    for (uint64_t slot = 0; slot < 32; slot++) {
        uint8_t *config = (uint8_t *)fdt64_to_cpu(reg[0]) + (slot << 15);

        if (mmio_read32(config) != UINT32_MAX &&
            mmio_read32(config + 8) >> 16 == PCI_CLASS_SERIAL) {
            mmio_write32(config + 0x10, SERIAL_PORT);
            mmio_write32(config + 4, 1);
            return true;
        }
    }
    return false;
}

static void read_ram(const void *fdt, struct rmm_dram_bank *ram)
{
    int node = fdt_node_offset_by_prop_value(fdt, -1, "device_type", "memory", 7);
    const fdt64_t *reg = NULL;

    while (node >= 0) {
        reg = fdt_getprop(fdt, node, "reg", NULL);
        if (reg != NULL && fdt64_to_cpu(reg[0]) == RAM_BASE) {
            *ram = (struct rmm_dram_bank){fdt64_to_cpu(reg[0]), fdt64_to_cpu(reg[1])};
            return;
        }
        node = fdt_node_offset_by_prop_value(fdt, node, "device_type", "memory", 7);
    }
    panic("no RAM at 40000000");
}

void boot_host(uint64_t *entry, uint64_t *at, struct rmm_dram_bank *ram)
{
    void *fdt = (void *)FDT_NEW;
    uint64_t kernel, initrd;

    ok(fdt_open_into((const void *)RAM_BASE, fdt, FDT_SIZE));
    read_ram(fdt, ram);
    load(KEY_KERNEL_SIZE, KEY_KERNEL, HOST_BASE, HOST_INITRD - HOST_BASE, &kernel);
    load(KEY_INITRD_SIZE, KEY_INITRD, HOST_INITRD, ram->base + ram->size - HOST_INITRD, &initrd);
    if (kernel == 0) {
        panic("no host: QEMU's -kernel names it");
    }
    write_chosen(fdt, initrd);
    write_psci(fdt);
    if (place_serial(fdt)) {
        write_serial(fdt);
    }
    ok(fdt_add_mem_rsv(fdt, RMM_BASE, RMM_SIZE));
    *entry = HOST_BASE;
    *at = FDT_NEW;
}
