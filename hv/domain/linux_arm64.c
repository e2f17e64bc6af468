/*
 * Linux on arm64 (Linux, Documentation/arch/arm64/booting.rst): the file is an Image, put at 2 MiB
 * plus its text_offset and entered at its first byte with X0 = the Device Tree. RAM begins at 0, as
 * in every layout.
 */
#include "dt_arm64.h"
#include "hv/check.h"
#include "hv/device.h"
#include "hv/string.h"
#include "plan.h"
#include "text.h"

/* The header, 64 bytes. */
#define HDR_TEXT_OFFSET 8
#define HDR_IMAGE_SIZE  16
#define HDR_FLAGS       24
#define HDR_MAGIC       56
#define HDR_LEN         64u

#define MAGIC           0x644d5241u /* "ARM\x64" */
#define FLAG_BIG_ENDIAN BIT(0)

#define GPA_DT      0x10000u /* in front of the kernel, and never in the first page */
#define GPA_KERNEL  SIZE_2M
#define DT_SIZE     KiB(32)  /* 64 vCPUs and 16 devices take 13 KiB */

static enum abi_status plan_kernel(struct plan *p)
{
    struct blob k = p->cfg->kernel;
    struct piece piece = {PIECE_KERNEL, 0, 0, k.data, k.len};
    uint64_t offset, size;

    if (k.len < HDR_LEN || le_load(k.data + HDR_MAGIC, 4) != MAGIC) {
        return plan_fail(p, ABI_BAD_FORMAT, "kernel: not an arm64 Image");
    }
    offset = le_load(k.data + HDR_TEXT_OFFSET, 8);
    size = le_load(k.data + HDR_IMAGE_SIZE, 8);
    if ((le_load(k.data + HDR_FLAGS, 8) & FLAG_BIG_ENDIAN) != 0) {
        return plan_fail(p, ABI_BAD_FORMAT, "kernel: big-endian");
    }
    if (size == 0) {
        return plan_fail(p, ABI_BAD_FORMAT, "kernel: image_size 0: older than Linux 3.17");
    }
    if (offset >= SIZE_2M || !IS_ALIGNED(offset, PAGE_SIZE)) {
        return plan_fail(p, ABI_BAD_FORMAT, "kernel: text_offset %llx", (unsigned long long)offset);
    }
    piece.at = GPA_KERNEL + offset;
    piece.span = MAX(size, (uint64_t)k.len);
    p->l->entry.rip = piece.at;
    return plan_place(p, "kernel", piece);
}

static enum abi_status plan_dt(struct plan *p, uint64_t ramdisk)
{
    struct piece piece = {PIECE_BOOT_DATA, GPA_DT, DT_SIZE, NULL, DT_SIZE};
    void *dt = plan_take(p, DT_SIZE);

    if (!dt_arm64_build(dt, DT_SIZE, p->cfg, ramdisk)) {
        return plan_fail(p, ABI_LIMIT, "its Device Tree does not fit in %s", size_text(DT_SIZE).s);
    }
    piece.data = dt;
    p->l->entry.boot_data = GPA_DT;
    return plan_place(p, "Device Tree", piece);
}

bool layout_has_firmware(const struct domain_config *cfg)
{
    (void)cfg;
    return false;
}

enum abi_status layout_domain(const struct domain_config *cfg, void *scratch, struct layout *l,
                              char *err, size_t err_size)
{
    struct plan p = plan_begin(cfg, scratch, l, err, err_size);
    uint64_t ramdisk = 0;
    enum abi_status st;

    l->cca = cfg->cc == CC_CCA ? &cfg->cca : NULL;
    st = plan_kernel(&p);
    if (st == ABI_OK) {
        st = plan_ramdisk(&p, p.ram_end, &ramdisk);
    }
    return st == ABI_OK ? plan_dt(&p, ramdisk) : st;
}
