/* Layouts of arm64 Images, and the Device Tree that such a guest finds: libfdt reads it back. */
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cu.h"
#include "hv/device.h"
#include "hv/layout.h"
#include "hv/mmio_map.h"

#define FILE_LEN 0x3000u

static uint8_t kernel[FILE_LEN];
static struct domain_config cfg;
static struct layout l;
static char err[256];
static _Alignas(16) uint8_t scratch[LAYOUT_SCRATCH_SIZE];

static void put64(unsigned int at, uint64_t v)
{
    memcpy(kernel + at, &v, sizeof(v));
}

/* booting.rst: text_offset 8, image_size 16, flags 24, magic 56. */
static void setup(uint64_t memory)
{
    memset(kernel, 0x11, sizeof(kernel));
    put64(8, 0);
    put64(16, 0x800000);
    put64(24, 10);
    memcpy(kernel + 56, "ARM\x64", 4);
    memset(&cfg, 0, sizeof(cfg));
    strcpy(cfg.name, "guest0");
    cfg.memory = memory;
    cfg.vcpus = 2;
    cfg.cmdline = "console=hvc0";
    cfg.kernel = (struct blob){kernel, sizeof(kernel)};
}

static enum abi_status lay(void)
{
    memset(scratch, 0, sizeof(scratch));
    return layout_domain(&cfg, scratch, &l, err, sizeof(err));
}

static const struct piece *piece(enum piece_kind kind)
{
    for (uint32_t i = 0; i < l.pieces; i++) {
        if (l.piece[i].kind == kind) {
            return &l.piece[i];
        }
    }
    return NULL;
}

static void refused(enum abi_status st, const char *message)
{
    CU_ASSERT_EQUAL(lay(), st);
    cu_says(err, message);
}

static const void *dt(void)
{
    const void *fdt = piece(PIECE_BOOT_DATA)->data;

    CU_ASSERT_EQUAL(fdt_check_full(fdt, piece(PIECE_BOOT_DATA)->len), 0);
    return fdt;
}

static int node(const char *path)
{
    int at = fdt_path_offset(dt(), path);

    CU_ASSERT(at >= 0);
    return at;
}

/* The n-th pair of cells of a property, as one number. */
static uint64_t pair(const char *path, const char *name, unsigned int n)
{
    int len = 0;
    const fdt64_t *p = fdt_getprop(dt(), node(path), name, &len);
    fdt64_t v;

    CU_ASSERT(p != NULL && len >= (int)(8 * (n + 1)));
    memcpy(&v, p + n, sizeof(v));
    return fdt64_to_cpu(v);
}

static uint32_t cell(const char *path, const char *name, unsigned int n)
{
    int len = 0;
    const fdt32_t *p = fdt_getprop(dt(), node(path), name, &len);

    CU_ASSERT(p != NULL && len >= (int)(4 * (n + 1)));
    return fdt32_to_cpu(p[n]);
}

static void the_kernel_lies_where_its_header_says(void)
{
    setup(MiB(64));
    put64(8, 0x80000);
    CU_ASSERT_EQUAL(lay(), ABI_OK);
    CU_ASSERT_EQUAL(piece(PIECE_KERNEL)->at, SIZE_2M + 0x80000);
    CU_ASSERT_EQUAL(piece(PIECE_KERNEL)->span, 0x800000);
    CU_ASSERT_EQUAL(piece(PIECE_KERNEL)->len, FILE_LEN);
    CU_ASSERT_EQUAL(l.entry.rip, SIZE_2M + 0x80000);
    CU_ASSERT_EQUAL(l.entry.boot_data, piece(PIECE_BOOT_DATA)->at);
    CU_ASSERT(IS_ALIGNED(l.entry.boot_data, 8));
}

static void the_tree_tells_memory_command_line_and_ramdisk(void)
{
    static const uint8_t ramdisk[5000];

    setup(GiB(5));
    cfg.ramdisk = (struct blob){ramdisk, sizeof(ramdisk)};
    CU_ASSERT_EQUAL(lay(), ABI_OK);
    CU_ASSERT_EQUAL(pair("/memory@0", "reg", 0), 0);
    CU_ASSERT_EQUAL(pair("/memory@0", "reg", 1), RAM_BELOW_4G);
    CU_ASSERT_EQUAL(pair("/memory@0", "reg", 2), GiB(4));
    CU_ASSERT_EQUAL(pair("/memory@0", "reg", 3), GiB(2));
    CU_ASSERT_STRING_EQUAL(fdt_getprop(dt(), node("/chosen"), "bootargs", NULL), "console=hvc0");
    CU_ASSERT_EQUAL(pair("/chosen", "linux,initrd-start", 0), piece(PIECE_RAMDISK)->at);
    CU_ASSERT_EQUAL(pair("/chosen", "linux,initrd-end", 0), piece(PIECE_RAMDISK)->at + 5000);
    CU_ASSERT(piece(PIECE_RAMDISK)->at + piece(PIECE_RAMDISK)->span <= RAM_BELOW_4G);
}

static void the_tree_has_every_cpu_by_its_affinity(void)
{
    setup(MiB(64));
    cfg.vcpus = 18;
    CU_ASSERT_EQUAL(lay(), ABI_OK);
    CU_ASSERT_EQUAL(cell("/cpus/cpu@0", "reg", 0), 0);
    CU_ASSERT_EQUAL(cell("/cpus/cpu@f", "reg", 0), 15);
    CU_ASSERT_EQUAL(cell("/cpus/cpu@101", "reg", 0), 0x101);
    CU_ASSERT(fdt_path_offset(dt(), "/cpus/cpu@102") < 0);
    CU_ASSERT_EQUAL(pair("/interrupt-controller@ff000000", "reg", 2), MMIO_GIC_REDIST);
    CU_ASSERT_EQUAL(pair("/interrupt-controller@ff000000", "reg", 3), 18 * 0x20000);
    CU_ASSERT_STRING_EQUAL(fdt_getprop(dt(), node("/psci"), "method", NULL), "hvc");
}

static void the_tree_has_the_devices_where_they_answer(void)
{
    setup(MiB(64));
    cfg.devices = 2;
    CU_ASSERT_EQUAL(lay(), ABI_OK);
    CU_ASSERT_EQUAL(pair("/virtio_mmio@fe102000", "reg", 0), MMIO_VIRTIO + 2 * MMIO_CELL_SIZE);
    CU_ASSERT_EQUAL(cell("/virtio_mmio@fe102000", "interrupts", 1), MMIO_VIRTIO_LINE + 2);
    CU_ASSERT(fdt_path_offset(dt(), "/virtio_mmio@fe103000") < 0);
    CU_ASSERT_EQUAL(pair("/pl011@fe000000", "reg", 0), MMIO_UART);
    CU_ASSERT_EQUAL(cell("/pl011@fe000000", "interrupts", 1), MMIO_UART_LINE);
    CU_ASSERT_EQUAL(fdt_node_check_compatible(dt(), node("/pl031@fe001000"), "arm,primecell"), 0);
    CU_ASSERT(fdt_path_offset(dt(), fdt_getprop(dt(), node("/chosen"), "stdout-path", NULL)) > 0);
}

static void the_biggest_domain_has_room_for_its_tree(void)
{
    static char cmdline[CMDLINE_MAX_LEN + 1];

    setup(MiB(64));
    memset(cmdline, 'x', CMDLINE_MAX_LEN);
    cfg.cmdline = cmdline;
    cfg.vcpus = DOMAIN_VCPUS_MAX;
    cfg.devices = DOMAIN_DEVICES_MAX;
    CU_ASSERT_EQUAL(lay(), ABI_OK);
    CU_ASSERT(fdt_path_offset(dt(), "/cpus/cpu@30f") > 0);
}

static void a_kernel_that_is_none_is_refused(void)
{
    setup(MiB(64));
    kernel[56] = 'a';
    refused(ABI_BAD_FORMAT, "guest0: kernel: not an arm64 Image");
    setup(MiB(64));
    cfg.kernel.len = 63;
    refused(ABI_BAD_FORMAT, "guest0: kernel: not an arm64 Image");
    setup(MiB(64));
    put64(24, 11);
    refused(ABI_BAD_FORMAT, "guest0: kernel: big-endian");
    setup(MiB(64));
    put64(16, 0);
    refused(ABI_BAD_FORMAT, "guest0: kernel: image_size 0: older than Linux 3.17");
    setup(MiB(64));
    put64(8, 0x200000);
    refused(ABI_BAD_FORMAT, "guest0: kernel: text_offset 200000");
    put64(8, UINT64_MAX);
    refused(ABI_BAD_FORMAT, "guest0: kernel: text_offset ffffffffffffffff");
}

static void what_does_not_fit_is_refused(void)
{
    static const uint8_t ramdisk[MiB(4)];

    setup(MiB(8));
    refused(ABI_NO_MEMORY, "guest0: kernel of 8 MiB at 200000 does not fit in 8 MiB of memory");
    setup(MiB(12));
    put64(16, UINT64_MAX);
    CU_ASSERT_EQUAL(lay(), ABI_NO_MEMORY);
    setup(MiB(12));
    cfg.ramdisk = (struct blob){ramdisk, sizeof(ramdisk)};
    refused(ABI_NO_MEMORY, "guest0: ramdisk of 4 MiB does not fit in 12 MiB of memory");
}

static const struct cu_test tests[] = {
    CU(the_kernel_lies_where_its_header_says),
    CU(the_tree_tells_memory_command_line_and_ramdisk),
    CU(the_tree_has_every_cpu_by_its_affinity),
    CU(the_tree_has_the_devices_where_they_answer),
    CU(the_biggest_domain_has_room_for_its_tree),
    CU(a_kernel_that_is_none_is_refused),
    CU(what_does_not_fit_is_refused),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("arm_layout", tests, argc, argv);
}
