/* The EFI stub on a firmware that is played: what it hands over, and that it fails by name. */
#include "../../arch/aarch64/boot/efi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch_impl/insn.h"
#include "cu.h"

#define IMAGE_BYTES 0x5000u
#define FILE_BYTES  0x3000u
#define KEY         77u
#define BLOCKS      16u

uint64_t fake_current_el;
static uint8_t image[IMAGE_BYTES] __attribute__((aligned(4096), used));
__asm__(".globl _image_start, _data_end, _image_end\n"
        ".set _image_start, image\n.set _data_end, image + 0x3000\n"
        ".set _image_end, image + 0x5000");

static struct {
    unsigned int allocations, fail_at, maps, refusals, ended;
    void *block[BLOCKS];
    char said[200];
    uint16_t options[1024];
    bool no_module, module_breaks;
} fw;
static uint8_t fdt[64] = {0xd0, 0x0d, 0xfe, 0xed, 0, 0, 0, 64, 1, 2, 3};
static const uint8_t module[] = "a bundle";

static efi_status say(struct efi_text_output *o, const uint16_t *text)
{
    size_t n = strlen(fw.said);

    (void)o;
    for (; *text != 0 && n < sizeof(fw.said) - 1; text++) {
        fw.said[n++] = (char)*text;
    }
    fw.said[n] = '\0';
    return EFI_SUCCESS;
}

static efi_status allocate(int type, int memory, uint64_t pages, uint64_t *at)
{
    CU_ASSERT(type == EFI_ALLOCATE_MAX_ADDRESS && memory == EFI_LOADER_DATA && pages > 0);
    if (++fw.allocations == fw.fail_at) {
        return EFI_ERROR(9);
    }
    CU_ASSERT_FATAL(fw.allocations <= BLOCKS);
    fw.block[fw.allocations - 1] = aligned_alloc(PAGE_SIZE, pages * PAGE_SIZE);
    memset(fw.block[fw.allocations - 1], 0xa5, pages * PAGE_SIZE);
    *at = (uint64_t)fw.block[fw.allocations - 1];
    return EFI_SUCCESS;
}

static efi_status get_map(uint64_t *size, void *map, uint64_t *key, uint64_t *descriptor,
                          uint32_t *version)
{
    static const struct efi_memory m = {.type = EFI_CONVENTIONAL, .at = 0x40000000, .pages = 9};

    CU_ASSERT(*size >= sizeof(m));
    memcpy(map, &m, sizeof(m));
    *size = sizeof(m);
    *descriptor = sizeof(m);
    *key = KEY + fw.maps++;
    *version = 1;
    return EFI_SUCCESS;
}

static efi_status load(struct efi_load_file *f, const void *path, bool policy, uint64_t *size,
                       void *to)
{
    (void)f;
    (void)path;
    CU_ASSERT_FALSE(policy);
    if (to == NULL) {
        *size = sizeof(module);
        return EFI_BUFFER_TOO_SMALL;
    }
    memcpy(to, module, sizeof(module));
    return fw.module_breaks ? EFI_LOAD_ERROR : EFI_SUCCESS;
}

static efi_status handle_protocol(void *handle, const struct efi_guid *g, void **to)
{
    static struct efi_load_file file = {load};
    static struct efi_loaded_image us;

    us.options = fw.options;
    us.options_size = sizeof(fw.options);
    *to = g->a == 0x5b1b31a1 ? (void *)&us : (void *)&file;
    return handle == (void *)1 || g->a == 0x4006c0c1 ? EFI_SUCCESS : EFI_UNSUPPORTED;
}

static efi_status locate(const struct efi_guid *g, const void **path, void **device)
{
    CU_ASSERT_EQUAL(g->a, 0x4006c0c1);
    CU_ASSERT_EQUAL(memcmp(*path, "\4\3\24\0\x27\xe4\x68\x55", 8), 0);
    *device = (void *)2;
    return fw.no_module ? EFI_UNSUPPORTED : EFI_SUCCESS;
}

static efi_status end(void *handle, uint64_t key)
{
    CU_ASSERT(handle == (void *)1 && key == KEY + fw.maps - 1);
    if (fw.refusals > 0) {
        fw.refusals--;
        return EFI_INVALID_PARAMETER;
    }
    fw.ended++;
    return EFI_SUCCESS;
}

static struct efi_table tables[2] = {{{1, 2, 3, {4}}, NULL},
                                     {{0xb1b621d5, 0xf19c, 0x41a5,
                                       {0x83, 0x0b, 0xd9, 0x15, 0x2c, 0x69, 0xaa, 0xe0}},
                                      fdt}};
static const struct efi_boot_services services = {
    .allocate_pages = allocate,
    .get_memory_map = get_map,
    .handle_protocol = handle_protocol,
    .locate_device_path = locate,
    .exit_boot_services = end,
};
static struct efi_text_output console = {NULL, say};
static struct efi_system_table st = {
    .out = &console, .boot = &services, .tables = 2, .table = tables};
static struct efi_start start;

static void reset(void)
{
    for (unsigned int i = 0; i < BLOCKS; i++) {
        free(fw.block[i]);
    }
    memset(&fw, 0, sizeof(fw));
    memset(image, 0x11, FILE_BYTES);
    fake_current_el = 2 << 2;
    st.tables = 2;
    fdt[0] = 0xd0;
}

static void options(const char *text)
{
    for (size_t i = 0; i < strlen(text); i++) {
        fw.options[i] = (uint8_t)text[i];
    }
}

static efi_status run(void)
{
    return efi_main((void *)1, &st, image, &start);
}

static const struct efi_handover *handed(void)
{
    return (const struct efi_handover *)start.handover;
}

static void it_hands_over_what_the_firmware_told(void)
{
    const struct efi_handover *h;

    reset();
    options("link=com2 loglevel=debug");
    CU_ASSERT_EQUAL_FATAL(run(), EFI_SUCCESS);
    h = handed();
    CU_ASSERT_EQUAL(h->magic, EFI_HANDOVER_MAGIC);
    CU_ASSERT_STRING_EQUAL(h->cmdline, "link=com2 loglevel=debug");
    CU_ASSERT(h->bundle_len == sizeof(module));
    CU_ASSERT_EQUAL(memcmp((void *)h->bundle, module, sizeof(module)), 0);
    CU_ASSERT(h->fdt != (uint64_t)fdt && memcmp((void *)h->fdt, fdt, sizeof(fdt)) == 0);
    CU_ASSERT(h->map_size == 40 && h->descriptor_size == 40);
    CU_ASSERT_EQUAL(((const struct efi_memory *)h->map)->at, 0x40000000);
    CU_ASSERT(IS_ALIGNED(start.image, SIZE_2M));
    CU_ASSERT_EQUAL(memcmp((void *)start.image, image, FILE_BYTES), 0);
    CU_ASSERT_EQUAL(fw.ended, 1);
    CU_ASSERT_STRING_EQUAL(fw.said, "");
}

static void a_map_that_changed_is_asked_for_again_once(void)
{
    reset();
    fw.refusals = 1;
    CU_ASSERT_EQUAL(run(), EFI_SUCCESS);
    CU_ASSERT(fw.maps == 2 && fw.ended == 1);
    reset();
    fw.refusals = 2;
    CU_ASSERT_EQUAL(run(), EFI_INVALID_PARAMETER);
    CU_ASSERT_STRING_EQUAL(fw.said, "Cloister: the firmware does not let go\r\n");
}

static void without_a_module_the_device_tree_may_name_one(void)
{
    reset();
    fw.no_module = true;
    CU_ASSERT_EQUAL(run(), EFI_SUCCESS);
    CU_ASSERT_EQUAL(handed()->bundle_len, 0);
}

static void a_module_that_breaks_off_is_an_error(void)
{
    reset();
    fw.module_breaks = true;
    CU_ASSERT_EQUAL(run(), EFI_LOAD_ERROR);
    CU_ASSERT_STRING_EQUAL(fw.said, "Cloister: the bundle cannot be loaded\r\n");
    CU_ASSERT_EQUAL(fw.ended, 0);
}

static void a_long_command_line_is_cut_and_what_is_no_ascii_is_marked(void)
{
    reset();
    for (unsigned int i = 0; i < 1024; i++) {
        fw.options[i] = i == 3 ? 0x20ac : 'x';
    }
    CU_ASSERT_EQUAL(run(), EFI_SUCCESS);
    CU_ASSERT_EQUAL(strlen(handed()->cmdline), 511);
    CU_ASSERT_EQUAL(memcmp(handed()->cmdline, "xxx?xx", 6), 0);
}

static void what_it_cannot_run_on_is_named(void)
{
    reset();
    fake_current_el = 1 << 2;
    CU_ASSERT_EQUAL(run(), EFI_UNSUPPORTED);
    CU_ASSERT_PTR_NOT_NULL(strstr(fw.said, "this is not EL2"));
    reset();
    st.tables = 1;
    CU_ASSERT_EQUAL(run(), EFI_UNSUPPORTED);
    CU_ASSERT_PTR_NOT_NULL(strstr(fw.said, "no Device Tree, and ACPI is not read"));
    reset();
    fdt[0] = 0;
    CU_ASSERT_EQUAL(run(), EFI_LOAD_ERROR);
    CU_ASSERT_PTR_NOT_NULL(strstr(fw.said, "Device Tree is none of up to 2 MiB"));
    CU_ASSERT_EQUAL(fw.ended, 0);
}

static void whichever_allocation_fails_the_firmware_goes_on(void)
{
    unsigned int n = 1;

    for (;; n++) {
        reset();
        fw.fail_at = n;
        if (run() == EFI_SUCCESS) {
            break;
        }
        CU_ASSERT(fw.ended == 0 && fw.said[0] != '\0');
    }
    CU_ASSERT_EQUAL(n, 6); /* handover, map, Device Tree, bundle, image */
    reset();
}

static const struct cu_test tests[] = {
    CU(it_hands_over_what_the_firmware_told),
    CU(a_map_that_changed_is_asked_for_again_once),
    CU(without_a_module_the_device_tree_may_name_one),
    CU(a_module_that_breaks_off_is_an_error),
    CU(a_long_command_line_is_cut_and_what_is_no_ascii_is_marked),
    CU(what_it_cannot_run_on_is_named),
    CU(whichever_allocation_fails_the_firmware_goes_on),
    CU_END,
};

int main(int argc, char **argv)
{
    return cu_main("arm_efi", tests, argc, argv);
}
