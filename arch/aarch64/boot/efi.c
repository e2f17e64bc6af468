/*
 * The EFI stub: started by UEFI or by GRUB, at whatever address, it puts the image where head.S
 * wants it, ends the firmware's boot services, and hands over what they told. It runs on the
 * firmware's mappings: nothing here has an absolute address, no function a stack protector.
 */
#include "efi.h"

#include "arch_impl/insn.h"
#include "hv/string.h"

extern const char _image_start[], _data_end[], _image_end[];

#define MAX_ADDRESS (GiB(4) - 1) /* what the boot mappings reach */
#define MAP_SIZE    KiB(64)
#define BUNDLE_MAX  GiB(2)

struct stub {
    void *handle;
    const struct efi_system_table *st;
    struct efi_handover *h;
};

static const struct efi_guid loaded_image_guid = {
    0x5b1b31a1, 0x9562, 0x11d2, {0x8e, 0x3f, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b}};
static const struct efi_guid device_tree_guid = {
    0xb1b621d5, 0xf19c, 0x41a5, {0x83, 0x0b, 0xd9, 0x15, 0x2c, 0x69, 0xaa, 0xe0}};
static const struct efi_guid load_file2_guid = {
    0x4006c0c1, 0xfcb3, 0x403e, {0x99, 0x6d, 0x4a, 0x6c, 0x87, 0x24, 0xe0, 0x6d}};

/* Linux, "initrd media": how loaders offer the module. A device path of one node, and its end. */
static const struct {
    uint8_t type, subtype, length[2];
    struct efi_guid guid;
    uint8_t end[4];
} __attribute__((packed)) module_path = {
    4, 3, {20, 0},
    {0x5568e427, 0x68fc, 0x4f3d, {0xac, 0x74, 0xca, 0x55, 0x52, 0x31, 0xcc, 0x68}},
    {0x7f, 0xff, 4, 0}};

static efi_status fail(const struct stub *s, efi_status st, const uint16_t *why)
{
    (void)s->st->out->output_string(s->st->out, (const uint16_t *)u"Cloister: ");
    (void)s->st->out->output_string(s->st->out, why);
    (void)s->st->out->output_string(s->st->out, (const uint16_t *)u"\r\n");
    return st;
}
#define FAIL(s, st, why) fail((s), (st), (const uint16_t *)(u##why))

/* NULL: there is no memory. Cleared by nobody. */
static void *take(const struct stub *s, uint64_t size, uint64_t below)
{
    uint64_t at = below;

    return s->st->boot->allocate_pages(EFI_ALLOCATE_MAX_ADDRESS, EFI_LOADER_DATA,
                                       ALIGN_UP(size, PAGE_SIZE) / PAGE_SIZE, &at) == EFI_SUCCESS
               ? (void *)at
               : NULL;
}

/* Devicetree Specification 5.2: magic and size, big-endian. The tree may lie anywhere. */
static efi_status copy_device_tree(const struct stub *s, const uint8_t *fdt)
{
    uint32_t size = 0;
    void *to;

    for (unsigned int i = 4; i < 8; i++) {
        size = size << 8 | fdt[i];
    }
    if (fdt[0] != 0xd0 || fdt[1] != 0x0d || fdt[2] != 0xfe || fdt[3] != 0xed || size > MiB(2)) {
        return FAIL(s, EFI_LOAD_ERROR, "the firmware's Device Tree is none of up to 2 MiB");
    }
    to = take(s, size, MAX_ADDRESS);
    if (to == NULL) {
        return FAIL(s, EFI_LOAD_ERROR, "no memory for the Device Tree below 4 GiB");
    }
    memcpy(to, fdt, size);
    s->h->fdt = (uint64_t)to;
    return EFI_SUCCESS;
}

static efi_status find_device_tree(const struct stub *s)
{
    for (uint64_t i = 0; i < s->st->tables; i++) {
        if (memcmp(&s->st->table[i].guid, &device_tree_guid, sizeof(device_tree_guid)) == 0) {
            return copy_device_tree(s, s->st->table[i].p);
        }
    }
    return FAIL(s, EFI_UNSUPPORTED, "this firmware has no Device Tree, and ACPI is not read");
}

/* Load options are UTF-16; what is not ASCII is no option of ours. */
static void read_options(const struct stub *s)
{
    struct efi_loaded_image *image = NULL;
    uint64_t n;

    if (s->st->boot->handle_protocol(s->handle, &loaded_image_guid, (void **)&image) !=
            EFI_SUCCESS ||
        image->options == NULL) {
        return;
    }
    n = MIN(image->options_size / 2, sizeof(s->h->cmdline) - 1);
    for (uint64_t i = 0; i < n && image->options[i] != 0; i++) {
        s->h->cmdline[i] = image->options[i] < 0x80 ? (char)image->options[i] : '?';
    }
}

/* No module there is no failure yet: older loaders write it into the Device Tree. */
static efi_status load_bundle(const struct stub *s)
{
    const void *path = &module_path;
    struct efi_load_file *f = NULL;
    uint64_t size = 0;
    void *device, *to;

    if (s->st->boot->locate_device_path(&load_file2_guid, &path, &device) != EFI_SUCCESS ||
        s->st->boot->handle_protocol(device, &load_file2_guid, (void **)&f) != EFI_SUCCESS) {
        return EFI_SUCCESS;
    }
    if (f->load(f, path, false, &size, NULL) != EFI_BUFFER_TOO_SMALL || size == 0) {
        return EFI_SUCCESS;
    }
    to = size <= BUNDLE_MAX ? take(s, size, UINT64_MAX) : NULL;
    if (to == NULL || f->load(f, path, false, &size, to) != EFI_SUCCESS) {
        return FAIL(s, EFI_LOAD_ERROR, "the bundle cannot be loaded");
    }
    s->h->bundle = (uint64_t)to;
    s->h->bundle_len = size;
    return EFI_SUCCESS;
}

static efi_status copy_image(const struct stub *s, const void *image, uint64_t *at)
{
    uint64_t size = (uint64_t)(_image_end - _image_start);
    uint64_t from = (uint64_t)take(s, size + SIZE_2M, MAX_ADDRESS);

    if (from == 0) {
        return FAIL(s, EFI_LOAD_ERROR, "no memory for the image below 4 GiB");
    }
    *at = ALIGN_UP(from, SIZE_2M);
    memcpy((void *)*at, image, (size_t)(_data_end - _image_start));
    return EFI_SUCCESS;
}

/* The map may change while it is asked for: then its key is refused, once. */
static efi_status end_boot_services(const struct stub *s)
{
    efi_status st = EFI_INVALID_PARAMETER;
    uint32_t version;
    uint64_t key;

    for (unsigned int i = 0; i < 2 && st != EFI_SUCCESS; i++) {
        s->h->map_size = MAP_SIZE;
        st = s->st->boot->get_memory_map(&s->h->map_size, (void *)s->h->map, &key,
                                         &s->h->descriptor_size, &version);
        if (st == EFI_SUCCESS) {
            st = s->st->boot->exit_boot_services(s->handle, key);
        }
    }
    return st;
}

static efi_status gather(struct stub *s)
{
    efi_status r;
    void *map;

    if (sysreg_read(CurrentEL) >> 2 != 2) {
        return FAIL(s, EFI_UNSUPPORTED, "this is not EL2: virtualization is not to be had");
    }
    s->h = take(s, sizeof(*s->h), MAX_ADDRESS);
    map = take(s, MAP_SIZE, MAX_ADDRESS);
    if (s->h == NULL || map == NULL) {
        return FAIL(s, EFI_LOAD_ERROR, "no memory below 4 GiB");
    }
    memset(s->h, 0, sizeof(*s->h));
    s->h->magic = EFI_HANDOVER_MAGIC;
    s->h->map = (uint64_t)map;
    read_options(s);
    r = find_device_tree(s);
    return r == EFI_SUCCESS ? load_bundle(s) : r;
}

efi_status efi_main(void *handle, const struct efi_system_table *st, const void *image,
                    struct efi_start *start)
{
    struct stub s = {handle, st, NULL};
    efi_status r = gather(&s);

    if (r == EFI_SUCCESS) {
        r = copy_image(&s, image, &start->image);
    }
    if (r != EFI_SUCCESS) {
        return r;
    }
    start->handover = (uint64_t)s.h;
    r = end_boot_services(&s);
    return r == EFI_SUCCESS ? r : FAIL(&s, r, "the firmware does not let go");
}
