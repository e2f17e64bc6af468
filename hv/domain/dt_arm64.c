/*
 * The Device Tree of an arm64 guest (Devicetree Specification 0.4, and Linux's bindings). Written
 * front to back by libfdt; the first error sticks, and is told at the end.
 */
#include "dt_arm64.h"

#include <libfdt.h>

#include "hv/mmio_map.h"
#include "hv/string.h"

#define PHANDLE_GIC   1u
#define PHANDLE_CLOCK 2u
#define CLOCK_HZ      24000000u

/* Interrupt specifiers of a GICv3: kind, number, trigger. */
enum { SPI = 0, PPI = 1 };
enum { EDGE_RISING = 1, LEVEL_HIGH = 4 };
#define PPI_SECURE_TIMER  13u
#define PPI_PHYS_TIMER    14u
#define PPI_VIRT_TIMER    11u
#define PPI_HYP_TIMER     10u

struct dt {
    void *fdt;
    int error;
};

static void check(struct dt *t, int error)
{
    t->error = t->error != 0 ? t->error : error;
}

static void begin(struct dt *t, const char *name)
{
    check(t, fdt_begin_node(t->fdt, name));
}

static void begin_at(struct dt *t, const char *name, uint64_t at)
{
    char text[40];

    snprintf(text, sizeof(text), "%s@%llx", name, (unsigned long long)at);
    begin(t, text);
}

static void end(struct dt *t)
{
    check(t, fdt_end_node(t->fdt));
}

static void text(struct dt *t, const char *name, const char *value)
{
    check(t, fdt_property_string(t->fdt, name, value));
}

static void flag(struct dt *t, const char *name)
{
    check(t, fdt_property(t->fdt, name, NULL, 0));
}

static void bytes(struct dt *t, const char *name, const char *value, int len)
{
    check(t, fdt_property(t->fdt, name, value, len));
}

static void cell(struct dt *t, const char *name, uint32_t value)
{
    check(t, fdt_property_u32(t->fdt, name, value));
}

static void cells(struct dt *t, const char *name, const uint32_t *value, unsigned int n)
{
    fdt32_t be[16];

    for (unsigned int i = 0; i < n && i < ARRAY_SIZE(be); i++) {
        be[i] = cpu_to_fdt32(value[i]);
    }
    check(t, n > ARRAY_SIZE(be) ? -FDT_ERR_INTERNAL
                                : fdt_property(t->fdt, name, be, (int)(n * sizeof(be[0]))));
}

#define CELLS(t, name, ...)                                                                        \
    cells((t), (name), (const uint32_t[]){__VA_ARGS__},                                            \
          sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))
#define PAIR(v) (uint32_t)((uint64_t)(v) >> 32), (uint32_t)(v)

static void write_chosen(struct dt *t, const struct domain_config *cfg, uint64_t ramdisk)
{
    begin(t, "chosen");
    text(t, "bootargs", cfg->cmdline);
    text(t, "stdout-path", "/pl011@fe000000");
    if (ramdisk != 0) {
        CELLS(t, "linux,initrd-start", PAIR(ramdisk));
        CELLS(t, "linux,initrd-end", PAIR(ramdisk + cfg->ramdisk.len));
    }
    end(t);
}

static void write_memory(struct dt *t, const struct domain_config *cfg)
{
    uint64_t low = MIN(cfg->memory, (uint64_t)RAM_BELOW_4G);

    begin_at(t, "memory", 0);
    text(t, "device_type", "memory");
    if (cfg->memory > low) {
        CELLS(t, "reg", PAIR(0), PAIR(low), PAIR(GiB(4)), PAIR(cfg->memory - low));
    } else {
        CELLS(t, "reg", PAIR(0), PAIR(low));
    }
    end(t);
}

/* Affinity as the guest's MPIDR has it: 16 to a cluster, because a group of SGIs has so many. */
static void write_cpus(struct dt *t, const struct domain_config *cfg)
{
    begin(t, "cpus");
    cell(t, "#address-cells", 1);
    cell(t, "#size-cells", 0);
    for (uint32_t i = 0; i < cfg->vcpus; i++) {
        uint32_t affinity = (i & 15) | (i >> 4) << 8;

        begin_at(t, "cpu", affinity);
        text(t, "device_type", "cpu");
        text(t, "compatible", "arm,armv8");
        cell(t, "reg", affinity);
        text(t, "enable-method", "psci");
        end(t);
    }
    end(t);
    begin(t, "psci");
    bytes(t, "compatible", "arm,psci-1.0\0arm,psci-0.2", 26);
    text(t, "method", cfg->realm ? "smc" : "hvc"); /* a realm's firmware has only SMC */
    end(t);
}

static void write_interrupts(struct dt *t, const struct domain_config *cfg)
{
    begin_at(t, "interrupt-controller", MMIO_GIC_DIST);
    text(t, "compatible", "arm,gic-v3");
    flag(t, "interrupt-controller");
    cell(t, "#interrupt-cells", 3);
    cell(t, "phandle", PHANDLE_GIC);
    CELLS(t, "reg", PAIR(MMIO_GIC_DIST), PAIR(MMIO_GIC_DIST_SIZE), PAIR(MMIO_GIC_REDIST),
          PAIR((uint64_t)cfg->vcpus * MMIO_GIC_REDIST_SIZE));
    end(t);
    begin(t, "timer");
    text(t, "compatible", "arm,armv8-timer");
    CELLS(t, "interrupts", PPI, PPI_SECURE_TIMER, LEVEL_HIGH, PPI, PPI_PHYS_TIMER, LEVEL_HIGH, PPI,
          PPI_VIRT_TIMER, LEVEL_HIGH, PPI, PPI_HYP_TIMER, LEVEL_HIGH);
    flag(t, "always-on");
    end(t);
}

static void begin_primecell(struct dt *t, const char *name, const char *compatible, uint32_t at)
{
    char both[40];
    int n = snprintf(both, sizeof(both), "%s%carm,primecell", compatible, 0);

    begin_at(t, name, at);
    bytes(t, "compatible", both, n + 1);
    CELLS(t, "reg", PAIR(at), PAIR(MMIO_CELL_SIZE));
}

static void write_fixed_devices(struct dt *t)
{
    begin(t, "apb-pclk");
    text(t, "compatible", "fixed-clock");
    cell(t, "#clock-cells", 0);
    cell(t, "clock-frequency", CLOCK_HZ);
    cell(t, "phandle", PHANDLE_CLOCK);
    end(t);
    begin_primecell(t, "pl011", "arm,pl011", MMIO_UART);
    CELLS(t, "interrupts", SPI, MMIO_UART_LINE, LEVEL_HIGH);
    CELLS(t, "clocks", PHANDLE_CLOCK, PHANDLE_CLOCK);
    bytes(t, "clock-names", "uartclk\0apb_pclk", 17);
    end(t);
    begin_primecell(t, "pl031", "arm,pl031", MMIO_RTC);
    CELLS(t, "clocks", PHANDLE_CLOCK);
    text(t, "clock-names", "apb_pclk");
    end(t);
}

static void write_devices(struct dt *t, const struct domain_config *cfg)
{
    for (uint32_t slot = 1; slot <= cfg->devices; slot++) {
        uint32_t at = MMIO_VIRTIO + slot * MMIO_CELL_SIZE;

        begin_at(t, "virtio_mmio", at);
        text(t, "compatible", "virtio,mmio");
        CELLS(t, "reg", PAIR(at), PAIR(MMIO_VIRTIO_SIZE));
        CELLS(t, "interrupts", SPI, MMIO_VIRTIO_LINE + slot, EDGE_RISING);
        flag(t, "dma-coherent");
        end(t);
    }
}

bool dt_arm64_build(void *buf, size_t size, const struct domain_config *cfg, uint64_t ramdisk)
{
    struct dt t = {buf, 0};

    check(&t, fdt_create(buf, (int)size));
    check(&t, fdt_finish_reservemap(buf));
    begin(&t, "");
    cell(&t, "#address-cells", 2);
    cell(&t, "#size-cells", 2);
    text(&t, "compatible", "cloister,guest-v1");
    text(&t, "model", "Cloister guest");
    cell(&t, "interrupt-parent", PHANDLE_GIC);
    write_chosen(&t, cfg, ramdisk);
    write_memory(&t, cfg);
    write_cpus(&t, cfg);
    write_interrupts(&t, cfg);
    write_fixed_devices(&t);
    write_devices(&t, cfg);
    end(&t);
    check(&t, fdt_finish(buf));
    return t.error == 0;
}
