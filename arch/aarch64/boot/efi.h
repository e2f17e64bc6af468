/*
 * UEFI 2.10, as far as the stub calls it, and what the stub hands over in place of a Device Tree.
 * Names are the specification's, shortened.
 */
#ifndef AARCH64_EFI_H
#define AARCH64_EFI_H

#include "hv/types.h"

typedef uint64_t efi_status; /* bit 63: an error */
#define EFI_SUCCESS           0u
#define EFI_ERROR(n)          (BIT(63) | (n))
#define EFI_LOAD_ERROR        EFI_ERROR(1)
#define EFI_INVALID_PARAMETER EFI_ERROR(2)
#define EFI_UNSUPPORTED       EFI_ERROR(3)
#define EFI_BUFFER_TOO_SMALL  EFI_ERROR(5)

struct efi_guid {
    uint32_t a;
    uint16_t b, c;
    uint8_t d[8];
};

/* 7.2: memory types that are free once boot services have ended, and the attribute of RAM. */
enum { EFI_LOADER_CODE = 1, EFI_LOADER_DATA = 2, EFI_BOOT_CODE = 3, EFI_BOOT_DATA = 4,
       EFI_CONVENTIONAL = 7 };
#define EFI_MEMORY_WB BIT(3)
struct efi_memory {
    uint32_t type, pad;
    uint64_t at, virtual, pages, attribute;
};
_Static_assert(sizeof(struct efi_memory) == 40, "EFI_MEMORY_DESCRIPTOR");

/* 4.4: those that are not called are only places. */
enum { EFI_ALLOCATE_MAX_ADDRESS = 1 };
struct efi_boot_services {
    uint64_t header[3], tpl[2];
    efi_status (*allocate_pages)(int type, int memory, uint64_t pages, uint64_t *at);
    void *free_pages;
    efi_status (*get_memory_map)(uint64_t *size, void *map, uint64_t *key, uint64_t *descriptor,
                                 uint32_t *version);
    void *pool[2], *event[6], *protocol[3];
    efi_status (*handle_protocol)(void *handle, const struct efi_guid *g, void **interface);
    void *reserved, *notify, *locate_handle;
    efi_status (*locate_device_path)(const struct efi_guid *g, const void **path, void **handle);
    void *install_table, *image[4];
    efi_status (*exit_boot_services)(void *handle, uint64_t key);
};
_Static_assert(offsetof(struct efi_boot_services, handle_protocol) == 152, "7.3.7");
_Static_assert(offsetof(struct efi_boot_services, exit_boot_services) == 232, "7.4.6");

struct efi_text_output {
    void *reset;
    efi_status (*output_string)(struct efi_text_output *o, const uint16_t *text);
};

struct efi_system_table {
    uint64_t header[3];
    const uint16_t *vendor;
    uint64_t revision;
    void *in[3]; /* ConsoleInHandle, ConIn, ConsoleOutHandle */
    struct efi_text_output *out;
    void *error[2], *runtime;
    const struct efi_boot_services *boot;
    uint64_t tables;
    const struct efi_table {
        struct efi_guid guid;
        const void *p;
    } *table;
};
_Static_assert(offsetof(struct efi_system_table, boot) == 96, "4.3");
_Static_assert(offsetof(struct efi_system_table, table) == 112, "4.3");

/* 9.1 */
struct efi_loaded_image {
    uint64_t revision;
    void *parent, *system, *device, *path, *reserved;
    uint32_t options_size; /* in bytes */
    const uint16_t *options;
};
_Static_assert(offsetof(struct efi_loaded_image, options) == 56, "9.1");

/* 13.2 */
struct efi_load_file {
    efi_status (*load)(struct efi_load_file *f, const void *path, bool boot_policy, uint64_t *size,
                       void *to);
};

/*
 * For fdt_read: begins as no Device Tree does. Where it says nothing (bundle_len 0, an empty
 * command line) the Device Tree counts; RAM is what the map says.
 */
#define EFI_HANDOVER_MAGIC 0x5250564f484c4543ull
struct efi_handover {
    uint64_t magic;
    uint64_t fdt; /* physical addresses, as all here */
    uint64_t map, map_size, descriptor_size;
    uint64_t bundle, bundle_len;
    char cmdline[512];
};

/* Where the image is to be started, and what it gets in X0. */
struct efi_start {
    uint64_t image, handover;
};
efi_status efi_main(void *handle, const struct efi_system_table *st, const void *image,
                    struct efi_start *start);

#endif
