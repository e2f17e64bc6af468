/*
 * The firmware's Device Tree (Devicetree Specification 0.4), read once, on the boot mappings. What
 * is not understood is left alone; what is needed and missing ends the boot with a sentence.
 */
#include <libfdt.h>

#include "../cpu/aarch64.h"
#include "../mm/paging.h"
#include "arch/boot.h"
#include "arch_impl/insn.h"
#include "efi.h"
#include "hv/check.h"
#include "hv/log.h"
#include "hv/string.h"
#include "machine.h"

#define FDT_MAX MiB(2) /* booting.rst */

extern char _image_start[], _image_end[];

struct boot_info boot_info;
struct machine machine;

static uint64_t cells(const fdt32_t *p, int n)
{
    uint64_t v = 0;

    while (n-- > 0) {
        v = v << 32 | fdt32_to_cpu(*p++);
    }
    return v;
}

/* The i-th entry of `reg`; false when there are fewer, or it is not to be understood. */
static bool reg_of(const void *fdt, int node, int i, struct reg *reg)
{
    int parent = fdt_parent_offset(fdt, node);
    int a = fdt_address_cells(fdt, parent);
    int s = fdt_size_cells(fdt, parent);
    int len;
    const fdt32_t *p = fdt_getprop(fdt, node, "reg", &len);

    if (p == NULL || a < 1 || a > 2 || s < 0 || s > 2 || (i + 1) * (a + s) * 4 > len) {
        return false;
    }
    p += i * (a + s);
    *reg = (struct reg){cells(p, a), cells(p + a, s)};
    return true;
}

static bool enabled(const void *fdt, int node)
{
    const char *status = fdt_getprop(fdt, node, "status", NULL);

    return status == NULL || strcmp(status, "okay") == 0 || strcmp(status, "ok") == 0;
}

static void warn_of_ram(void)
{
    log_warn("more than %u ranges of RAM: a part of it is not used", BOOT_RANGES_MAX);
}

static void add_ram(uint64_t base, uint64_t end)
{
    if (!range_add(RANGES_RAM, ALIGN_UP(base, PAGE_SIZE), ALIGN_DOWN(end, PAGE_SIZE))) {
        warn_of_ram();
    }
}

/* Cuts a range that somebody else owns out of the RAM. */
static void reserve(uint64_t base, uint64_t len)
{
    if (!range_cut(RANGES_RAM, ALIGN_DOWN(base, PAGE_SIZE),
                   ALIGN_UP(range_end(base, len), PAGE_SIZE))) {
        warn_of_ram();
    }
}

static void read_memory(const void *fdt)
{
    struct reg reg;
    int node;

    fdt_for_each_subnode(node, fdt, 0) {
        const char *type = fdt_getprop(fdt, node, "device_type", NULL);

        for (int i = 0; type != NULL && strcmp(type, "memory") == 0 && enabled(fdt, node) &&
                        reg_of(fdt, node, i, &reg);
             i++) {
            add_ram(reg.at, reg.at + reg.len);
        }
    }
}

static void read_reservations(const void *fdt)
{
    int parent = fdt_path_offset(fdt, "/reserved-memory");
    uint64_t at, len;
    struct reg reg;
    int node;

    for (int i = 0; i < fdt_num_mem_rsv(fdt); i++) {
        if (fdt_get_mem_rsv(fdt, i, &at, &len) == 0) {
            reserve(at, len);
        }
    }
    if (parent < 0) {
        return;
    }
    fdt_for_each_subnode(node, fdt, parent) {
        for (int i = 0; reg_of(fdt, node, i, &reg); i++) {
            reserve(reg.at, reg.len);
        }
    }
}

static uint64_t number(const void *fdt, int node, const char *name)
{
    int len;
    const fdt32_t *p = fdt_getprop(fdt, node, name, &len);

    return p == NULL || (len != 4 && len != 8) ? 0 : cells(p, len / 4);
}

static void read_chosen(const void *fdt)
{
    int node = fdt_path_offset(fdt, "/chosen");
    const char *text = node < 0 ? NULL : fdt_getprop(fdt, node, "bootargs", NULL);
    uint64_t start, end;

    if (node < 0) {
        return;
    }
    start = number(fdt, node, "linux,initrd-start");
    end = number(fdt, node, "linux,initrd-end");
    (void)str_copy(boot_info.cmdline, sizeof(boot_info.cmdline), text != NULL ? text : "");
    if (start < end) {
        boot_info.bundle = (struct boot_range){start, end - start};
    }
}

/* The console is what /chosen says, else serial0, else the first one; the link is another. */
static void read_uarts(const void *fdt)
{
    int chosen = fdt_path_offset(fdt, "/chosen");
    const char *path = chosen < 0 ? NULL : fdt_getprop(fdt, chosen, "stdout-path", NULL);
    const char *colon = path == NULL ? NULL : strchr(path, ':');
    int console = path == NULL ? -1
                               : fdt_path_offset_namelen(fdt, path,
                                                         colon != NULL ? (int)(colon - path)
                                                                       : (int)strlen(path));
    int node = -1;

    while ((node = fdt_node_offset_by_compatible(fdt, node, "arm,pl011")) >= 0) {
        enum uart u = node == console || (console < 0 && machine.uart[UART_CONSOLE].len == 0)
                          ? UART_CONSOLE
                          : UART_LINK;

        if (enabled(fdt, node) && machine.uart[u].len == 0) {
            (void)reg_of(fdt, node, 0, &machine.uart[u]);
        }
    }
    node = fdt_node_offset_by_compatible(fdt, -1, "ns16550a");
    if (machine.uart[UART_LINK].len == 0 && node >= 0 && enabled(fdt, node)) {
        machine.link_ns16550 = reg_of(fdt, node, 0, &machine.uart[UART_LINK]);
    }
}

static void read_devices(const void *fdt)
{
    int gic = fdt_node_offset_by_compatible(fdt, -1, "arm,gic-v3");
    int rtc = fdt_node_offset_by_compatible(fdt, -1, "arm,pl031");
    int psci = fdt_node_offset_by_compatible(fdt, -1, "arm,psci-0.2");
    const char *method;

    if (psci < 0) {
        psci = fdt_node_offset_by_compatible(fdt, -1, "arm,psci-1.0");
    }
    method = psci < 0 ? NULL : fdt_getprop(fdt, psci, "method", NULL);
    machine.psci_smc = method != NULL && strcmp(method, "smc") == 0;
    machine.psci_hvc = method != NULL && strcmp(method, "hvc") == 0;
    if (rtc >= 0) {
        (void)reg_of(fdt, rtc, 0, &machine.rtc);
    }
    if (gic >= 0) {
        (void)reg_of(fdt, gic, 0, &machine.gicd);
        (void)reg_of(fdt, gic, 1, &machine.gicr);
    }
}

static void read_cpus(const void *fdt)
{
    int parent = fdt_path_offset(fdt, "/cpus");
    int node;
    struct reg reg;

    machine.mpidr[0] = sysreg_read(mpidr_el1) & MPIDR_AFFINITY;
    machine.cpus = 1;
    if (parent < 0) {
        return;
    }
    fdt_for_each_subnode(node, fdt, parent) {
        const char *type = fdt_getprop(fdt, node, "device_type", NULL);

        if (type == NULL || strcmp(type, "cpu") != 0 || !enabled(fdt, node) ||
            !reg_of(fdt, node, 0, &reg) || reg.at == machine.mpidr[0]) {
            continue;
        }
        if (machine.cpus == CPUS_MAX) {
            log_warn("more than %u CPUs: the rest is not used", CPUS_MAX);
            return;
        }
        machine.mpidr[machine.cpus++] = reg.at;
    }
}

/* Free once boot services have ended, and memory as we use it (UEFI 2.10, 7.2). */
static bool is_ram(const struct efi_memory *m)
{
    return (m->attribute & EFI_MEMORY_WB) != 0 &&
           (m->type == EFI_CONVENTIONAL ||
            (m->type >= EFI_LOADER_CODE && m->type <= EFI_BOOT_DATA));
}

static void read_efi_map(const struct efi_handover *h)
{
    const uint8_t *map = pa_to_hva(pa(h->map));

    for (uint64_t at = 0; at + sizeof(struct efi_memory) <= h->map_size;
         at += h->descriptor_size) {
        const struct efi_memory *m = (const struct efi_memory *)(map + at);

        if (is_ram(m)) {
            add_ram(m->at, m->at + m->pages * PAGE_SIZE);
        }
    }
}

/* What UEFI told the stub counts more than what the Device Tree says. */
static void read_handover(const struct efi_handover *h)
{
    if (h->cmdline[0] != '\0') {
        (void)str_copy(boot_info.cmdline, sizeof(boot_info.cmdline), h->cmdline);
    }
    if (h->bundle_len != 0) {
        boot_info.bundle = (struct boot_range){h->bundle, h->bundle_len};
    }
}

static const void *check_fdt(pa_t at)
{
    const void *fdt = pa_to_hva(at);

    paging_boot_map(at.v, FDT_MAX);
    if (fdt_check_header(fdt) != 0 || fdt_totalsize(fdt) > FDT_MAX) {
        panic("X0 does not point at a Device Tree of up to 2 MiB: start me as Linux is started");
    }
    return fdt;
}

void fdt_read(pa_t at)
{
    const struct efi_handover *h = pa_to_hva(at);
    const void *fdt;

    paging_boot_map(at.v, PAGE_SIZE);
    h = h->magic == EFI_HANDOVER_MAGIC ? h : NULL;
    fdt = check_fdt(h != NULL ? pa(h->fdt) : at);
    read_uarts(fdt);
    if (h != NULL) {
        paging_boot_map(h->map, h->map_size);
        read_efi_map(h);
    } else {
        read_memory(fdt);
    }
    read_reservations(fdt);
    read_chosen(fdt);
    if (h != NULL) {
        read_handover(h);
    }
    read_devices(fdt);
    read_cpus(fdt);
    boot_info.image.base = hva_to_pa(_image_start).v;
    boot_info.image.len = (uint64_t)(_image_end - _image_start);
}
