/* What the boot loader says: Multiboot 1 (0.6.96, 3.3) and Multiboot 2 (2.0, 3.6). */
#include "mbi.h"

#include "../../common/common.h"
#include "hv/check.h"
#include "hv/log.h"
#include "hv/string.h"

#define MB1_MAGIC 0x2badb002u
#define MB2_MAGIC 0x36d76289u

struct boot_info boot_info;

struct mb1_info {
    uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr;
    uint32_t syms[4];
    uint32_t mmap_length, mmap_addr;
};
struct mb1_module {
    uint32_t start, end, string, reserved;
};
struct mb1_mmap {
    uint32_t size; /* of the rest */
    uint64_t base, len;
    uint32_t type;
} __attribute__((packed));

struct mb2_tag {
    uint32_t type, size;
};
struct mb2_module {
    uint32_t type, size, start, end;
};
struct mb2_mmap {
    uint32_t type, size, entry_size, entry_version;
};
struct mb2_entry {
    uint64_t base, len;
    uint32_t type, reserved;
};

/* Boot mappings reach the first 4 GiB as they are. */
static const void *low(uint32_t at)
{
    return pa_to_hva(pa(at));
}

static void add_ram(uint64_t base, uint64_t len)
{
    uint64_t end = ALIGN_DOWN(base + len, PAGE_SIZE);

    base = ALIGN_UP(base, PAGE_SIZE);
    if (!range_add(RANGES_RAM, base, end)) {
        log_warn("more than %u ranges of RAM: %lu KiB at %lx are not used", BOOT_RANGES_MAX,
                 (unsigned long)((end - base) >> 10), (unsigned long)base);
    }
}

static NORETURN void too_many_reserved(void)
{
    panic("the boot loader's memory map has more than %u reserved ranges", BOOT_RANGES_MAX);
}

static void add_reserved(uint64_t base, uint64_t len)
{
    if (!range_add(RANGES_RESERVED, ALIGN_DOWN(base, PAGE_SIZE),
                   ALIGN_UP(range_end(base, len), PAGE_SIZE))) {
        too_many_reserved();
    }
}

static void add_range(uint32_t type, uint64_t base, uint64_t len)
{
    if (type == 1) {
        add_ram(base, len);
    } else {
        add_reserved(base, len);
    }
}

/* What a loader lists as both is used as RAM. */
static void drop_reserved_ram(void)
{
    for (unsigned int i = 0; i < boot_info.ram_count; i++) {
        const struct boot_range *r = &boot_info.ram[i];

        if (!range_cut(RANGES_RESERVED, r->base, r->base + r->len)) {
            too_many_reserved();
        }
    }
}

static void set_module(uint32_t start, uint32_t end)
{
    if (boot_info.bundle.len == 0 && end > start) {
        boot_info.bundle = (struct boot_range){start, end - start};
    }
}

/* Multiboot 1 puts the file's name before the options. */
static void set_cmdline(const char *text, bool named)
{
    const char *space = named ? strchr(text, ' ') : NULL;

    if (named) {
        text = space == NULL ? "" : space + 1;
    }
    (void)str_copy(boot_info.cmdline, sizeof(boot_info.cmdline), text); /* longer is cut */
}

static void read_mb1(const struct mb1_info *mi)
{
    const struct mb1_module *mod = low(mi->mods_addr);

    if ((mi->flags & BIT(2)) != 0) {
        set_cmdline(low(mi->cmdline), true);
    }
    if ((mi->flags & BIT(3)) != 0 && mi->mods_count > 0) {
        set_module(mod->start, mod->end);
    }
    if ((mi->flags & BIT(6)) == 0) {
        panic("the boot loader gives no memory map");
    }
    for (uint32_t at = 0; at < mi->mmap_length;) {
        const struct mb1_mmap *e = low(mi->mmap_addr + at);

        add_range(e->type, e->base, e->len);
        at += e->size + sizeof(e->size);
    }
}

static void read_mb2_mmap(const struct mb2_mmap *m)
{
    for (uint32_t at = sizeof(*m); m->entry_size != 0 && at + m->entry_size <= m->size;
         at += m->entry_size) {
        const struct mb2_entry *e = (const void *)((const uint8_t *)m + at);

        add_range(e->type, e->base, e->len);
    }
}

static void read_mb2(const uint8_t *info)
{
    const struct mb2_tag *tag;
    uint32_t total = *(const uint32_t *)info;

    for (uint32_t at = 8; at + sizeof(*tag) <= total; at += (uint32_t)ALIGN_UP(tag->size, 8)) {
        tag = (const void *)(info + at);
        if (tag->size < sizeof(*tag)) {
            break;
        }
        switch (tag->type) {
        case 1:
            set_cmdline((const char *)(tag + 1), false);
            break;
        case 3:
            set_module(((const struct mb2_module *)tag)->start,
                       ((const struct mb2_module *)tag)->end);
            break;
        case 6:
            read_mb2_mmap((const struct mb2_mmap *)tag);
            break;
        case 14: /* a copy of the RSDP, ACPI 1.0; 15: ACPI 2.0 and later wins */
        case 15:
            boot_info.rsdp = hva_to_pa(tag + 1).v;
            break;
        default:
            break;
        }
    }
}

/* The highest free page below 640 KiB. */
static void choose_low_page(void)
{
    for (uint64_t at = 0x9f000; at >= PAGE_SIZE; at -= PAGE_SIZE) {
        for (unsigned int i = 0; i < boot_info.ram_count; i++) {
            const struct boot_range *r = &boot_info.ram[i];

            if (at >= r->base && at + PAGE_SIZE <= r->base + r->len) {
                boot_info.low = (struct boot_range){at, PAGE_SIZE};
                return;
            }
        }
    }
}

void mbi_read(uint32_t magic, uint32_t info)
{
    boot_info.image.base = hva_to_pa(_image_start).v;
    boot_info.image.len = (uint64_t)(_image_end - _image_start);
    if (magic == MB1_MAGIC) {
        read_mb1(low(info));
    } else if (magic == MB2_MAGIC) {
        read_mb2(low(info));
    } else {
        panic("started by an unknown loader (%x): GRUB multiboot2, or QEMU -kernel", magic);
    }
    drop_reserved_ram();
    if (boot_info.ram_count == 0) {
        panic("the boot loader's memory map has no usable memory");
    }
    choose_low_page();
}
